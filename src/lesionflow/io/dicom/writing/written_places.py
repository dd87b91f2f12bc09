"""How much an object that was written holds and where, by its own headers alone: no code that wrote it, and no grid of ours, is asked.

Voxels of a DICOM SEG are placed by equation C.7.6.2.1-1 of PS3.3; of contours the area is Green's, not a count of voxels.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.points import contour_numbers
from lesionflow.io.dicom.reading import READ_FAULTS, quiet, read_dicom_file
from lesionflow.io.dicom.writing.content_tree import Item, read_content_tree
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

Points = NDArray[np.float64]
SEGMENTATION, STRUCTURES = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3"
#: Contours so near one another lie on one slice.
SAME_PLANE_MM = 0.02
VOLUME_CODE, LONG_AXIS_CODE, SHORT_AXIS_CODE = "118565006", "103339001", "103340004"


class Patch(NamedTuple):
    """What lies in one plane.

    Args:
        n_voxels: How many voxels; of outlines by their area.
        center_mm: The mean of the voxels' centers, LPS; of outlines that of their points.
        extent_mm: LPS of the outermost voxels' centers, by any two of its corners: (2, 3).
    """

    n_voxels: float
    center_mm: Points
    extent_mm: Points


class Measured(NamedTuple):
    """A lesion's axis as a report tells of it: of which target, its length and its ends, LPS mm; the long one's lie on the border."""

    target: str
    is_long: bool
    length_mm: float
    ends_mm: Points


def measure_frames(data: Any) -> dict[str, list[Patch]]:
    """Measure each segment of a binary DICOM SEG, frame by frame.

    Args:
        data: The data set.

    Raises:
        DicomError: `unreadable_outline`.
    """
    try:
        with quiet():
            return _frames(data)
    except READ_FAULTS as error:
        raise _unreadable(error) from error


def measure_outlines(data: Any, axes: Points) -> dict[str, list[Patch]]:
    """Measure each structure of an RT structure set whose contours run through the middles of voxels' edges.

    Such a contour around n voxels has the area of n - 1/2 of them, a hole that of n + 1/2: of each corner it cuts off, or adds, an eighth, and a closed line has
    four more corners of one kind.

    Args:
        data: The data set.
        axes: (2, 3), from a voxel's center to the next row's and to the next column's, LPS mm.

    Raises:
        DicomError: `unreadable_outline`.
    """
    try:
        with quiet():
            return _outlines(data, axes)
    except READ_FAULTS as error:
        raise _unreadable(error) from error


def measure_figures(data: Any, find_image: Callable[[str], Path]) -> tuple[dict[str, float], list[Measured]]:
    """Return what a measurement report says of each target's volume in ml, and of each lesion's long and short axis.

    Args:
        data: The data set.
        find_image: Given the SOP Instance UID of the image that a line is drawn on, returns the file where it should be; asked in the order of lesions and axes.

    Raises:
        DicomError: `unreadable_report`, or `unreadable_outline` when it refers to no image of the study.
    """
    content = read_content_tree(data, name="the report")
    groups = [item for item in content.walk() if item.concept[0] == "125007"]
    volumes, lesions = {}, []
    for group in groups:
        called = str(group.find("TEXT", "112039")[0].value)
        if group.find("IMAGE", "121191"):
            volumes[called] = float(group.find("NUM", VOLUME_CODE)[0].value[0])
        for axis in (*group.find("NUM", LONG_AXIS_CODE), *group.find("NUM", SHORT_AXIS_CODE)):
            try:
                ends = _ends(axis, find_image)
            except READ_FAULTS as error:
                raise _unreadable(error) from error
            is_long = axis.concept[0] == LONG_AXIS_CODE
            lesions.append(Measured(called.rsplit(" lesion ", 1)[0], is_long, float(axis.value[0]), ends))
    return volumes, lesions


def _frames(data: Any) -> dict[str, list[Patch]]:
    names = {int(item.SegmentNumber): str(item.SegmentLabel) for item in data.SegmentSequence}
    shape = int(data.get("NumberOfFrames") or 1), int(data.Rows), int(data.Columns)
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), count=int(np.prod(shape)), bitorder="little")
    shared = data.SharedFunctionalGroupsSequence[0]
    found: dict[str, list[Patch]] = {name: [] for name in names.values()}
    for frame, groups in zip(bits.reshape(shape), data.PerFrameFunctionalGroupsSequence, strict=True):
        rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
        if not rows.size:
            continue
        of = {name: _group(groups, shared, name) for name in ("PlanePosition", "PlaneOrientation", "PixelMeasures")}
        corner, (row_mm, column_mm) = (
            _floats(of["PlanePosition"].ImagePositionPatient),
            _floats(of["PixelMeasures"].PixelSpacing),
        )
        along_row, along_column = _floats(of["PlaneOrientation"].ImageOrientationPatient).reshape(2, 3)
        n = float(np.count_nonzero(frame))
        center = (
            frame.sum(axis=1, dtype=np.int64) @ np.arange(shape[1]) / n,
            frame.sum(axis=0, dtype=np.int64) @ np.arange(shape[2]) / n,
        )
        index = np.array([center, (rows[0], columns[0]), (rows[-1], columns[-1])])
        places = corner + index[:, :1] * row_mm * along_column + index[:, 1:] * column_mm * along_row
        number = int(_group(groups, shared, "SegmentIdentification").ReferencedSegmentNumber)
        found[names[number]].append(Patch(n, places[0], places[1:]))
    return found


def _outlines(data: Any, axes: Points) -> dict[str, list[Patch]]:
    names = {int(roi.ROINumber): str(roi.ROIName) for roi in data.StructureSetROISequence}
    normal = np.cross(axes[0], axes[1])
    normal = normal / np.linalg.norm(normal)
    # From LPS to voxels, within a plane.
    onto: Points = np.linalg.pinv(axes).astype(np.float64)
    found: dict[str, list[Patch]] = {name: [] for name in names.values()}
    for item in data.ROIContourSequence:
        planes: dict[float, list[Points]] = defaultdict(list)
        for contour in item.get("ContourSequence") or ():
            points = contour_numbers(contour).reshape(-1, 3)
            height = float((points @ normal).mean())
            planes[next((known for known in planes if abs(known - height) < SAME_PLANE_MM), height)].append(points)
        called = names[int(item.ReferencedROINumber)]
        found[called] = [_patch(contours, onto, axes) for contours in planes.values()]
    return found


def _patch(contours: Iterable[Points], onto: Points, axes: Points) -> Patch:
    base = np.concatenate(list(contours))[0]
    n_voxels, n_points, total = 0.0, 0, np.zeros(2)
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for points in contours:
        flat = (points - base) @ onto
        ahead = np.roll(flat, -1, axis=0)
        cross = flat[:, 0] * ahead[:, 1] - ahead[:, 0] * flat[:, 1]
        own = float(cross.sum()) / 2
        n_voxels += own + np.copysign(0.5, own)
        n_points, total = n_points + len(flat), total + flat.sum(axis=0)
        low, high = np.minimum(low, flat.min(axis=0)), np.maximum(high, flat.max(axis=0))
    # A line lies half a voxel beyond the centers of those inside.
    places = base + np.array([total / n_points, low + 0.5, high - 0.5]) @ axes
    return Patch(abs(n_voxels), places[0], places[1:])


def _ends(axis: Item, find_image: Any) -> Points:
    line = axis.find("SCOORD")[0]
    _, uid, frames, _ = line.find("IMAGE")[0].value
    data = read_dicom_file(str(find_image(uid)), name="the study")
    if str(data.SOPInstanceUID) != uid:
        raise ValueError("an image that is not where it should be")
    header = _placed(data, frames)
    along_row, along_column = _floats(header["ImageOrientationPatient"]).reshape(2, 3)
    row_mm, column_mm = _floats(header["PixelSpacing"])
    xy = np.array(line.value[1]).reshape(-1, 2) - 0.5
    return (
        _floats(header["ImagePositionPatient"]) + xy[:, :1] * column_mm * along_row + xy[:, 1:] * row_mm * along_column
    )


def _placed(data: Any, frames: list[int]) -> Mapping[str, Any]:
    words = {
        "ImagePositionPatient": "PlanePosition",
        "ImageOrientationPatient": "PlaneOrientation",
        "PixelSpacing": "PixelMeasures",
    }
    if not frames:
        return {word: data[word].value for word in words}
    groups, shared = data.PerFrameFunctionalGroupsSequence[frames[0] - 1], data.SharedFunctionalGroupsSequence[0]
    return {word: _group(groups, shared, group)[word].value for word, group in words.items()}


def _group(groups: Any, shared: Any, name: str) -> Any:
    word = f"{name}Sequence"
    return (groups if word in groups else shared)[word][0]


def _floats(values: Any) -> Points:
    return np.array([float(value) for value in values])


def _unreadable(error: Exception) -> DicomError:
    blame_machine(error)
    return DicomError(
        f"Expected what was written to be readable, found {plain_words(error)}.", reason="unreadable_outline"
    )
