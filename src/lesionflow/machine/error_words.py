"""What a library's error found, in words for who made the file: without the names that Python has for errors and types."""

import re
import struct
import zlib
from pathlib import Path

from pydantic import ValidationError

ABSENT = re.compile(r"has no attribute '(\w+)'|no attribute named '?(\w+)|required [\w -]*arguments?: '(\w+)'")
UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")
#: How Python speaks of values that are not what code took them for.
OF_PYTHON = re.compile(
    r"NoneType|object is not|object cannot be|unsupported operand|index out of range|must be a|argument|takes \d|unpack",
    re.IGNORECASE,
)
UNPACKED = "a file that is not packed as its name says"
CUT_OFF = "an end that comes too early"
KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (RecursionError, "parts nested too deep in one another"),
    (MemoryError, "more than fits into memory"),
    (UnicodeError, "bytes that are no text"),
    (OverflowError, "a number that is too large"),
    (EOFError, CUT_OFF),
    (struct.error, CUT_OFF),
    (zlib.error, "packed bytes that are harmed"),
)
STRANGE = "a part that is absent or of another kind"


def plain_words(error: BaseException, text: str | None = None, *, length: int = 150, within: Path | None = None) -> str:
    """Say what an error found.

    Args:
        error: What a library raised.
        text: What it says, where a path was taken out of it; else its own words.
        length: At most so many characters.
        within: The folder that was read: a file of it that is absent or can't be read is named. Files of a user's studies are
            not, as their names may be a patient's.

    Returns:
        Words that continue "found ...".

    Examples:
        >>> plain_words(AttributeError("'FileDataset' object has no attribute 'Rows'"))
        'no Rows'
        >>> plain_words(TypeError("'NoneType' object is not subscriptable"))
        'a part that is absent or of another kind'
        >>> plain_words(ValueError("could not convert string to float: '0,8'"))
        "could not convert string to float: '0,8'"
    """
    told = " ".join((_own_words(error, within) if text is None else text).split())
    if absent := ABSENT.search(told):
        return f"no {absent[1] or absent[2] or absent[3]}"
    if unknown := UNKNOWN.search(told):
        return f"{unknown[1]}, which is not known"
    if isinstance(error, KeyError):
        return f"no {told[:length]}"
    if "not a gzip" in told.lower():
        return UNPACKED
    known = next((words for kind, words in KINDS if isinstance(error, kind)), None)
    if known is not None:
        return known
    return STRANGE if not told or OF_PYTHON.search(told) else told[:length]


def _own_words(error: BaseException, within: Path | None) -> str:
    """Return what an error says of what it found, without numbers of errors, paths and pages of help."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}" if place else first["msg"]
    if not (isinstance(error, OSError) and error.strerror):
        return str(error)
    if within is None or not isinstance(error.filename, str | Path):
        return error.strerror
    path = Path(error.filename)
    inside = path != within and path.is_relative_to(within)
    return f"{path.relative_to(within)}: {error.strerror}" if inside else error.strerror


def kind_in_words(error: BaseException) -> str:
    """Say of what kind an error is where its own words may tell a password.

    Examples:
        >>> kind_in_words(ConnectionRefusedError())
        'a connection refused error'
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", type(error).__name__).lower()
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
