"""Orders: a rule's part of a study that is to be segmented and stored back. A folder each, so that a kill loses none and does none twice."""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lesionflow.io.files import write_text

RECORD = "order.json"


class OrderState(StrEnum):
    """Where an order stands."""

    WAITING = "waiting"
    HANDED_IN = "handed_in"
    FETCHED = "fetched"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Order:
    """An order as it stands on disk; it holds no word of the patient.

    Args:
        id: 32 hexadecimal digits that follow from rule and objects.
        rule: The rule's name.
        state: Where it stands.
        job: The service's id of it, once it was handed in.
        sent: `destination/format` of what was stored there.
        n_failures: How often in a row something failed that is tried again.
        error: What failed last, in a word.
        changed: When it changed last, in s since 1970.
        n_rounds: How often the service failed at it by a fault of its own, and it was handed in as another job.
    """

    id: str
    rule: str
    state: OrderState = OrderState.WAITING
    job: str = ""
    sent: tuple[str, ...] = ()
    n_failures: int = 0
    error: str = ""
    changed: float = 0.0
    n_rounds: int = 0

    @property
    def key(self) -> str:
        """The key that it is handed in under: of its own each round."""
        return f"{self.id}-{self.n_rounds}" if self.n_rounds else self.id


class OrderBook:
    """All orders below a folder.

    Args:
        folder: The folder; `open/` has those that have not ended with their files, `done/` a line of each that has.
    """

    def __init__(self, folder: Path) -> None:
        self._open, self._done = folder / "open", folder / "done"
        for each in (self._open, self._done):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)

    def clear(self) -> None:
        """Remove what a kill left of orders that were not put in; asked by the one who puts them in."""
        for leftover in self._open.glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def add(self, order: Order, objects: Mapping[str, Path]) -> bool:
        """Put an order in, with its objects by their names; return False where it is known already.

        Args:
            order: The order.
            objects: Files on the same disk, which are linked.
        """
        if (self._open / order.id).exists() or (self._done / f"{order.id}.json").exists():
            return False
        partial = self._open / f".{order.id}"
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "objects").mkdir(parents=True)
        for name, path in objects.items():
            os.link(path, partial / "objects" / name)
        (partial / "results").mkdir()
        write_text(partial / RECORD, _text(order))
        for folder in (partial / "objects", partial):
            sync_folder(folder)
        partial.rename(self._open / order.id)
        sync_folder(self._open)
        return True

    def all_open(self) -> Iterator[Order]:
        """Yield each order that has not ended, the oldest first."""
        folders = [path for path in self._open.iterdir() if not path.name.startswith(".")]
        for folder in sorted(folders, key=lambda path: path.stat().st_ctime_ns):
            yield self._read(folder / RECORD)

    def change(self, order: Order, **changes: Any) -> Order:
        """Write down where an order stands; when this returns it is on disk."""
        changed = replace(order, changed=time.time(), **changes)
        write_text(self._open / order.id / RECORD, _text(changed))
        sync_folder(self._open / order.id)
        return changed

    def end(self, order: Order, state: OrderState, error: str = "") -> None:
        """Keep a line of an order that ended, and remove its files."""
        write_text(
            self._done / f"{order.id}.json", _text(replace(order, state=state, error=error, changed=time.time()))
        )
        sync_folder(self._done)
        shutil.rmtree(self._open / order.id)

    def find(self, order_id: str) -> Order | None:
        """Return an order, ended or not; None where there is none."""
        for path in (self._done / f"{order_id}.json", self._open / order_id / RECORD):
            if path.is_file():
                return self._read(path)
        return None

    def all_done(self) -> list[Order]:
        """Return the orders that ended and are remembered."""
        return [self._read(path) for path in sorted(self._done.glob("*.json"))]

    def forget(self, ended_before: float) -> None:
        """Drop the lines of orders that ended before a time, in s since 1970."""
        for path in self._done.glob("*.json"):
            if path.stat().st_mtime < ended_before:
                path.unlink(missing_ok=True)

    def objects(self, order: Order) -> list[Path]:
        """Return an order's objects."""
        return sorted((self._open / order.id / "objects").iterdir())

    def result(self, order: Order, name: str) -> Path:
        """Return where a result of an order lies, or shall lie."""
        return self._open / order.id / "results" / f"{name}.dcm"

    @staticmethod
    def _read(path: Path) -> Order:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Order(**{**values, "state": OrderState(values["state"]), "sent": tuple(values["sent"])})


def sync_folder(path: Path) -> None:
    """Put a folder's names on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(order: Order) -> str:
    return json.dumps(asdict(order), indent=1)
