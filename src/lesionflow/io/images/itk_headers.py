"""What NRRD and MetaImage headers say that ITK reads over: another space than the patient's, another unit, a scaling."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

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
NRRD_DIRECTIONS = re.compile(rb"^space directions:(.*)$", re.MULTILINE | re.IGNORECASE)
VECTOR = re.compile(rb"\(([^)]*)\)")
#: ITK holds what the header writes.
SPACING_TOLERANCE_FRACTION = 1e-3
MHA_UNITS = re.compile(rb"^DistanceUnits[ \t]*=[ \t]*(.*?)\s*$", re.MULTILINE | re.IGNORECASE)
MHA_TURN = re.compile(rb"^(?:TransformMatrix|Rotation|Orientation)[ \t]*=", re.MULTILINE | re.IGNORECASE)
#: RAI is MetaIO's word for axes that run as DICOM's do, which an absent matrix says too.
MHA_ANATOMY = re.compile(rb"^AnatomicalOrientation[ \t]*=[ \t]*([A-Za-z]{3})\s*$", re.MULTILINE | re.IGNORECASE)
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
    units, plain = NRRD_UNITS.search(head), MHA_UNITS.search(head)
    if (units and set(QUOTED.findall(units[1])) - MILLIMETERS) or (plain and plain[1].lower() not in MILLIMETERS):
        found = (units or plain or [b"", b""])[1].decode(errors="replace")
        _refuse("unsupported_unit", f"Expected lengths in mm in {name}, found {found:.40}. Convert the image.")
    anatomy = MHA_ANATOMY.search(head)
    if anatomy and anatomy[1].upper() != b"RAI" and not MHA_TURN.search(head):
        _refuse(
            "missing_geometry",
            f"Expected the TransformMatrix of {name} beside its AnatomicalOrientation, found none: which way its axes run few programs "
            "would agree on. Convert the image again.",
        )
    scaling = {word: float(value) for word, value in MHA_SCALING.findall(head)}
    if scaling.get(b"Slope", 1.0) != 1.0 or scaling.get(b"Offset", 0.0) != 0.0:
        _refuse(
            "unsupported_scaling",
            f"Expected values as they are in {name}, found a slope or offset that few programs heed. Write the values themselves.",
        )


def require_told_spacing(path: Path, spacing_mm: Sequence[float], *, name: str) -> None:
    """Refuse a NRRD whose directions ITK did not take: where their length overflows, it takes unit vectors without a word.

    Args:
        path: An NRRD or MetaImage file, or its header.
        spacing_mm: What ITK says, (x, y, z).
        name: What to call it in messages.

    Raises:
        InputError: `invalid_geometry`.
    """
    with path.open("rb") as source:
        head = source.read(HEADER_BYTES).partition(b"\n\n")[0]
    directions = NRRD_DIRECTIONS.search(head)
    if directions is None:
        return
    told = [[float(part) for part in vector.split(b",")] for vector in VECTOR.findall(directions[1])]
    lengths = [math.hypot(*vector) for vector in told]
    fits = len(lengths) == len(spacing_mm) and np.allclose(lengths, spacing_mm, rtol=SPACING_TOLERANCE_FRACTION, atol=0)
    if not fits:
        found = " x ".join(f"{length:.4g}" for length in lengths)
        _refuse(
            "invalid_geometry", f"Expected directions of voxels in {name}, found some {found} mm long. Export it again."
        )


def _refuse(reason: str, message: str) -> NoReturn:
    raise InputError(message, reason=reason)
