"""Outlines as an RT structure set (PS3.3 A.19)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import RTStructureSetStorage

from lesionflow.phantoms.dicom import modules
from lesionflow.phantoms.dicom.contours import contours
from lesionflow.phantoms.patient import Patient
from lesionflow.phantoms.randomness import uid
from lesionflow.phantoms.study import PhantomStudy, Structure

SERIES = "RTSTRUCT"
COLORS = ((255, 160, 0), (0, 160, 255), (0, 200, 120), (220, 90, 170), (240, 230, 60))


def write_rtstruct(path: Path, study: PhantomStudy, sop_class: str, channel: str) -> None:
    """Write the structures of a study.

    Args:
        path: The file.
        study: The study. Without a tumor, the set holds an empty target: looked for, and not there.
        sop_class: SOP class of the slices.
        channel: The reference channel, whose slices the contours lie on.
    """
    patient = study.patient
    dataset = modules.new_object(patient, RTStructureSetStorage, uid(patient.seed, patient.index, SERIES))
    modules.add_series(dataset, patient, "RTSTRUCT", SERIES, 90)
    dataset.StructureSetLabel, dataset.StructureSetName = "PHANTOM", "Phantom outlines"
    dataset.StructureSetDate, dataset.StructureSetTime = patient.study_date, patient.study_time
    dataset.InstanceNumber, dataset.ApprovalStatus = 1, "UNAPPROVED"
    dataset.OperatorsName = "Outliner^Olga"
    dataset.ReferencedFrameOfReferenceSequence = Sequence([_frame_of_reference(study, sop_class, channel)])
    structures = list(enumerate(study.structures, 1))
    dataset.StructureSetROISequence = Sequence([_roi(patient, number, s) for number, s in structures])
    dataset.ROIContourSequence = Sequence([_contours(study, number, s, sop_class, channel) for number, s in structures])
    dataset.RTROIObservationsSequence = Sequence([_observation(number, s) for number, s in structures])
    modules.save(dataset, path)


def _frame_of_reference(study: PhantomStudy, sop_class: str, channel: str) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = modules.series_uid(study.patient, channel)
    series.ContourImageSequence = Sequence(
        [_image(study.patient, sop_class, channel, k) for k in range(study.truth.geometry.shape[0])]
    )
    referenced_study = Dataset()
    referenced_study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    referenced_study.ReferencedSOPInstanceUID = modules.study_uid(study.patient)
    referenced_study.RTReferencedSeriesSequence = Sequence([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = modules.frame_of_reference_uid(study.patient)
    frame.RTReferencedStudySequence = Sequence([referenced_study])
    return frame


def _roi(patient: Patient, number: int, structure: Structure) -> Dataset:
    roi = Dataset()
    roi.ROINumber = number
    roi.ReferencedFrameOfReferenceUID = modules.frame_of_reference_uid(patient)
    roi.ROIName = structure.name
    roi.ROIGenerationAlgorithm = "MANUAL" if structure.label else "AUTOMATIC"
    return roi


def _contours(study: PhantomStudy, number: int, structure: Structure, sop_class: str, channel: str) -> Dataset:
    roi = Dataset()
    roi.ROIDisplayColor = list(COLORS[number % len(COLORS)])
    items = [_contour(points, _image(study.patient, sop_class, channel, k)) for k, points in contours(study, structure)]
    if items:
        roi.ContourSequence = Sequence(items)
    roi.ReferencedROINumber = number
    return roi


def _contour(points: NDArray[np.float64], image: Dataset) -> Dataset:
    contour = Dataset()
    contour.ContourImageSequence = Sequence([image])
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(points)
    # Written raw: pydicom would check each of the many thousand numbers on its own.
    text = "\\".join(f"{v:.3f}" for v in points.ravel()).encode("ascii")
    text += b" " * (len(text) % 2)
    tag = Tag("ContourData")
    contour[tag] = RawDataElement(tag, "DS", len(text), text, 0, is_implicit_VR=False, is_little_endian=True)
    return contour


def _image(patient: Patient, sop_class: str, channel: str, slice_index: int) -> Dataset:
    image = Dataset()
    image.ReferencedSOPClassUID = sop_class
    image.ReferencedSOPInstanceUID = modules.instance_uid(patient, channel, slice_index)
    return image


def _observation(number: int, structure: Structure) -> Dataset:
    observation = Dataset()
    observation.ObservationNumber = number
    observation.ReferencedROINumber = number
    observation.RTROIInterpretedType = "GTV" if structure.label else "EXTERNAL" if structure.name == "BODY" else "ORGAN"
    observation.ROIInterpreter = ""
    return observation
