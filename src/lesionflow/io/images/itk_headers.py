"""What NRRD and MetaImage headers say that ITK reads over: another space than the patient's, another unit, a scaling."""

import re
from pathlib import Path
from typing import NoReturn

from lesionflow.errors import InputError

#: A header is shorter than this; geometry that is not named in it is a guess of the reading program.
HEADER_BYTES = 1 << 16
NRRD_SPACE = re.compile(rb"^space:[ \t]*(.*?)\s*$", re.MULTILINE | re.IGNORECASE)
NRRD_UNITS = re.compile(rb"^space units:(.*)$", re.MULTILINE | re.IGNORECASE)
QUOTED = re.compile(rb'"([^"]*)"')
MILLIMETERS = {b"mm", b"millimeter", b"millimeters", b""}
#: Spaces that are a patient's (teem.sourceforge.net/nrrd/format.html#space), which ITK turns to LPS.
PATIENT_SPACES = {
    b"left-posterior-superior",
    b"lps",
    b"right-anterior-superior",
    b"ras",
    b"left-anterior-superior",
    b"las",
}
MHA_SCALING = re.compile(
    rb"^ElementToIntensityFunction(Slope|Offset)[ \t]*=[ \t]*([-+.0-9eE]+)", re.MULTILINE | re.IGNORECASE
)


def require_plain_header(path: Path, *, name: str) -> None:
    """Refuse a header with a word that ITK does not heed.

    Args:
        path: An NRRD or MetaImage file, or its header.
        name: What to call it in messages.

    Raises:
        InputError: `missing_geometry` for a space that is not the patient's, `unsupported_unit` for lengths that are not mm,
            `unsupported_scaling` for values that are still to be scaled.
    """
    with path.open("rb") as source:
        head = source.read(HEADER_BYTES).partition(b"\n\n")[0]
    if (space := NRRD_SPACE.search(head)) and space[1].lower() not in PATIENT_SPACES:
        _refuse(
            "missing_geometry",
            f"Expected LPS, RAS or LAS as the space of {name}, found {space[1].decode(errors='replace'):.40}: where its voxels "
            "lie in the patient is unknown. Convert the image again.",
        )
    if (units := NRRD_UNITS.search(head)) and set(QUOTED.findall(units[1])) - MILLIMETERS:
        _refuse(
            "unsupported_unit",
            f"Expected lengths in mm in {name}, found {units[1].decode(errors='replace'):.40}. Convert the image.",
        )
    scaling = {word: float(value) for word, value in MHA_SCALING.findall(head)}
    if scaling.get(b"Slope", 1.0) != 1.0 or scaling.get(b"Offset", 0.0) != 0.0:
        _refuse(
            "unsupported_scaling",
            f"Expected values as they are in {name}, found a slope or offset that few programs heed. Write the values themselves.",
        )


def _refuse(reason: str, message: str) -> NoReturn:
    raise InputError(message, reason=reason)
