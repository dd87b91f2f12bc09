"""What is told of studies as they are read: the first of each kind in the log, all words on the team's own machine alone."""

import logging
from collections import Counter
from pathlib import Path

from lesionflow.errors import InputError
from lesionflow.io.images.pictures.colors import MASK_COLOR
from lesionflow.io.stores.case_index import Entry
from lesionflow.io.stores.private import remember_said, remember_taken

#: What is said of more studies than this is counted.
MAX_SAID = 3
#: After so many studies their words are written, so that a kill costs few.
A_BATCH = 64

logger = logging.getLogger(__name__)


class Telling:
    """Logs what is said of studies and keeps it.

    Args:
        private_dir: The private folder: words may name a structure, a series or a file as somebody called it.
    """

    def __init__(self, private_dir: Path) -> None:
        self._private_dir = private_dir
        self._counts: Counter[str] = Counter()
        self._taken: dict[str, dict[str, list[str]]] = {}
        self._words: dict[str, tuple[tuple[str, str], ...]] = {}

    def refused(self, case_id: str, error: InputError) -> None:
        """Tell that a study was refused."""
        self._say(error.reason, f"Study {case_id} is refused ({error.reason}): {error}")

    def read(self, case_id: str, entry: Entry, taken: dict[str, list[str]]) -> Entry:
        """Tell what was said of a study that was read.

        Returns:
            The entry with what may leave the team: codes, and of colors their names.
        """
        for code, message in entry.notes:
            self._say(code, message if case_id in message else f"Study {case_id}: {message}")
        self._taken[case_id], self._words[case_id] = taken, entry.notes
        if len(self._taken) >= A_BATCH:
            self._write()
        return entry._replace(notes=tuple((code, words if code == MASK_COLOR else "") for code, words in entry.notes))

    def finish(self) -> None:
        """Write what is left, and tell how many there were of each kind."""
        self._write()
        for code, count in self._counts.items():
            if count > MAX_SAID:
                logger.warning("%s: %d studies in all; --report shows each.", code, count)

    def _say(self, code: str, message: str) -> None:
        self._counts[code] += 1
        if self._counts[code] <= MAX_SAID:
            logger.warning("%s", message)

    def _write(self) -> None:
        if self._taken:
            remember_taken(self._private_dir, self._taken)
            remember_said(self._private_dir, self._words)
            self._taken, self._words = {}, {}
