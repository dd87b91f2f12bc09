"""Read a DICOM file without trusting it, and tell one from other files."""

import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from lesionflow.errors import DicomError
from lesionflow.io.dicom.deflated import META_BYTES, PREAMBLE_BYTES, is_deflated, read_bounded
from lesionflow.io.notes import note
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

MAGIC = b"DICM"
#: How files without a preamble begin: group 0002 or 0008, little endian, or big endian.
BARE_STARTS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
#: What pydicom is known to raise on broken files; InvalidDicomError is the rarest of them.
READ_FAULTS = (
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
#: It tells of oddities without saying in which file; what can't be read is an error of ours.
logging.getLogger("pydicom").setLevel(logging.ERROR)


def is_dicom(path: Path) -> bool:
    """Tell by its content whether a file is a DICOM file (PS3.10, section 7.1)."""
    return _kind(path) == "dicom"


def may_be_dicom(path: Path) -> bool:
    """Tell whether `scan` looks into a file: also without a preamble, or when it is broken."""
    return _kind(path) != "other" or path.suffix.lower() == ".dcm"


def read_dicom_file(path: str, *, name: str) -> Any:
    """Read a whole DICOM file.

    Raises:
        DicomError: `unreadable_file`.
    """
    try:
        with quiet():
            content = read_bounded(Path(path))
            if is_deflated(content.getbuffer()[:META_BYTES].tobytes()):
                _say_unchecked(name)
            data = pydicom.dcmread(content, force=kind_of(content.getvalue()) == "bare")
            # All is read by now; kept, the file's bytes would double what a series holds.
            data.buffer = None
            return data
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable DICOM file in {name}, found {plain_words(error)}. Export it again.",
            reason="unreadable_file",
        ) from error


def _say_unchecked(name: str) -> None:
    note(
        "no_checksum",
        f"Files of {name} are deflated without a checksum (PS3.5 A.5): a bit that flipped on the way may have changed voxels or "
        "outlines, and nothing would tell.",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom's warnings on values longer or other than the standard allows: real files are full of them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"pydicom\.")
        yield


def _kind(path: Path) -> str:
    """Return `dicom`, `bare` (may be DICOM without a preamble), `broken` (nothing in it) or `other`."""
    try:
        with path.open("rb") as source:
            return kind_of(source.read(PREAMBLE_BYTES))
    except OSError as error:
        blame_machine(error)
        return "broken"


def kind_of(start: bytes) -> str:
    """Tell by its first bytes what a file is: `dicom`, `bare`, `broken` or `other`, as `may_be_dicom` asks."""
    if start[PREAMBLE_BYTES - len(MAGIC) : PREAMBLE_BYTES] == MAGIC:
        return "dicom"
    if not start:
        return "broken"
    return "bare" if start[:2] in BARE_STARTS else "other"
