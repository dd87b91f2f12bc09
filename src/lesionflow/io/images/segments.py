"""Segments that a NRRD file names itself, as 3D Slicer writes them: `SegmentN_Name`, `SegmentN_LabelValue`, `SegmentN_Layer`.

A layer is a component of the image: segments that overlap lie in layers of their own. Files of before 2020 have neither
values nor layers: each segment is a component, whose voxels are 1.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from lesionflow.errors import InputError
from lesionflow.io.images import itk

ENDINGS = (".nrrd", ".nhdr")
FIELD = re.compile(r"^Segment(\d+)_(Name|ID|LabelValue|Layer)$")
#: What Slicer and ITK-SNAP call a segment that nobody named.
UNNAMED = re.compile(r"^(segment|label)([ _]*\d+)?$", re.IGNORECASE)


class Segment(NamedTuple):
    """One named structure: the voxels of `layer` whose value is `value`."""

    name: str
    layer: int
    value: int


def named_segments(path: Path, *, name: str) -> list[Segment]:
    """Read what segments a file names.

    Args:
        path: An image file.
        name: What to call the case in messages.

    Returns:
        The segments; none where a file names none, or only as a program does that was told no names.

    Raises:
        InputError: `broken_segments` when two are the same voxels, or a number is none.
    """
    if path.suffix.lower() not in ENDINGS:
        return []
    told: dict[int, dict[str, str]] = defaultdict(dict)
    for field, text in itk.read_fields(path, name).items():
        if match := FIELD.match(field):
            told[int(match[1])][match[2]] = text
    own_layers = not any("Layer" in fields or "LabelValue" in fields for fields in told.values())
    try:
        segments = [
            Segment(
                fields.get("Name") or fields.get("ID") or "",
                n if own_layers else int(fields.get("Layer", 0)),
                1 if own_layers else int(fields["LabelValue"]),
            )
            for n, (_, fields) in enumerate(sorted(told.items()))
        ]
    except (KeyError, ValueError) as error:
        raise InputError(
            f"Expected layer and value of each segment in the header of {name}, found: {error!s:.80}. Export it again.",
            reason="broken_segments",
        ) from error
    if len({(s.layer, s.value) for s in segments}) < len(segments):
        raise InputError(
            f"Expected a value for each segment of {name}, found one value for two: "
            f"{', '.join(s.name for s in segments)}. Export it again.",
            reason="broken_segments",
        )
    return [] if all(UNNAMED.match(segment.name) for segment in segments) else segments
