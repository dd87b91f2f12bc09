"""Frames of a DICOM segmentation -> voxels of its segments on a series' grid, by the place that each frame names (PS3.3 C.8.20)."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.errors import DicomError
from lesionflow.io.dicom.pixel_data import decode
from lesionflow.io.dicom.reading import READ_FAULTS
from lesionflow.io.dicom.segments.frame_overlap import Places
from lesionflow.machine.faults import blame_machine

#: How far a segmentation's pixels may lie from the series', in pixels.
OFF_GRID_PIXELS = 0.1
#: Frames of a slice and segment each: 512 x 512 x 400 of ten segments.
MAX_PIXELS = 1 << 30


def read_parts(
    data: Any, geometry: Geometry, numbers: dict[int, int | None], name: str
) -> tuple[list[tuple[int, NDArray[np.bool_]]], dict[int, int]]:
    """Read the frames of a segmentation.

    Args:
        data: The segmentation.
        geometry: Grid of the series that was segmented.
        numbers: The label of each segment number, None where it is not wanted.
        name: What to call the study in messages.

    Returns:
        The voxels (slice, row, column) of each wanted label, and how many pixels each segment has that is not wanted.

    Raises:
        DicomError: `oversized_image`, `outline_off_grid`, `unknown_label`, `duplicate_slice_position` or `unreadable_outline`.
    """
    if int(data.get("NumberOfFrames") or 1) * int(data.Rows) * int(data.Columns) > MAX_PIXELS:
        _refuse("oversized_image", f"Expected at most {MAX_PIXELS} pixels in the segmentation of {name}, found more.")
    pixels = decode(data)
    frames = pixels[None] if pixels.ndim == 2 else pixels
    shared = data.SharedFunctionalGroupsSequence[0]
    parts = {label: np.zeros(geometry.shape, dtype=bool) for label in numbers.values() if label is not None}
    n_dropped: dict[int, int] = defaultdict(int)
    placed = Places(name)
    for frame, groups in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        for number, inside in _segments_of(data, frame, groups, shared, numbers, name):
            label = numbers[number]
            if label is None:
                n_dropped[number] += int(np.count_nonzero(inside))
            elif inside.any():
                corner, steps = _frame_index(groups, shared, geometry, frame.shape, name)
                placed.add(number, inside, corner, steps)
                if not _place(inside, corner, steps, parts[label]):
                    _refuse(
                        "outline_off_grid",
                        f"Expected the segmentation inside the images of {name}, found voxels beyond them.",
                    )
            else:
                _add_empty(placed, number, inside, (groups, shared), geometry, name)
    placed.require_no_stripes()
    return list(parts.items()), dict(n_dropped)


def _add_empty(
    placed: Places, number: int, empty: NDArray[np.bool_], groups: tuple[Any, Any], geometry: Geometry, name: str
) -> None:
    """Add a frame that holds nothing: it may lie anywhere, but not over one of its segment that holds something."""
    try:
        corner, steps = _frame_index(*groups, geometry, empty.shape, name)
    except (DicomError, *READ_FAULTS) as error:
        blame_machine(error)
        return
    placed.add(number, empty, corner, steps)


def _place(
    inside: NDArray[np.bool_], corner: NDArray[np.intp], steps: NDArray[np.intp], part: NDArray[np.bool_]
) -> bool:
    """Add a frame's voxels to a part; return whether all lie on its grid.

    Steps run along one axis of the grid each, so the box round what is inside is a box there: to look up each voxel's place takes
    twenty times as long.
    """
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    first, last = (corner + np.array([rows[n], columns[n]]) @ steps for n in (0, -1))
    low, high = np.minimum(first, last), np.maximum(first, last)
    if (low < 0).any() or (high >= np.asarray(part.shape)).any():
        return False
    box = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box = box[:: int(steps[0].sum()), :: int(steps[1].sum())]
    along_rows, along_columns = (int(axis) for axis in np.abs(steps).argmax(axis=1))
    box = box if along_rows < along_columns else box.T
    part[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))] |= np.expand_dims(
        box, 3 - along_rows - along_columns
    )
    return True


def _segments_of(
    data: Any, frame: NDArray[Any], groups: Any, shared: Any, numbers: dict[int, int | None], name: str
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Yield segment number and pixels of what a frame holds: one segment, or, of type LABELMAP, any."""
    kind = str(data.get("SegmentationType") or "BINARY")
    if kind == "LABELMAP":
        background = {0, int(data.get("PixelPaddingValue") or 0)}
        known, wanted = set(numbers), {number for number, label in numbers.items() if label is not None}
        present = {int(value) for value in np.flatnonzero(np.bincount(frame.ravel()))} - background
        if present - known:
            _refuse(
                "unknown_label",
                f"Expected a segment for each value of the label map of {name}, found none for {sorted(present - known)[:12]}. "
                "Export it again.",
            )
        # A wanted value that a frame lacks is not there: a second frame of the place must say so too.
        yield from ((number, frame == number) for number in sorted((present | wanted) - background))
        return
    if kind not in {"BINARY", "FRACTIONAL"}:
        _refuse("unreadable_outline", f"Expected a segmentation of a known type in {name}, found {kind:.16}.")
    number = int(group_of(groups, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    threshold = float(data.MaximumFractionalValue) / 2.0 if kind == "FRACTIONAL" else 1.0
    yield number, frame >= threshold


def _frame_index(
    groups: Any, shared: Any, geometry: Geometry, shape: tuple[int, ...], name: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the grid index of a frame's first pixel, and the index steps (2, 3) along its rows and columns."""
    position = np.array([float(v) for v in group_of(groups, shared, "PlanePositionSequence").ImagePositionPatient])
    cosines = np.array([float(v) for v in group_of(groups, shared, "PlaneOrientationSequence").ImageOrientationPatient])
    row_mm, column_mm = (float(v) for v in group_of(groups, shared, "PixelMeasuresSequence").PixelSpacing)
    along_row, along_column = cosines.reshape(2, 3)
    corner = geometry.to_index(position)
    steps = geometry.to_index(position + np.stack([along_column * row_mm, along_row * column_mm])) - corner
    first, whole = np.rint(corner), np.rint(steps)
    if np.abs(whole).sum() != 2 or np.abs(whole).sum(axis=0).max() != 1:
        _refuse("outline_off_grid", f"Expected pixels of the same size as the images of {name}, found others.")
    if (
        shape[0] != shape[1]
        and shape == geometry.shape[:0:-1]
        and not first[1:].any()
        and whole[0, 1] == whole[1, 2] == 1
    ):
        _refuse(
            "outline_off_grid",
            f"Expected frames of {geometry.shape[1]} rows and {geometry.shape[2]} columns in the segmentation of {name}, as its "
            "images have, found these exchanged. Export it again.",
        )
    # An error of the steps grows over the frame: it is what the pixel furthest from the first is off by.
    drift = np.abs((steps - whole).T @ (np.asarray(shape) - 1.0)).max()
    if max(np.abs(corner - first).max(), drift) > OFF_GRID_PIXELS:
        _refuse(
            "outline_off_grid",
            f"Expected the segmentation on the pixels of the images of {name}, found it between them. Segment this series.",
        )
    return first.astype(np.intp), whole.astype(np.intp)


def group_of(groups: Any, shared: Any, keyword: str) -> Any:
    """Return the functional group of a frame, or the one that all frames share (PS3.3 C.7.6.16)."""
    return (groups.get(keyword) or shared.get(keyword))[0]


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
