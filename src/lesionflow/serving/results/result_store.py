"""Results kept for a while: a report and its masks, under a number that can't be guessed."""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lesionflow.io.files import replacing_folder
from lesionflow.serving.problems import RequestRefusedError

RESULT_ID = re.compile(r"[0-9a-f]{32}")
REPORT = "report.json"
#: No result takes so long to write.
LEFTOVER_S = 3600.0


class ResultStore:
    """A folder a result.

    Args:
        folder: Where.
        max_results: Most results; the oldest go first.
        max_age_s: How long a result is kept.
    """

    def __init__(self, folder: Path, *, max_results: int, max_age_s: float) -> None:
        self._folder, self._max_results, self._max_age_s = folder, max_results, max_age_s
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Another service may be writing here: what a kill left is told by its age.
        for leftover in folder.glob(".*"):
            if _made_ns(leftover) < time.time_ns() - int(LEFTOVER_S * 1e9):
                shutil.rmtree(leftover, ignore_errors=True)

    def put(self, result_id: str, fill: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
        """Make a result, whole or not at all, and drop what is too old or too much.

        Args:
            result_id: 32 hexadecimal digits; one made before under the same is replaced.
            fill: Given an empty folder, writes the masks and returns the report.

        Returns:
            The report.
        """
        with replacing_folder(self._folder / result_id) as partial:
            report = fill(partial)
            (partial / REPORT).write_text(json.dumps(report), encoding="utf-8")
        self.prune()
        return report

    def report(self, result_id: str) -> dict[str, Any]:
        """Return a result's report.

        Raises:
            RequestRefusedError: 404 `unknown_result`.
        """
        report: dict[str, Any] = json.loads(self.file(result_id, REPORT).read_text(encoding="utf-8"))
        return report

    def file(self, result_id: str, name: str) -> Path:
        """Return where one of a result's files lies.

        Raises:
            RequestRefusedError: 404 `unknown_result` when the result or the file is not, or no longer, there.
        """
        self.prune()
        path = self._folder / result_id / name
        if not RESULT_ID.fullmatch(result_id) or not path.is_file():
            raise unknown_result()
        return path

    def drop(self, result_id: str, *, surely: bool = False) -> None:
        """Remove a result, if there is one.

        Raises:
            OSError: When it can't be removed, and must surely be.
        """
        if RESULT_ID.fullmatch(result_id):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self._folder / result_id, ignore_errors=not surely)

    def prune(self) -> None:
        """Remove results that are too old or too many."""
        kept = (folder for folder in self._folder.iterdir() if RESULT_ID.fullmatch(folder.name))
        newest_first = sorted(((_made_ns(folder), folder) for folder in kept), reverse=True)
        oldest_allowed = time.time_ns() - int(self._max_age_s * 1e9)
        for number, (made, folder) in enumerate(newest_first):
            if number >= self._max_results or made < oldest_allowed:
                shutil.rmtree(folder, ignore_errors=True)


def unknown_result() -> RequestRefusedError:
    """Return the refusal of a result that is not there, or not for whoever asks: the same, so that nobody learns which."""
    message = (
        "Expected the id of a result that is still kept and a format that it has, found another. Send the study again."
    )
    return RequestRefusedError(message, status=404, code="unknown_result")


def _made_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        # Another thread was faster in removing it.
        return 0
