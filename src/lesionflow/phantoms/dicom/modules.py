"""DICOM modules that all objects of a phantom share (PS3.3 C.7)."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from lesionflow.data.geometry import Geometry
from lesionflow.phantoms.patient import Patient
from lesionflow.phantoms.randomness import uid

#: What ten decimals may lose of a number.
DECIMAL_TOLERANCE = 1e-6


def new_object(patient: Patient, sop_class: str, sop_instance: str) -> Dataset:
    """Return a dataset with file meta, SOP common, patient, general study and equipment filled.

    Args:
        patient: Whose.
        sop_class: SOP class UID.
        sop_instance: SOP instance UID.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = sop_instance
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = sop_instance
    _fill(
        dataset,
        PatientName=patient.name,
        PatientID=patient.patient_id,
        PatientBirthDate=patient.birth_date,
        PatientSex=patient.sex,
        PatientSize=f"{patient.height_m:.2f}",
        PatientWeight=f"{patient.weight_kg:.1f}",
        StudyInstanceUID=study_uid(patient),
        StudyDate=patient.study_date,
        StudyTime=patient.study_time,
        StudyID=str(patient.index + 1),
        AccessionNumber=f"ACC{patient.seed % 1000:03d}{patient.index:05d}",
        ReferringPhysicianName=patient.physician,
        StudyDescription="Phantom study",
        InstitutionName=patient.hospital,
        Manufacturer=patient.scanner[0],
        ManufacturerModelName=patient.scanner[1],
        DeviceSerialNumber="000042",
        SoftwareVersions="phantom 1",
    )
    return dataset


def add_series(dataset: Dataset, patient: Patient, modality: str, series: str, number: int) -> None:
    """Fill general series and frame of reference.

    Args:
        dataset: To fill.
        patient: Whose.
        modality: DICOM modality, such as `CT`.
        series: Name of the series, which its UID and description come from.
        number: Series number.
    """
    _fill(
        dataset,
        Modality=modality,
        SeriesInstanceUID=series_uid(patient, series),
        SeriesNumber=number,
        SeriesDescription=series,
        SeriesDate=patient.study_date,
        SeriesTime=patient.study_time,
        BodyPartExamined="HEAD" if modality == "MR" else "ABDOMEN",
        PatientPosition="HFS",
        FrameOfReferenceUID=frame_of_reference_uid(patient),
        PositionReferenceIndicator="",
    )


def add_plane(dataset: Dataset, geometry: Geometry, slice_index: int) -> None:
    """Fill image plane (C.7.6.2): position, orientation and spacing of one slice of a grid."""
    a, row_mm, column_mm = geometry.spacing_mm
    direction = geometry.direction
    # The first three cosines say where columns go to (along a row), the last three where rows go to.
    cosines = [*direction[:, 2], *direction[:, 1]]
    _fill(
        dataset,
        PixelSpacing=[decimal(row_mm), decimal(column_mm)],
        SliceThickness=decimal(a),
        ImageOrientationPatient=[decimal(c) for c in cosines],
        ImagePositionPatient=[decimal(p) for p in geometry.to_lps((slice_index, 0, 0))],
    )


def add_pixels(dataset: Dataset, stored: NDArray[np.integer[Any]], bits_stored: int = 16) -> None:
    """Fill image pixel (C.7.6.3) with one slice of int16 or uint16 values."""
    _fill(
        dataset,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=stored.shape[0],
        Columns=stored.shape[1],
        BitsAllocated=16,
        BitsStored=bits_stored,
        HighBit=bits_stored - 1,
        PixelRepresentation=int(stored.dtype.kind == "i"),
    )
    dataset.PixelData = np.ascontiguousarray(stored).astype(stored.dtype.newbyteorder("<")).tobytes()


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def decimal(value: float) -> str:
    """Return a decimal string of at most 16 characters (PS3.5 6.2, DS), with an exponent where digits would be lost without."""
    text = f"{float(value):.10f}"[:16].rstrip("0").rstrip(".")
    text = "0" if text in {"", "-0"} else text
    # Cosines of 1e-17 are zeros.
    exact = math.isclose(float(text), value, rel_tol=DECIMAL_TOLERANCE, abs_tol=1e-12)
    return text if exact else str(format_number_as_ds(float(value)))


def study_uid(patient: Patient) -> str:
    """Return the study instance UID."""
    return uid(patient.seed, patient.index, "study")


def series_uid(patient: Patient, series: str) -> str:
    """Return the series instance UID."""
    return uid(patient.seed, patient.index, "series", series)


def instance_uid(patient: Patient, series: str, slice_index: int) -> str:
    """Return the SOP instance UID of one slice of a series."""
    return uid(patient.seed, patient.index, "instance", series, slice_index)


def frame_of_reference_uid(patient: Patient) -> str:
    """Return the frame of reference UID, one for all series of the study."""
    return uid(patient.seed, patient.index, "frame of reference")


def _fill(dataset: Dataset, **values: object) -> None:
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
