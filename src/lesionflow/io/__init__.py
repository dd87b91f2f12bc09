"""Reading and writing files: the only room but `steps` that knows paths."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from lesionflow.errors import InputError
from lesionflow.io import dicom, nnunet
from lesionflow.io.dicom_files import find_files
from lesionflow.io.rules import ReadingRules, ReadStudy, SourceStudy


class ReadOne(Protocol):
    """Reads one study."""

    def __call__(self, source: SourceStudy, rules: ReadingRules, *, name: str) -> ReadStudy:
        """Read a study found in this layout."""


class Reader(NamedTuple):
    """A layout: is it here, which studies does it hold, read one."""

    detect: Callable[[Path], bool]
    find: Callable[[Path], Iterator[SourceStudy]]
    read: ReadOne


#: Layouts, most particular first: the first that is detected is taken.
READERS: Mapping[str, Reader] = {
    "nnunet": Reader(nnunet.detect, nnunet.find_studies, nnunet.read_study),
    "dicom": Reader(dicom.detect, dicom.find_studies, dicom.read_study),
}


def recognize(folder: Path) -> str:
    """Recognize a folder's layout.

    Args:
        folder: What the user has.

    Returns:
        A key of `READERS`.

    Raises:
        InputError: `empty_folder` or `unknown_layout`, with what was seen.
    """
    files = find_files(folder)
    if not files:
        raise InputError(
            f"Expected studies in {folder.name}, found no file. Point --data or data/raw at them.",
            reason="empty_folder",
        )
    for name, reader in READERS.items():
        if reader.detect(folder):
            return name
    endings = sorted({path.suffix or "(no ending)" for path in files})[:8]
    raise InputError(
        f"Expected DICOM files or nnU-Net's raw layout in {folder.name}, found {len(files)} files ending in "
        f"{', '.join(endings)}. Convert them to one of these.",
        reason="unknown_layout",
    )
