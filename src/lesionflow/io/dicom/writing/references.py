"""What a segmentation or structure set says of the study that it belongs to."""

from collections.abc import Iterator, Mapping
from typing import Any

from lesionflow.io.dicom.reading import READ_FAULTS, quiet
from lesionflow.machine.faults import blame_machine

#: What names the patient; of a study, what it says of it in several places must be one.
PATIENT = "patient"


def read_references(data: Any) -> Mapping[str, tuple[str, ...]]:
    """Return all that ties a data set to its study, each as the sorted values that it has anywhere.

    Args:
        data: A DICOM SEG (PS3.3 A.51), a structured report (A.35) or RT structure set (A.19).

    Returns:
        `patient`: PatientID. `study`, `frame of reference`, `series`: UIDs. `images`: SOP Instance UIDs of the images that it lists as those it was made of;
        of any, nothing where it says none or can't be read.
    """
    found = {PATIENT: {str(data.get("PatientID") or "")}, "study": {str(data.get("StudyInstanceUID") or "")}}
    found |= {"frame of reference": {str(data.get("FrameOfReferenceUID") or "")}, "series": set(), "images": set()}
    try:
        with quiet():
            for series in data.get("ReferencedSeriesSequence") or ():
                _add_series(found, series, "ReferencedInstanceSequence")
            for study in data.get("CurrentRequestedProcedureEvidenceSequence") or ():
                found["study"].add(str(study.get("StudyInstanceUID") or ""))
                for series in study.get("ReferencedSeriesSequence") or ():
                    _add_series(found, series, "ReferencedSOPSequence")
            for roi in data.get("StructureSetROISequence") or ():
                found["frame of reference"].add(str(roi.get("ReferencedFrameOfReferenceUID") or ""))
            for frame, study, series in _rt_series(data):
                found["frame of reference"].add(str(frame.get("FrameOfReferenceUID") or ""))
                found["study"].add(str(study.get("ReferencedSOPInstanceUID") or ""))
                _add_series(found, series, "ContourImageSequence")
    except READ_FAULTS as error:
        blame_machine(error)
    return {name: tuple(sorted(filter(None, values))) for name, values in found.items()}


def _rt_series(data: Any) -> Iterator[tuple[Any, Any, Any]]:
    for frame in data.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                yield frame, study, series


def _add_series(found: dict[str, set[str]], series: Any, images: str) -> None:
    found["series"].add(str(series.get("SeriesInstanceUID") or ""))
    found["images"] |= {str(image.get("ReferencedSOPInstanceUID") or "") for image in series.get(images) or ()}
