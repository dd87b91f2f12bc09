"""Small DICOM studies written by hand: asymmetric, oblique, with the truth worked out apart from the product's code."""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    SpatialRegistrationStorage,
)

#: Along a row the column index grows (first), along a column the row index grows (second), their normal (third).
OBLIQUE = ((0.8, 0.6, 0.0), (-0.36, 0.48, 0.8), (0.48, -0.64, 0.6))
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
SHAPE = (5, 7, 11)
SPACING_MM = (3.0, 0.8, 0.5)
ORIGIN_MM = (-31.5, 12.25, 400.75)
SOP_CLASSES = {"CT": CTImageStorage, "PT": PositronEmissionTomographyImageStorage, "MR": MRImageStorage}
ROOT = "1.2.826.0.1.3680043.8.498"
STUDY_UID = f"{ROOT}.1"
FRAME_UID = f"{ROOT}.1.9"

Change = Callable[[Dataset, int], None]
Polygon = tuple[int, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class WrittenSeries:
    """What was written, and where its voxels lie by hand."""

    folder: Path
    paths: tuple[Path, ...]
    affine_by_hand: np.ndarray
    stored: np.ndarray
    series_uid: str
    study_uid: str
    frame_uid: str
    patient_id: str
    instance_uids: tuple[str, ...]
    sop_class: str

    def position(self, k: float, i: float, j: float) -> np.ndarray:
        """LPS position of slice k, row i, column j."""
        return self.affine_by_hand[:3] @ np.array([k, i, j, 1.0])


def affine_by_hand(spacing_mm=SPACING_MM, orientation=OBLIQUE, origin_mm=ORIGIN_MM) -> np.ndarray:
    """4 x 4 from (slice, row, column) to LPS mm, written out."""
    along_row, along_column, normal = (np.array(v) for v in orientation)
    affine = np.eye(4)
    affine[:3, 0] = normal * spacing_mm[0]
    affine[:3, 1] = along_column * spacing_mm[1]
    affine[:3, 2] = along_row * spacing_mm[2]
    affine[:3, 3] = origin_mm
    return affine


def stored_values(shape=SHAPE, seed: int = 3) -> np.ndarray:
    """Whole numbers, no two slices, rows or columns alike."""
    return np.random.default_rng(seed).integers(0, 3000, size=shape).astype(np.int16)


def write_series(
    folder: Path,
    *,
    modality: str = "CT",
    shape=SHAPE,
    spacing_mm=SPACING_MM,
    orientation=OBLIQUE,
    origin_mm=ORIGIN_MM,
    stored: np.ndarray | None = None,
    patient_id: str = "PATIENT^7",
    study_uid: str = STUDY_UID,
    series_uid: str | None = None,
    frame_uid: str = FRAME_UID,
    description: str = "",
    change: Change | None = None,
) -> WrittenSeries:
    """Write a series, its files named in an order that has nothing to do with where the slices lie."""
    stored = stored_values(shape) if stored is None else stored
    affine = affine_by_hand(spacing_mm, orientation, origin_mm)
    series_uid = series_uid or f"{study_uid}.{sum(map(ord, modality + description))}"
    folder.mkdir(parents=True, exist_ok=True)
    paths, uids = [], []
    for k in range(shape[0]):
        data = _new(SOP_CLASSES[modality], f"{series_uid}.{k + 1}", patient_id, study_uid, series_uid, modality)
        data.SeriesDescription, data.FrameOfReferenceUID = description, frame_uid
        data.ImageType, data.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], k + 1
        data.ImagePositionPatient = [f"{v:.8f}" for v in affine[:3] @ np.array([k, 0, 0, 1.0])]
        data.ImageOrientationPatient = [*orientation[0], *orientation[1]]
        data.PixelSpacing, data.SliceThickness = [spacing_mm[1], spacing_mm[2]], spacing_mm[0]
        data.RescaleSlope, data.RescaleIntercept = ("2", "-1000") if modality != "MR" else ("1", "0")
        if modality == "PT":
            _add_pet(data)
        _add_pixels(data, stored[k])
        if change is not None:
            change(data, k)
        path = folder / f"{(k * 7 + 3) % 97:02d}.dcm"
        data.save_as(path, enforce_file_format=True)
        paths.append(path)
        uids.append(str(data.SOPInstanceUID))
    return WrittenSeries(
        folder,
        tuple(paths),
        affine,
        stored,
        series_uid,
        study_uid,
        frame_uid,
        patient_id,
        tuple(uids),
        SOP_CLASSES[modality],
    )


def write_rtstruct(
    path: Path,
    series: WrittenSeries,
    rois: Mapping[str, Sequence[Polygon]],
    *,
    change: Callable[[Dataset], None] | None = None,
    lift_mm: float = 0.0,
) -> Path:
    """Write contours, given as (slice, corners in (row, column) index), on a series.

    The instances that the contours name do not exist, as in real collections.
    """
    data = _new(
        RTStructureSetStorage, f"{series.series_uid}.88", series.patient_id, series.study_uid, f"{ROOT}.88", "RTSTRUCT"
    )
    data.StructureSetLabel = "OUTLINES"
    referenced = _item(SeriesInstanceUID=series.series_uid, ContourImageSequence=[_instance(series, f"{ROOT}.404")])
    study = _item(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1",
        ReferencedSOPInstanceUID=series.study_uid,
        RTReferencedSeriesSequence=[referenced],
    )
    data.ReferencedFrameOfReferenceSequence = [
        _item(FrameOfReferenceUID=series.frame_uid, RTReferencedStudySequence=[study])
    ]
    data.StructureSetROISequence = [
        _item(ROINumber=n, ReferencedFrameOfReferenceUID=series.frame_uid, ROIName=name, ROIGenerationAlgorithm="")
        for n, name in enumerate(rois, 1)
    ]
    data.ROIContourSequence = []
    for number, polygons in enumerate(rois.values(), 1):
        contours = []
        for k, corners in polygons:
            normal = series.affine_by_hand[:3, 0] / np.linalg.norm(series.affine_by_hand[:3, 0])
            points = [series.position(k, i, j) + lift_mm * normal for i, j in corners]
            contours.append(
                _item(
                    ContourGeometricType="CLOSED_PLANAR",
                    NumberOfContourPoints=len(points),
                    ContourData=[f"{v:.6f}" for point in points for v in point],
                    ContourImageSequence=[_instance(series, f"{ROOT}.404")],
                )
            )
        item = _item(ReferencedROINumber=number, ROIDisplayColor=[255, 0, 0])
        if contours:
            item.ContourSequence = contours
        data.ROIContourSequence.append(item)
    if change is not None:
        change(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def write_segmentation(
    path: Path,
    series: WrittenSeries,
    segments: Mapping[str, np.ndarray],
    *,
    kind: str = "BINARY",
    slices: Sequence[int] | None = None,
    flip_rows: bool = False,
    box: tuple[slice, slice] = (slice(None), slice(None)),
    change: Callable[[Dataset], None] | None = None,
) -> Path:
    """Write a segmentation frame by frame, without highdicom.

    Args:
        path: The file.
        series: What was segmented.
        segments: Bool (slice, row, column) by segment label; shares 0..255 for `FRACTIONAL`.
        kind: `BINARY` or `FRACTIONAL`.
        slices: Slices that have a frame, in the order of the frames.
        flip_rows: Store each frame upside down, its orientation turned accordingly.
        box: Part of each slice that the frames hold.
        change: Applied last.
    """
    data = _new(SegmentationStorage, f"{ROOT}.77.1", series.patient_id, series.study_uid, f"{ROOT}.77", "SEG")
    data.FrameOfReferenceUID, data.ImageType = series.frame_uid, ["DERIVED", "PRIMARY"]
    data.SegmentationType = kind
    if kind == "FRACTIONAL":
        data.SegmentationFractionalType, data.MaximumFractionalValue = "PROBABILITY", 200
    data.ReferencedSeriesSequence = [_item(SeriesInstanceUID=series.series_uid)]
    data.SegmentSequence = [
        _item(SegmentNumber=n, SegmentLabel=name, SegmentAlgorithmType="MANUAL") for n, name in enumerate(segments, 1)
    ]
    affine = series.affine_by_hand
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    along_column = affine[:3, 1] / spacing[1] * (-1 if flip_rows else 1)
    along_row = affine[:3, 2] / spacing[2]
    data.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[f"{v:.8f}" for v in (*along_row, *along_column)])],
            PixelMeasuresSequence=[_item(PixelSpacing=[spacing[1], spacing[2]], SliceThickness=spacing[0])],
        )
    ]
    frames, groups = [], []
    n_rows, n_columns = next(iter(segments.values())).shape[1:]
    rows, columns = range(n_rows)[box[0]], range(n_columns)[box[1]]
    for number, mask in enumerate(segments.values(), 1):
        for k in range(mask.shape[0]) if slices is None else slices:
            frame = mask[k][box]
            frames.append(frame[::-1] if flip_rows else frame)
            corner = series.position(k, rows[-1] if flip_rows else rows[0], columns[0])
            groups.append(
                _item(
                    PlanePositionSequence=[_item(ImagePositionPatient=[f"{v:.8f}" for v in corner])],
                    SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=number)],
                )
            )
    data.PerFrameFunctionalGroupsSequence = groups
    bits = np.stack(frames)
    data.NumberOfFrames, data.Rows, data.Columns = bits.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    if kind == "BINARY":
        data.BitsAllocated = data.BitsStored = 1
        data.HighBit = 0
        content = np.packbits(bits.ravel().astype(bool), bitorder="little").tobytes()
    else:
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit = 7
        content = bits.astype(np.uint8).tobytes()
    data.PixelData = content + b"\0" * (len(content) % 2)
    if change is not None:
        change(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def _new(sop_class: str, uid: str, patient_id: str, study_uid: str, series_uid: str, modality: str) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = sop_class, uid
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = sop_class, uid, modality
    data.PatientID, data.PatientName, data.PatientSex, data.PatientBirthDate = patient_id, "Doe^Jane", "F", "19700102"
    data.StudyInstanceUID, data.SeriesInstanceUID = study_uid, series_uid
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = "20240229"
    data.StudyTime, data.SeriesTime, data.AcquisitionTime = "100000", "101500", "101530"
    data.StudyID, data.AccessionNumber, data.ReferringPhysicianName, data.SeriesNumber = "1", "A1", "House^G", 3
    data.Manufacturer, data.PatientPosition = "Kneebone Imaging", "HFS"
    data.PositionReferenceIndicator = ""
    return data


def _add_pixels(data: Dataset, stored: np.ndarray) -> None:
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, int(stored.dtype.kind == "i")
    data.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()


def _add_pet(data: Dataset) -> None:
    data.Units, data.DecayCorrection, data.CorrectedImage = "BQML", "START", ["DECY", "ATTN"]
    data.PatientWeight = "70"
    data.RescaleSlope, data.RescaleIntercept = "2", "0"
    data.RadiopharmaceuticalInformationSequence = [
        _item(
            RadiopharmaceuticalStartTime="091500",
            RadionuclideTotalDose="370000000",
            RadionuclideHalfLife="6588",
        )
    ]


def _instance(series: WrittenSeries, uid: str) -> Dataset:
    return _item(ReferencedSOPClassUID=series.sop_class, ReferencedSOPInstanceUID=uid)


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def write_multiframe(
    path: Path,
    *,
    order: Sequence[int] = (3, 0, 4, 1, 2),
    modality: str = "CT",
    slopes: Sequence[float] = (2.0, 2.0, 2.0, 2.0, 2.0),
    change: Callable[[Dataset], None] | None = None,
) -> WrittenSeries:
    """Write an enhanced image, its frames stored in an order of their own, rescaled each by its own slope.

    Args:
        path: The file.
        order: The slice that each frame shows.
        modality: `CT`, `MR` or `PT`.
        slopes: By frame; the intercept is -1000.
        change: Applied last.
    """
    stored, affine = stored_values(), affine_by_hand()
    sop_class = {"CT": EnhancedCTImageStorage, "MR": EnhancedMRImageStorage, "PT": EnhancedPETImageStorage}[modality]
    series_uid = f"{STUDY_UID}.66"
    data = _new(sop_class, f"{series_uid}.1", "PATIENT^7", STUDY_UID, series_uid, modality)
    data.FrameOfReferenceUID, data.ImageType = FRAME_UID, ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[*OBLIQUE[0], *OBLIQUE[1]])],
            PixelMeasuresSequence=[_item(PixelSpacing=[SPACING_MM[1], SPACING_MM[2]], SliceThickness=SPACING_MM[0])],
        )
    ]
    data.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[
                _item(ImagePositionPatient=[f"{v:.8f}" for v in affine[:3] @ np.array([k, 0, 0, 1.0])])
            ],
            PixelValueTransformationSequence=[
                _item(RescaleSlope=str(slope), RescaleIntercept="-1000", RescaleType="HU" if modality == "CT" else "US")
            ],
        )
        for k, slope in zip(order, slopes, strict=True)
    ]
    _add_pixels(data, stored[0])
    data.NumberOfFrames = len(order)
    data.PixelData = stored[list(order)].astype("<i2").tobytes()
    if change is not None:
        change(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    uid = str(data.SOPInstanceUID)
    return WrittenSeries(
        path.parent, (path,), affine, stored, series_uid, STUDY_UID, FRAME_UID, "PATIENT^7", (uid,), sop_class
    )


def write_registration(
    path: Path,
    frame_uid: str,
    matrices: Mapping[str, np.ndarray],
    *,
    uid: int = 1,
    patient_id: str = "PATIENT^7",
    study_uid: str = STUDY_UID,
    change: Callable[[Dataset], None] | None = None,
) -> Path:
    """Write a spatial registration: 4 x 4 matrices by frame of reference, each to bring its points to `frame_uid`."""
    instance = f"{ROOT}.66.{uid}"
    data = _new(SpatialRegistrationStorage, instance, patient_id, study_uid, f"{ROOT}.66", "REG")
    data.FrameOfReferenceUID, data.ContentLabel = frame_uid, "REGISTRATION"
    data.RegistrationSequence = [
        _item(
            FrameOfReferenceUID=frame,
            MatrixRegistrationSequence=[
                _item(
                    MatrixSequence=[
                        _item(
                            FrameOfReferenceTransformationMatrix=[float(v) for v in matrix.ravel()],
                            FrameOfReferenceTransformationMatrixType="RIGID",
                        )
                    ]
                )
            ],
        )
        for frame, matrix in matrices.items()
    ]
    if change is not None:
        change(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def put_raw(path: Path, tag: int, vr: bytes, content: bytes) -> None:
    """Put bytes, of any type, in place of a short element of a file's top level, as no library would write them."""
    data, whole = dcmread(path), path.read_bytes()
    old = data.get_item(tag)
    # The character set is decoded as the file is read.
    is_raw = hasattr(old, "value_tell")
    at, length = (old.value_tell, old.length) if is_raw else (old.file_tell, (len(old.value) + 1) // 2 * 2)
    start, end = at - 8, at + length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    content += b" " * (len(content) % 2)
    path.write_bytes(whole[:start] + head + vr + struct.pack("<H", len(content)) + content + whole[end:])
