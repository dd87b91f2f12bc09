"""Where the slices of a series lie, and what else is kept in one."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from faults.corpus.fault import Fault, Right, Sent
from faults.corpus.made_dicom import (
    CORNERS,
    ON_MR,
    READ,
    READ_MR,
    SENT,
    SENT_MR,
    STORED,
    changed,
    copied,
    edited,
    not_sent,
    refused,
    with_beside,
)
from support.dicom_factory import (
    OBLIQUE,
    ORIGIN_MM,
    ROOT,
    WrittenSeries,
    affine_by_hand,
    write_multiframe,
    write_rtstruct,
    write_series,
)

SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0))
UPSIDE_DOWN = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
PRONE = ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0))


def _turned(orientation: tuple) -> tuple[Right, Sent]:
    """Return what is right for another orientation, its places worked out by hand from the cosines."""
    affine = affine_by_hand(orientation=orientation)
    at = (tuple(affine[:3] @ np.array([2, 3, 4, 1.0])), float(STORED[2, 3, 4]) * 2.0 - 1000.0)
    right = Right(
        voxels={"tumor": 20}, value_at=at, centroid_mm=tuple(affine[:3] @ np.array([1, 2.5, 4, 1.0])), n_cases=1
    )
    return right, Sent("", shape=(5, 7, 11), value_at=at)


def _sagittal(data: Dataset, k: int) -> None:
    data.SpacingBetweenSlices = "3"


def _nothing(data: Dataset, k: int) -> None:
    """Leave the slice as it is."""


def _negative_distance(data: Dataset, k: int) -> None:
    data.SpacingBetweenSlices = "-3"


def _numbered_backwards(data: Dataset, k: int) -> None:
    data.InstanceNumber = 5 - k
    data.SliceLocation = str(-3.0 * k)


def _tilted(data: Dataset, k: int) -> None:
    position = np.array(ORIGIN_MM) + 3.0 * k * np.array(OBLIQUE[2]) + 0.7 * k * np.array(OBLIQUE[1])
    data.ImagePositionPatient = [f"{v:.8f}" for v in position]
    data.GantryDetectorTilt = "13"


def _stretched(data: Dataset, k: int) -> None:
    position = np.array(ORIGIN_MM) + (3.0 * k + (3.0 if k > 2 else 0.0)) * np.array(OBLIQUE[2])
    data.ImagePositionPatient = [f"{v:.8f}" for v in position]


def _mosaic(data: Dataset, k: int) -> None:
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]


def _echo(data: Dataset, k: int) -> None:
    data.EchoTime = "40"


def _phase(data: Dataset, k: int) -> None:
    data.ImageType = ["ORIGINAL", "PRIMARY", "P", "ND"]


def _mean(data: Dataset, k: int) -> None:
    data.ImageType = ["DERIVED", "SECONDARY", "MEAN"]


def _diffusion(data: Dataset, k: int) -> None:
    data.DiffusionBValue = 800.0


def _two_volumes(folder: Path) -> None:
    def twice(data: Dataset) -> None:
        data.PerFrameFunctionalGroupsSequence = [*data.PerFrameFunctionalGroupsSequence] * 2
        data.NumberOfFrames, data.PixelData = 10, data.PixelData * 2

    _enhanced(folder, change=twice)


def _enhanced(folder: Path, **values: object) -> None:
    series = write_multiframe(folder / "images" / "all.dcm", **values)
    write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]})


def _dose(folder: Path, series: WrittenSeries) -> None:
    """A dose on a grid of its own, as one file of many frames."""
    data = pydicom.dcmread(series.paths[0])
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"
    data.SOPInstanceUID, data.SeriesInstanceUID, data.Modality = f"{ROOT}.70.1", f"{ROOT}.70", "RTDOSE"
    data.NumberOfFrames, data.GridFrameOffsetVector, data.DoseGridScaling = 1, ["0"], "0.01"
    data.save_as(folder / "dose.dcm")


def _screenshot(path: Path, number: int) -> None:
    if number == 4:
        data = pydicom.dcmread(path)
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit, data.PixelRepresentation, data.PixelData = 7, 0, bytes(7 * 11 * 3 + 1)
        data.save_as(path)


def _missing(path: Path, number: int) -> None:
    if number == 2:
        path.unlink()


def _without_place(data: Dataset, k: int) -> None:
    del data.ImagePositionPatient, data.ImageOrientationPatient, data.FrameOfReferenceUID


def _two_studies(folder: Path) -> None:
    for number in (1, 2):
        uid = f"{ROOT}.30.{number}"
        series = write_series(folder / str(number), study_uid=uid, change=_same_day)
        write_rtstruct(folder / str(number) / "rs.dcm", series, {"GTV": [(1, CORNERS)]})


def _same_day(data: Dataset, k: int) -> None:
    data.StudyID = ""


def _two_patients_in_one_study(folder: Path, series: WrittenSeries) -> None:
    data = pydicom.dcmread(series.paths[4])
    data.PatientID = "OTHER"
    data.save_as(series.paths[4])


def _single_slice(folder: Path) -> None:
    series = write_series(
        folder / "images",
        shape=(1, 7, 11),
        stored=STORED[:1],
        change=lambda data, _: setattr(data, "SpacingBetweenSlices", "-3"),
    )
    write_rtstruct(folder / "rs.dcm", series, {"GTV": [(0, CORNERS)]})


FAULTS = (
    Fault(
        "series-in-sagittal-slices",
        "rt-utils#32",
        "Outlines were drawn as if every series were axial.",
        "Read by the cosines of the slices.",
        changed(_sagittal, orientation=SAGITTAL),
        *_turned(SAGITTAL),
    ),
    Fault(
        "series-in-oblique-slices",
        "platipy#165",
        "z was taken for the same along a whole slice: slices were missing from the mask.",
        "Read by the cosines of the slices.",
        changed(_nothing),
        READ,
        SENT,
    ),
    Fault(
        "series-with-rows-towards-the-front",
        "TotalSegmentator#598",
        "Rows that run from back to front were turned over as if they ran from front to back.",
        "Read by the cosines of the slices.",
        changed(_nothing, orientation=UPSIDE_DOWN),
        *_turned(UPSIDE_DOWN),
    ),
    Fault(
        "series-of-a-prone-patient",
        "OHIF#2163",
        "Images were shown upside down.",
        "Read by the cosines of the slices.",
        changed(_nothing, orientation=PRONE),
        *_turned(PRONE),
    ),
    Fault(
        "series-with-a-distance-below-0",
        "Slicer#7987",
        "Spacing Between Slices of -3 scrambled the volume.",
        "The positions decide; the attribute is not looked at.",
        changed(_negative_distance),
        READ,
        SENT,
    ),
    Fault(
        "slice-alone-with-a-distance-below-0",
        "ITK#4794",
        "One slice with a distance of -3 mm became a volume of spacing -3 or 1.",
        "The distance counts without its sign.",
        _single_slice,
        Right(voxels={"tumor": 20}, n_cases=1, rejected=()),
        Sent("", shape=(1, 7, 11)),
    ),
    Fault(
        "series-numbered-backwards",
        "SimpleITK#1609",
        "Slices sorted by name or number gave another origin and spacing than their positions.",
        "The positions decide.",
        changed(_numbered_backwards),
        READ,
        SENT,
    ),
    Fault(
        "series-that-lacks-a-slice",
        "ITK#441",
        "Spacing was taken from the first two slices, or from the first and last: a gap changed every place.",
        "Refused: `missing_slice`.",
        edited(_missing),
        refused("missing_slice"),
        not_sent("missing_slice"),
    ),
    Fault(
        "series-of-uneven-distances",
        "dcmstack#55",
        "One step of 3.2 mm among steps of 1.6: refused by one tool, stretched by another.",
        "Refused by name.",
        changed(_stretched),
        refused("missing_slice"),
        not_sent("missing_slice"),
    ),
    Fault(
        "series-of-a-tilted-gantry",
        "dcm2niix#253",
        "The tilt was dropped, or corrected by an angle whose sign makers do not agree on.",
        "Refused: `gantry_tilt`.",
        changed(_tilted),
        refused("gantry_tilt"),
        not_sent("gantry_tilt"),
    ),
    Fault(
        "series-of-mosaics",
        "dcm2niix#348",
        "Many slices side by side as one picture were taken for one slice.",
        "Refused: `mosaic`.",
        changed(_mosaic, modality="MR"),
        refused("mosaic"),
        not_sent("mosaic"),
        ingest=ON_MR,
    ),
    Fault(
        "series-of-two-echoes",
        "dcm2niix#209",
        "Echoes of one series were stacked on one another: four brains in a row.",
        "Refused: `duplicate_slice_position`.",
        with_beside(lambda folder, series: copied(folder, series, "echo", _echo), modality="MR"),
        refused("duplicate_slice_position"),
        not_sent("duplicate_slice_position"),
        ingest=ON_MR,
    ),
    Fault(
        "series-of-magnitude-and-phase",
        "dcm2niix#626",
        "Magnitude and phase took turns in one series, and in the volume made of it.",
        "Refused: `duplicate_slice_position`.",
        with_beside(lambda folder, series: copied(folder, series, "phase", _phase), modality="MR"),
        refused("duplicate_slice_position"),
        not_sent("duplicate_slice_position"),
        ingest=ON_MR,
    ),
    Fault(
        "series-with-its-own-mean",
        "dcm2niix#300",
        "Two derived images under one series UID made a striped volume.",
        "Refused: `duplicate_slice_position`.",
        with_beside(lambda folder, series: copied(folder, series, "mean", _mean), modality="MR"),
        refused("duplicate_slice_position"),
        not_sent("duplicate_slice_position"),
        ingest=ON_MR,
    ),
    Fault(
        "series-of-several-b-values",
        "dcm2niix#383",
        "Weightings of diffusion were separated here and mixed there.",
        "Refused: `duplicate_slice_position`.",
        with_beside(lambda folder, series: copied(folder, series, "b800", _diffusion), modality="MR"),
        refused("duplicate_slice_position"),
        not_sent("duplicate_slice_position"),
        ingest=ON_MR,
    ),
    Fault(
        "enhanced-image-of-two-volumes",
        "dcm2niix#853",
        "Frames of two times in one file were stacked as one volume.",
        "Refused: `duplicate_slice_position`.",
        _two_volumes,
        refused("duplicate_slice_position"),
        not_sent("duplicate_slice_position"),
    ),
    Fault(
        "enhanced-image-with-frames-in-any-order",
        "OHIF#4421",
        "Frames were taken in the order stored: masks lay on mirrored slices.",
        "Sorted by position.",
        _enhanced,
        READ,
        SENT,
    ),
    Fault(
        "ct-with-a-dose-beside-it",
        "dcmrtstruct2nii#25",
        "The dose, found first, was taken for the image.",
        "The series of the channel's modality is taken.",
        with_beside(_dose),
        READ,
        SENT,
    ),
    Fault(
        "ct-with-a-screenshot-among-its-slices",
        "",
        "A color picture among slices stopped the conversion, or became a slice.",
        "Refused by name.",
        edited(_screenshot),
        refused("not_grayscale", "unreadable_file"),
        not_sent("not_grayscale", "unreadable_file"),
    ),
    Fault(
        "image-without-a-place",
        "highdicom#159",
        "Mammography has no position, orientation or frame of reference; made-up ones placed the mask anywhere.",
        "Refused: `missing_geometry`.",
        changed(_without_place),
        refused("missing_geometry"),
        not_sent("missing_geometry"),
    ),
    Fault(
        "mr-as-it-is",
        "",
        "(MR has values without a unit)",
        "Read as stored.",
        changed(_nothing, modality="MR"),
        READ_MR,
        SENT_MR,
        ingest=ON_MR,
    ),
    Fault(
        "two-studies-of-one-day",
        "DICOMAnonymizer#19",
        "Studies without an ID of one patient and day were merged.",
        "Studies are told by their UID: two cases of one patient.",
        _two_studies,
        Right(voxels={"tumor": 40}, n_cases=2, n_patients=1, rejected=()),
    ),
    Fault(
        "two-patients-in-one-study",
        "RSNA-anonymizer#18",
        "An archive mixed the IDs of two patients in one study.",
        "Refused: `mixed_patients`.",
        with_beside(_two_patients_in_one_study),
        refused("mixed_patients"),
        not_sent("mixed_patients"),
    ),
)
