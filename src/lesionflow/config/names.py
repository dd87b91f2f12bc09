"""Names that people give labels, regions and channels, and the key that each has in MLflow, in file names and in uploads.

People's labels are called `NCR/NET` or `GTV (T)`. MLflow 3.17 takes letters, digits, `_-.: /` in a metric's name and fewer in a picture's;
a file system takes no slash. So a name stays as it is where people read it, and has one key where programs do.
"""

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

#: A DICOM SEG holds a name as Segment Label (0062,0005), of 64 characters, in which a backslash parts values (PS3.5, 6.2).
MAX_LENGTH = 64
BACKGROUND, IGNORE = "background", "ignore"
RESERVED: Mapping[str, str] = {
    BACKGROUND: "the number 0 is background and has no line of its own",
    IGNORE: "it is the word for voxels that nobody is judged by",
}
#: Names less alike than this (1: the same) are not offered.
NEAR = 0.6


def key_of(name: str) -> str:
    """Return what stands for a name in MLflow, in file names and in uploads: letters and digits of ASCII, `_`, `.` and `-`.

    Args:
        name: As people wrote it.

    Returns:
        The name itself where it is such already. Accents are taken off and other signs become `_`; where that would lose letters, the
        beginning of the name's sha256 follows.

    Examples:
        >>> key_of("tumor"), key_of("NCR/NET"), key_of("GTV (T)"), key_of("Tumör")
        ('tumor', 'NCR_NET', 'GTV_T', 'Tumor')
        >>> key_of("肿瘤")
        'name-fe17dae7'
    """
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    key = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain)
    if key != name:
        key = key.strip("_.")
    if any(sign.isalpha() and not sign.isascii() for sign in plain) or not re.search(r"[A-Za-z0-9]", key):
        digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).hexdigest()
        key = f"{key or 'name'}-{digest[:8]}"
    # A name of dots alone leads out of a folder, one that begins with a dot is hidden in it.
    return re.sub(r"^\.+", "_", key)


def name_faults(names: Iterable[str]) -> list[str]:
    """Say what is wrong with names that stand side by side.

    Args:
        names: Of labels, of regions or of channels.

    Returns:
        A sentence a fault, each with what to write; none where all may be used.
    """
    given = list(names)
    faults = [fault for name in given if (fault := _fault(name))]
    by_key: dict[str, list[str]] = {}
    for name in given:
        # MySQL, and file systems of macOS and Windows, take large and small letters for the same.
        by_key.setdefault(key_of(name).casefold(), []).append(name)
    for same in by_key.values():
        if len(same) > 1:
            alike = " and ".join(map(repr, same))
            faults.append(f"{alike} are one name ({key_of(same[0])}) in files and in MLflow; call them differently")
    return faults


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ` Did you mean X?` where a known name is near to one, else nothing.

    Examples:
        >>> did_you_mean("tumour", ["tumor", "edema"])
        ' Did you mean tumor?'
        >>> did_you_mean("knee", ["tumor", "edema"])
        ''
    """
    by_case = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(str(name).casefold(), by_case, n=1, cutoff=NEAR)
    return f" Did you mean {by_case[near[0]]}?" if near else ""


def _fault(name: str) -> str:
    said = f"{name!r}"
    if not name.strip():
        return f"{said} is no name; give it one"
    if name.casefold() in RESERVED:
        return f"{said} is reserved: {RESERVED[name.casefold()]}; leave it out, or call it otherwise"
    # A dollar begins a formula in pictures.
    unwanted = sorted({sign for sign in name if sign in "\\$" or not sign.isprintable()})
    if name != name.strip() or unwanted:
        written = " ".join("".join(" " if sign in unwanted else sign for sign in name).split())
        return f"{said} has a sign that a name may not hold (a space at its end, a line break, a backslash, a dollar); write {written!r}"
    if len(name) > MAX_LENGTH:
        return f"{said:.80} has {len(name)} characters, of which DICOM takes {MAX_LENGTH}; write {name[:MAX_LENGTH].strip()!r}"
    return ""
