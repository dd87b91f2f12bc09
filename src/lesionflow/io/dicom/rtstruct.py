"""Contours of a structure set -> labels on the grid of the series that they were drawn on.

A voxel belongs to a structure when its center lies inside its contours. Contours are matched to slices by position, never by
the instance UIDs they name: those are wrong in real collections. How contours combine is told in `contours.combining`,
how gaps between them are filled in `contours.gaps`. Where structures of two labels overlap, the label that stands later
in `ingest.labels` wins.
"""

from collections import Counter, defaultdict
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.cost import require_few_structures
from lesionflow.io.dicom.contours.planes import fill_structure
from lesionflow.io.dicom.contours.points import closed_contours
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.io.labels import tell_united, unite
from lesionflow.io.notes import note, took
from lesionflow.io.rules import ReadingRules
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine


class NamedStructure(NamedTuple):
    """A structure that the rules name.

    Args:
        name: As the set names it.
        label: Its label.
    """

    name: str
    label: int


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
            f"Expected a readable structure set, found {plain_words(error)}. Export it again.",
            reason="unreadable_outline",
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
        DicomError: `no_matching_outline`, `outline_of_another_study`, `duplicate_roi_number`, `outline_without_voxels` or
            `unreadable_outline`, and all reasons of `contours`: `contour_off_plane`, `contour_outside_image`,
            `contour_gaps`, `contour_offset`, `open_contour`, `degenerate_contour`, `truncated_contour`, `duplicate_contour`,
            `ambiguous_contours`, `self_crossing_contour`, `too_many_contours`, `too_many_corners`.
    """
    try:
        with quiet():
            return _read(data, geometry, frame_of_reference, rules, name)
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable structure set in {name}, found {plain_words(error)}. Export it again.",
            reason="unreadable_outline",
        ) from error


def _read(data: Any, geometry: Geometry, frame_of_reference: str, rules: ReadingRules, name: str) -> Mask:
    structures = _wanted(data, frame_of_reference, rules, name)
    require_few_structures(len(structures), name)
    contours: dict[int, list[Any]] = defaultdict(list)
    for item in data.get("ROIContourSequence") or ():
        contours[int(item.ReferencedROINumber)].extend(item.get("ContourSequence") or ())
    _note_strays(data, contours, name)
    parts, drawn = [], defaultdict(list)
    work: Counter[str] = Counter()
    for number, structure in structures.items():
        inside = _fill(contours[number], Account(name, structure.name, work=work), geometry)
        parts.append((structure.label, inside))
        if inside.any():
            drawn[structure.label].append(structure.name)
    tell_united(((called, label) for label, names in drawn.items() for called in names), name)
    if not drawn and any(contours[number] for number in structures):
        _refuse(
            "outline_without_voxels",
            f"Expected contours that hold the center of a voxel in {name}, found none that does: an empty mask would say that "
            "nothing is there. Leave the study out, or give it finer images.",
        )
    return unite(parts, geometry, rules)


def _wanted(data: Any, frame_of_reference: str, rules: ReadingRules, name: str) -> dict[int, NamedStructure]:
    """Return the structures that the rules name, by ROI number."""
    declared = _declared_frames(data)
    found: dict[int, NamedStructure] = {}
    others: dict[int, str] = {}
    for roi in data.StructureSetROISequence:
        structure, number = name_of(roi), int(roi.ROINumber)
        label = rules.label_of(structure)
        before = found[number].label if number in found else None
        if (number in found or number in others) and label != before:
            _refuse(
                "duplicate_roi_number",
                f"Expected each ROI number of {name} once, found {number} for structures of different names. Number them.",
            )
        if label is None:
            others[number] = structure
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
        found[number] = NamedStructure(structure, label)
        took(rules.called(label), structure)
    if not found:
        _refuse(
            "no_matching_outline",
            f"Expected a structure that ingest.outlines names in {name}, found {', '.join(sorted(others.values())) or 'none'}. "
            "Add a rule.",
        )
    if dropped := [structure for structure in others.values() if not rules.is_unwanted(structure)]:
        left_out = ", ".join(sorted(dropped))
        note(
            "dropped_structure",
            f"Structures of {name} that no rule of ingest.outlines names were left out: {left_out}.",
        )
    return found


def _declared_frames(data: Any) -> set[str]:
    """Return the frames of reference that a structure set says it is in; else those that its structures name."""
    declared = {str(item.FrameOfReferenceUID) for item in data.get("ReferencedFrameOfReferenceSequence") or ()}
    declared |= {str(data.FrameOfReferenceUID)} if data.get("FrameOfReferenceUID") else set()
    return declared or {str(roi.get("ReferencedFrameOfReferenceUID") or "") for roi in data.StructureSetROISequence}


def name_of(roi: Any) -> str:
    """Return a structure's name; UTF-8 that no character set declares is read as what it is."""
    told = str(roi.get("ROIName") or "")
    try:
        # Latin-1 is what is assumed where nothing is declared; hardly any Latin-1 text beyond ASCII is valid UTF-8.
        return told.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return told


def _note_strays(data: Any, contours: dict[int, list[Any]], name: str) -> None:
    known = {int(roi.ROINumber) for roi in data.StructureSetROISequence}
    n_stray = sum(len(items) for number, items in contours.items() if number not in known)
    if n_stray:
        note(
            "dropped_structure", f"{n_stray} contours of {name} belong to no structure of the set: they were left out."
        )


def _fill(items: list[Any], account: Account, geometry: Geometry) -> NDArray[np.bool_]:
    structure, name = account.structure, account.case
    inside = fill_structure(closed_contours(items, account), geometry, account)
    account.tell()
    if not items:
        note("empty_structure", f"Structure {structure} of {name} has no contours: it was taken to be absent.")
    elif not inside.any():
        note("empty_structure", f"The contours of structure {structure} of {name} hold no voxel's center: it is lost.")
    return inside


def _refuse(reason: str, message: str) -> NoReturn:
    raise DicomError(message, reason=reason)
