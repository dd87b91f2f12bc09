"""Contours of a structure set -> labels on the grid of the series that they were drawn on.

A voxel belongs to a structure when its center lies inside the contour; contours of one structure on one slice are combined
by exclusive or, so that holes and keyholes come out right (DICOM PS3.3 C.8.8.6.3). Contours are matched to slices by
position, never by the instance UIDs they name: those are wrong in real collections. Where structures of two labels overlap,
the label that stands later in `ingest.labels` wins.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours import fill_contours
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.io.labels import unite
from lesionflow.io.rules import ReadingRules
from lesionflow.machine.faults import blame_machine

#: How far a contour may lie from the nearest slice, as a share of the slice distance.
OFF_PLANE_FRACTION = 0.25
#: How far a contour may reach beyond the outermost pixel centers, in pixels.
OUTSIDE_PIXELS = 1.0


def referenced_series(data: Any) -> set[str]:
    """Return the UIDs of the series that a structure set says it was drawn on."""
    found = set()
    try:
        with quiet():
            for frame in data.get("ReferencedFrameOfReferenceSequence") or ():
                for study in frame.get("RTReferencedStudySequence") or ():
                    found |= {str(s.SeriesInstanceUID) for s in study.get("RTReferencedSeriesSequence") or ()}
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable structure set, found {error!s:.100}.", reason="unreadable_outline"
        ) from error
    return found


def read_structures(data: Any, geometry: Geometry, frame_of_reference: str, rules: ReadingRules, *, name: str) -> Mask:
    """Read the structures that the rules name.

    Args:
        data: The RTSTRUCT data set.
        geometry: Grid of the series.
        frame_of_reference: That series' frame of reference UID.
        rules: Which structure is which label.
        name: What to call the study in messages.

    Returns:
        The mask; a structure that is named but has no contour is empty, which says that nothing is there.

    Raises:
        DicomError: `no_matching_outline`, `outline_of_another_study`, `contour_off_plane`, `contour_outside_image`,
            `open_contour`, `degenerate_contour`, `duplicate_contour` or `unreadable_outline`.
    """
    try:
        with quiet():
            return _read(data, geometry, frame_of_reference, rules, name)
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable structure set in {name}, found {type(error).__name__}: {error!s:.150}. Export it again.",
            reason="unreadable_outline",
        ) from error


def _read(data: Any, geometry: Geometry, frame_of_reference: str, rules: ReadingRules, name: str) -> Mask:
    structures = {}
    declared = {str(item.FrameOfReferenceUID) for item in data.get("ReferencedFrameOfReferenceSequence") or ()}
    declared |= {str(data.FrameOfReferenceUID)} if data.get("FrameOfReferenceUID") else set()
    if not declared:
        declared = {str(roi.get("ReferencedFrameOfReferenceUID") or "") for roi in data.StructureSetROISequence}
    for roi in data.StructureSetROISequence:
        label = rules.label_of(str(roi.get("ROIName") or ""))
        if label is None:
            continue
        frame = str(roi.get("ReferencedFrameOfReferenceUID") or "")
        # A structure may name a frame that the set itself does not declare: that UID names nothing (seen in collections
        # whose outlines are right), so the set's own declaration decides.
        if frame_of_reference not in declared or (frame in declared and frame != frame_of_reference):
            _refuse(
                "outline_of_another_study",
                f"Expected outlines in the frame of reference of the images of {name}, found another. Was the structure "
                "set drawn on another study?",
            )
        structures[int(roi.ROINumber)] = label
    if not structures:
        names = sorted(str(roi.get("ROIName") or "") for roi in data.StructureSetROISequence)
        _refuse(
            "no_matching_outline",
            f"Expected a structure that ingest.outlines names in {name}, found {', '.join(names) or 'none'}. Add a rule.",
        )
    parts = []
    for item in data.get("ROIContourSequence") or ():
        wanted = structures.get(int(item.ReferencedROINumber))
        if wanted is not None:
            parts.append((wanted, _fill(item, geometry, name)))
    return unite(parts, geometry, rules)


def _fill(item: Any, geometry: Geometry, name: str) -> NDArray[np.bool_]:
    contours: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    for points in _contours(item, name):
        index = geometry.to_index(points)
        contours[_plane(index, geometry, name)].append(index[:, 1:])
    inside = np.zeros(geometry.shape, dtype=bool)
    for plane, corners in contours.items():
        if len({outline.tobytes() for outline in corners}) < len(corners):
            _refuse(
                "duplicate_contour",
                f"Expected each contour of {name} once, found one twice on slice {plane}: by exclusive or nothing would be "
                "left of it. Remove the copy.",
            )
        inside[plane] = fill_contours(corners, geometry.shape[1:])
    return inside


def _plane(index: NDArray[np.float64], geometry: Geometry, name: str) -> int:
    """Return the slice that a contour (n, 3) in fractional index lies on."""
    plane = round(float(index[:, 0].mean()))
    if np.abs(index[:, 0] - plane).max() > OFF_PLANE_FRACTION:
        _refuse(
            "contour_off_plane",
            f"Expected each contour of {name} within {OFF_PLANE_FRACTION:g} slices of a slice, found one at slice index "
            f"{index[:, 0].min():.2f} to {index[:, 0].max():.2f}. Was it drawn on another series?",
        )
    limit = np.asarray(geometry.shape[1:]) - 1 + OUTSIDE_PIXELS
    outside = (index[:, 1:] < -OUTSIDE_PIXELS) | (index[:, 1:] > limit)
    if not 0 <= plane < geometry.shape[0] or outside.any():
        _refuse(
            "contour_outside_image",
            f"Expected all contours inside the images of {name}, found one beyond them. Is a slice missing, or was it "
            "drawn on another series?",
        )
    return plane


def _contours(item: Any, name: str) -> Iterator[NDArray[np.float64]]:
    for contour in item.get("ContourSequence") or ():
        kind = str(contour.get("ContourGeometricType") or "")
        if kind not in {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}:
            _refuse("open_contour", f"Expected closed planar contours in {name}, found {kind or 'none'}. Close them.")
        values = _numbers(contour)
        points = values.reshape(-1, 3) if values.size and not values.size % 3 else np.zeros((0, 3))
        if len(np.unique(points, axis=0)) < 3 or not np.isfinite(points).all():
            _refuse(
                "degenerate_contour",
                f"Expected at least three points of three finite numbers in each contour of {name}, found {values.size} "
                "numbers. Remove stray points from the outline.",
            )
        yield points


def _numbers(contour: Any) -> NDArray[np.float64]:
    """Return the contour's numbers, from their bytes: as pydicom's decimal strings they take ten times as long."""
    raw = contour.get_item("ContourData").value
    texts = raw.split(b"\\") if isinstance(raw, bytes) else raw or []
    return np.array([float(text) for text in texts if text], dtype=np.float64)


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
