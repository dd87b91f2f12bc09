"""Which series of its study outlines were drawn on: what they name as a whole, else what their contours or frames name one by one."""

from collections.abc import Iterator
from typing import Any

from lesionflow.errors import DicomError
from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.io.dicom.rtstruct import name_of, referenced_series
from lesionflow.io.dicom.sorting import DicomStudy
from lesionflow.io.rules import ReadingRules
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine


def drawn_on(data: Any, study: DicomStudy, rules: ReadingRules) -> set[str]:
    """Return the series that outlines say they were drawn on.

    Args:
        data: A structure set or segmentation.
        study: What there is; series that are not here say nothing, as UIDs get lost in de-identification.
        rules: Which structures are wanted: what others were drawn on does not matter.

    Returns:
        UIDs of series with images of the study; empty where the outlines name none that is here.

    Raises:
        DicomError: `unreadable_outline`.
    """
    images = study.images
    try:
        with quiet():
            if named := _declared(data) & set(images):
                return named
            # Images that contours name are often wrong within a series, so that only what names no series is asked for them.
            series = {header.instance_uid: uid for uid, headers in images.items() for header in headers}
            return {series[uid] for uid in _instances(data, rules) if uid in series}
    except DicomError:
        raise
    except READ_FAULTS as error:
        blame_machine(error)
        raise DicomError(
            f"Expected a readable structure set or segmentation, found {plain_words(error)}. Export it again.",
            reason="unreadable_outline",
        ) from error


def _declared(data: Any) -> set[str]:
    if str(data.Modality) == "RTSTRUCT":
        return referenced_series(data)
    return {str(item.SeriesInstanceUID) for item in data.get("ReferencedSeriesSequence") or ()}


def _instances(data: Any, rules: ReadingRules) -> Iterator[str]:
    """Yield the images that contours of wanted structures, or the frames of a segmentation, say they lie on."""
    if str(data.Modality) == "RTSTRUCT":
        rois = data.get("StructureSetROISequence") or ()
        wanted = {int(roi.ROINumber) for roi in rois if rules.label_of(name_of(roi)) is not None}
        for roi in data.get("ROIContourSequence") or ():
            for contour in (roi.get("ContourSequence") or ()) if int(roi.ReferencedROINumber) in wanted else ():
                yield from _named(contour.get("ContourImageSequence"))
        return
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for frame in data.get(keyword) or ():
            for derivation in frame.get("DerivationImageSequence") or ():
                yield from _named(derivation.get("SourceImageSequence"))


def _named(references: Any) -> Iterator[str]:
    for item in references or ():
        yield str(item.get("ReferencedSOPInstanceUID") or "")
