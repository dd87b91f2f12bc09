"""Segments that a file names itself, as 3D Slicer writes them (`SegmentN_Name`, `SegmentN_LabelValue`, `SegmentN_Layer`), or by a table.

A layer is a component of the image: segments that overlap lie in layers of their own. Files of before 2020 have neither
values nor layers: each segment is a component, whose voxels are 1.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lesionflow.errors import InputError
from lesionflow.io.images import image_files, itk, label_tables
from lesionflow.machine.error_words import plain_words

ENDINGS = (".nrrd", ".nhdr")
FIELD = re.compile(r"^Segment(\d+)_(Name|ID|LabelValue|Layer)$")
#: What Slicer and ITK-SNAP call a segment that nobody named.
UNNAMED = re.compile(r"^(segment|label)([ _]*\d+)?$", re.IGNORECASE)


class Segment(NamedTuple):
    """One named structure: the voxels of `layer` whose value is `value`."""

    name: str
    layer: int
    value: int


def named_segments(path: Path, tables: Sequence[Path] = (), *, name: str) -> list[Segment]:
    """Read what segments a file names, in its header or by the tables beside it.

    Args:
        path: An image file.
        tables: The tables of label names of its data set (`label_tables.find_tables`).
        name: What to call the case in messages.

    Returns:
        The segments, background apart; none where nothing names any, or only as a program does that was told no names.

    Raises:
        InputError: `broken_segments` when two are the same voxels, a number is none, or tables contradict one another.
    """
    segments = _in_header(path, name)
    if _are_unnamed(segments):
        told = label_tables.read_tables(label_tables.tables_beside(path, tables), name=name)
        segments = _of_tables([told])
    if len({(s.layer, s.value) for s in segments}) < len(segments):
        raise InputError(
            f"Expected a value for each segment of {name}, found one value for two: "
            f"{', '.join(s.name for s in segments)}. Export it again.",
            reason="broken_segments",
        )
    return [] if _are_unnamed(segments) else segments


def _in_header(path: Path, name: str) -> list[Segment]:
    if image_files.ending(path) in image_files.NIFTI_ENDINGS:
        return _of_tables([label_tables.names_in_nifti(path)])
    if path.suffix.lower() not in ENDINGS:
        return []
    fields = itk.read_fields(path, name)
    return _of_slicer(fields, name) or _of_tables(label_tables.groups_in_nrrd(fields, name=name))


def _of_tables(layers: Sequence[label_tables.Table]) -> list[Segment]:
    return [Segment(told, n, value) for n, names in enumerate(layers) for value, told in names.items() if value]


def _are_unnamed(segments: list[Segment]) -> bool:
    return all(UNNAMED.match(segment.name) for segment in segments)


def _of_slicer(header: dict[str, str], name: str) -> list[Segment]:
    told: dict[int, dict[str, str]] = defaultdict(dict)
    for field, text in header.items():
        if match := FIELD.match(field):
            told[int(match[1])][match[2]] = text
    own_layers = not any("Layer" in fields or "LabelValue" in fields for fields in told.values())
    try:
        return [
            Segment(
                fields.get("Name") or fields.get("ID") or "",
                n if own_layers else int(fields.get("Layer", 0)),
                1 if own_layers else int(fields["LabelValue"]),
            )
            for n, (_, fields) in enumerate(sorted(told.items()))
        ]
    except (KeyError, ValueError) as error:
        raise InputError(
            f"Expected layer and value of each segment in the header of {name}, found: {plain_words(error, length=80)}. Export it again.",
            reason="broken_segments",
        ) from error
