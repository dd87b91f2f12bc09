"""Structure sets and segmentations of one study -> its mask: several are read together when no label is in two of them."""

from collections.abc import Sequence
from typing import Any

from lesionflow.data.volume import IGNORED, Mask
from lesionflow.errors import DicomError
from lesionflow.io.dicom.relations.concatenations import ConcatenationPart, require_all_parts
from lesionflow.io.dicom.rtstruct import name_of, read_structures
from lesionflow.io.dicom.seg import read_segments
from lesionflow.io.dicom.series import Series
from lesionflow.io.labels import unite
from lesionflow.io.notes import note
from lesionflow.io.rules import ReadingRules


def read_outlines(objects: Sequence[Any], reference: Series, rules: ReadingRules, *, name: str) -> Mask:
    """Read the outlines of one series.

    Args:
        objects: Structure sets and segmentations, at least one.
        reference: What they were drawn on.
        rules: Which structure is which label.
        name: What to call the study in messages.

    Returns:
        The mask on the series' grid; where labels of two objects overlap, the one later in `ingest.labels` wins.

    Raises:
        DicomError: `rejected_outline` when all were rejected by whoever reviewed them; `ambiguous_outlines` when two hold structures of the same label; `no_matching_outline` when none holds one
            that is wanted; all reasons of structure sets and segmentations.
    """
    require_all_parts((ConcatenationPart.of(data) for data in objects), name=name)
    objects = _not_rejected(objects, name)
    masks: list[Mask] = []
    wanted: list[set[int]] = []
    refusals = []
    for data in objects:
        read = read_structures if str(data.Modality) == "RTSTRUCT" else read_segments
        try:
            masks.append(read(data, reference.volume.geometry, reference.frame_of_reference, rules, name=name))
            wanted.append(_labels_of(data, rules))
        except DicomError as error:
            if error.reason != "no_matching_outline":
                raise
            refusals.append(error)
    if not masks:
        raise refusals[-1]
    if sum(map(len, wanted)) > len(set().union(*wanted)):
        raise DicomError(
            f"Expected one structure set or segmentation with the wanted outlines in {name}, found {len(masks)} with the same "
            "ones. Keep the final one.",
            reason="ambiguous_outlines",
        )
    if refusals:
        note(
            "dropped_outlines",
            f"{len(refusals)} other structure sets or segmentations of {name} hold no structure that ingest.outlines "
            "names: they were left out.",
        )
    return masks[0] if len(masks) == 1 else _together(masks, rules, name)


def _not_rejected(objects: Sequence[Any], name: str) -> Sequence[Any]:
    """Leave out what its reviewer rejected (PS3.3 C.8.8.16, Approval Status)."""
    kept = [data for data in objects if str(data.get("ApprovalStatus") or "").strip().upper() != "REJECTED"]
    if not kept:
        raise DicomError(
            f"Expected outlines that their reviewer did not reject in {name}, found {len(objects)} with the approval status REJECTED. Have them "
            "drawn again.",
            reason="rejected_outline",
        )
    if len(kept) < len(objects):
        note(
            "rejected_outlines",
            f"{len(objects) - len(kept)} structure sets or segmentations of {name} were rejected by their reviewer: they were left out.",
        )
    return kept


def _together(masks: Sequence[Mask], rules: ReadingRules, name: str) -> Mask:
    note(
        "several_outlines",
        f"{len(masks)} structure sets or segmentations of {name} hold structures of different labels: all of them were taken.",
    )
    values = [*rules.labels.values(), IGNORED]
    parts = [(value, mask.labels == value) for mask in masks for value in values]
    return unite(parts, masks[0].geometry, rules)


def _labels_of(data: Any, rules: ReadingRules) -> set[int]:
    """Return the labels that an object has structures of, drawn or not."""
    # Both were read already: their names can be.
    if str(data.Modality) == "RTSTRUCT":
        told = [name_of(roi) for roi in data.StructureSetROISequence]
    else:
        told = [str(segment.SegmentLabel) for segment in data.SegmentSequence]
    return {label for structure in told if (label := rules.label_of(structure)) is not None}
