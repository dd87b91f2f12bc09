"""Objects that were answered for, by study, until the study is complete; then its orders. What `keep` returned for is on disk."""

import hashlib
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from lesionflow.errors import DicomError
from lesionflow.io.dicom.arriving.instance_header import InstanceHeader, read_instance_header
from lesionflow.io.files import sha256_file
from lesionflow.pacs.fetching import FETCHED
from lesionflow.pacs.network_config import BYTES_PER_MB, NetworkConfig, StudyRule
from lesionflow.pacs.orders import Order, OrderBook, sync_folder
from lesionflow.pacs.series_rules import choose_objects

#: What a cut-off association left among the files being received.
LEFTOVER_S = 3600.0
NAME_DIGITS = 32
logger = logging.getLogger(__name__)


class Spool:
    """Studies that are being received.

    Args:
        config: Where, and what is done with them.
        book: Where their orders go.
    """

    def __init__(self, config: NetworkConfig, book: OrderBook) -> None:
        self._config, self._book = config, book
        self.receiving, self._studies, self._settled = (
            config.spool / name for name in ("receiving", "studies", "complete")
        )
        self._fetched = config.spool / FETCHED
        for each in (self.receiving, self._studies, self._settled):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in self.receiving.iterdir():
            leftover.unlink(missing_ok=True)
        self._lock = threading.Lock()
        #: When each study's last object came, and how long it must be quiet from then; of what a kill left nobody knows whether it is whole.
        self._last = {path.name: (time.monotonic(), config.broken_quiet_s) for path in self._studies.iterdir()}
        #: Studies of associations that are open.
        self._busy: dict[int, set[str]] = {}

    @property
    def has_room(self) -> bool:
        """Whether another object may be taken."""
        listen = self._config.listen
        return shutil.disk_usage(self._config.spool).free > listen.min_free_mb * BYTES_PER_MB

    def keep(self, received: Path, header: InstanceHeader, association: int = 0) -> bool:
        """Take an object; when this returns True it is on disk, also after a power cut.

        Args:
            received: Its file, which stays.
            header: What it says of itself.
            association: By which association it came; 0: by none.

        Returns:
            False when its study has as many objects as one may have.
        """
        study = _digest(header.study)
        partial = self.receiving / uuid.uuid4().hex
        with partial.open("wb") as target, received.open("rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        with self._lock:
            folder = self._studies / study
            is_new = not folder.exists()
            folder.mkdir(exist_ok=True, mode=0o700)
            if not is_new and sum(1 for _ in folder.iterdir()) >= self._config.listen.max_objects:
                partial.unlink()
                return False
            partial.replace(folder / f"{_digest(header.sop_instance)}.dcm")
            sync_folder(folder)
            if is_new:
                sync_folder(self._studies)
            self._last[study] = (time.monotonic(), self._config.quiet_s)
            if association:
                self._busy.setdefault(association, set()).add(study)
        return True

    def released(self, association: int, *, whole: bool) -> None:
        """Say that an association ended; one that was cut off may begin again, so that its studies wait longer."""
        with self._lock:
            for study in self._busy.pop(association, ()):
                quiet_s = self._config.quiet_s if whole else self._config.broken_quiet_s
                self._last[study] = (time.monotonic(), quiet_s)

    def settle(self) -> None:
        """Make orders of each study that is complete, and take up what was fetched."""
        self._take_up()
        with self._lock:
            busy = {study for studies in self._busy.values() for study in studies}
            now = time.monotonic()
            for study, (last, quiet_s) in tuple(self._last.items()):
                if study not in busy and now - last >= quiet_s:
                    (self._studies / study).rename(self._settled / uuid.uuid4().hex)
                    del self._last[study]
        for folder in self._settled.iterdir():
            self._order(folder)
            shutil.rmtree(folder)
        self._sweep()

    def _take_up(self) -> None:
        """Keep what was fetched; cut off amid it, it is kept once more, as the same objects."""
        for folder in self._fetched.iterdir() if self._fetched.is_dir() else ():
            if folder.name.startswith("."):
                continue
            for path in folder.iterdir():
                try:
                    self.keep(path, read_instance_header(path))
                except DicomError as error:
                    logger.warning("a fetched object is left out: %s", error)
            shutil.rmtree(folder)

    def _order(self, folder: Path) -> None:
        headers = {}
        for path in folder.iterdir():
            try:
                headers[path] = read_instance_header(path)
            except DicomError as error:
                logger.warning("an object is left out: %s", error)
        found = [order for rule in self._config.rules if (order := self._add(rule, headers)) is not None]
        if not found:
            kinds = ", ".join(sorted({f"{h.modality or '?'} {h.plane}".strip() for h in headers.values()}))
            logger.warning("no rule asks for a study of %d objects (%s): it is dropped", len(headers), kinds)

    def _add(self, rule: StudyRule, headers: Mapping[Path, InstanceHeader]) -> Order | None:
        chosen = choose_objects(rule, headers)
        if not chosen:
            return None
        order = Order(
            order_id(rule.name, ((headers[path].sop_instance, sha256_file(path)) for path in chosen)), rule.name
        )
        is_new = self._book.add(order, {path.name: path for path in chosen})
        logger.info(
            "order %s: %d objects by the rule %s%s",
            order.id,
            len(chosen),
            rule.name,
            "" if is_new else ", known already",
        )
        return order

    def _sweep(self) -> None:
        oldest = time.time() - LEFTOVER_S
        for path in self.receiving.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def order_id(rule: str, objects: Iterable[tuple[str, str]]) -> str:
    """Return an order's id, which follows from the rule and from each object's UID and bytes."""
    told = "\n".join([rule, *(f"{uid} {digest}" for uid, digest in sorted(objects))])
    return hashlib.sha256(told.encode()).hexdigest()[:NAME_DIGITS]


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:NAME_DIGITS]
