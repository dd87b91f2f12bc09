"""Which segment of a DICOM segmentation is which label, and what its file says of how it was made (PS3.3 C.8.20.2)."""

from collections.abc import Sequence
from typing import Any

from lesionflow.errors import DicomError
from lesionflow.io.notes import note, took
from lesionflow.io.rules import ReadingRules

#: DCM 125040, Background: what a label map lists of its values beside structures (PS3.3 C.8.20.4), and where it says so.
BACKGROUND_CODE = "125040"
PROPERTY_CODES = ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")


def labels_of(segments: Sequence[Any], rules: ReadingRules, name: str) -> dict[int, int | None]:
    """Return the label of each segment number.

    Args:
        segments: Of the segmentation's Segment Sequence.
        rules: Which segment is which label, by its own.
        name: What to call the study in messages.

    Returns:
        None where a segment is not wanted; the background that a label map lists never is, whatever rule fits it.

    Raises:
        DicomError: `unreadable_outline` when two segments share a number, or one has that of the background.
    """
    numbers: dict[int, int | None] = {}
    for segment in segments:
        number, label = int(segment.SegmentNumber), rules.label_of(str(segment.SegmentLabel))
        coded = any((segment.get(keyword) or [{}])[0].get("CodeValue") == BACKGROUND_CODE for keyword in PROPERTY_CODES)
        if number in numbers or (number == 0 and label is not None and not coded):
            raise DicomError(
                f"Expected a number above 0 for each segment of {name}, found {number} for {segment.SegmentLabel}, which is "
                "background, or another's. Export it again.",
                reason="unreadable_outline",
            )
        numbers[number] = None if coded else label
        if numbers[number] is not None and label is not None:
            took(rules.called(label), str(segment.SegmentLabel))
    return numbers


def tell_origin(data: Any, wanted: Sequence[Any], name: str) -> None:
    """Say that voxels are shares of a probability, and that nobody looked at an outline.

    Args:
        data: The segmentation.
        wanted: Those of its segments that are taken.
        name: What to call the study.
    """
    if str(data.get("SegmentationType")) == "FRACTIONAL" and str(data.get("SegmentationFractionalType")) != "OCCUPANCY":
        note(
            "probability_segmentation",
            f"{name}: a segmentation of probabilities; what has at least half of the maximum was taken.",
        )
    made = sorted({str(s.SegmentLabel) for s in wanted if str(s.get("SegmentAlgorithmType")) == "AUTOMATIC"})
    if made:
        note(
            "automatic_outline",
            f"{name}: {', '.join(made)} was outlined by a program without a person, as its file says.",
        )
