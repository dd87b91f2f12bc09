"""What a DICOM series, and what series beside one another, say of where their voxels lie."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from faults.corpus.fault import CT, MR, PET, Fault, Right, Sent, ingest_section
from support.dicom_factory import (
    AXIAL,
    CORONAL,
    FRAME_UID,
    ROOT,
    WrittenSeries,
    write_multiframe,
    write_registration,
    write_rtstruct,
    write_series,
)

CORNERS = [(0.5, 1.5), (0.5, 6.5), (4.5, 6.5), (4.5, 1.5)]
ORIGIN_MM = (-31.5, 12.25, 400.75)
OTHER_FRAME = f"{ROOT}.1.10"
#: A quarter turn about the z-axis, and back to where the CT lies: (x, y, z) -> (-y - 16, x + 47, z + 2).
TURN = np.array([[0, -1, 0, -16.0], [1, 0, 0, 47.0], [0, 0, 1, 2.0], [0, 0, 0, 1]])

Change = Callable[[Dataset, int], None]


def _ct(folder: Path) -> None:
    series = write_series(folder / "CT")
    write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS), (2, CORNERS)]})


def _of_patients(*patients: tuple[str, str]) -> Callable[[Path], None]:
    """Return what writes a CT for each patient's ID and birth date, with 20 voxels outlined, all else alike."""

    def make(folder: Path) -> None:
        for number, (patient, born) in enumerate(patients):
            ct = write_series(
                folder / str(number),
                patient_id=patient,
                study_uid=f"{ROOT}.70.{number}",
                change=setting(PatientBirthDate=born),
            )
            write_rtstruct(folder / str(number) / "rs.dcm", ct, {"GTV": [(1, CORNERS)]})

    return make


def setting(slices: Sequence[int] = range(99), **values: Any) -> Change:
    """Return a change that sets attributes of some slices; None takes one out, a function is told the slice's number."""

    def change(data: Dataset, k: int) -> None:
        for keyword, value in values.items() if k in slices else ():
            told = value(k) if callable(value) else value
            if told is None:
                del data[keyword]
            else:
                setattr(data, keyword, told)

    return change


def placed(heights: Sequence[float], digits: int = 8, beside: Sequence[float] | None = None) -> Change:
    """Return a change that puts slices at these heights, written with so many decimals, and beside their line."""

    def change(data: Dataset, k: int) -> None:
        x = ORIGIN_MM[0] + (beside[k] if beside is not None else 0.0)
        data.ImagePositionPatient = [f"{v:.{digits}f}" for v in (x, ORIGIN_MM[1], heights[k])]

    return change


def stack(heights: Sequence[float], digits: int = 8, beside: Sequence[float] | None = None) -> Callable[[Path], None]:
    """Return what writes an axial CT of slices at these heights, outlined on its second slice."""

    def make(folder: Path) -> None:
        series = write_series(
            folder / "CT",
            shape=(len(heights), 7, 11),
            orientation=AXIAL,
            origin_mm=(*ORIGIN_MM[:2], heights[0]),
            spacing_mm=(heights[1] - heights[0], 0.8, 0.5),
            change=placed(heights, digits, beside),
        )
        write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]})

    return make


def changed(change: Change, modality: str = "CT", **values: Any) -> Callable[[Path], None]:
    """Return what writes one series, changed, and its outline."""

    def make(folder: Path) -> None:
        series = write_series(folder / modality, modality=modality, change=change, **values)
        write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]})

    return make


def beside(n: int, change: Change, modality: str = "CT", **values: Any) -> Callable[[Path], None]:
    """Return what writes the good study and a series of n images beside it."""

    def make(folder: Path) -> None:
        series = write_series(folder / "stack", modality=modality, description="stack")
        write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]})
        write_series(
            folder / "beside", modality=modality, description="beside", shape=(n, 7, 11), change=change, **values
        )

    return make


def rgb(data: Dataset, k: int) -> None:
    """Make a color picture of an image."""
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = bytes(data.Rows * data.Columns * 3 + 1)


def dose_report(data: Dataset, k: int) -> None:
    """Make a capture in color of an image."""
    rgb(data, k)
    data.SOPClassUID = SecondaryCaptureImageStorage
    del data.ImagePositionPatient, data.ImageOrientationPatient, data.PixelSpacing


def volumes_of(keyword: str, values: tuple[Any, Any]) -> Callable[[Path], None]:
    """Return what writes an MR of two volumes in one series, slice by slice."""

    def change(data: Dataset, k: int) -> None:
        setattr(data, keyword, values[k % 2])
        placed([3.0 * (k // 2) for k in range(6)])(data, k)

    return changed(change, "MR", shape=(6, 7, 11), orientation=AXIAL)


def petct(
    pet_frame: str = FRAME_UID, origin_mm: tuple[float, float, float] = ORIGIN_MM, change: Change | None = None
) -> Callable[[Path], tuple[WrittenSeries, WrittenSeries]]:
    """Return what writes a CT and a PET, outlined on the CT."""

    def make(folder: Path) -> tuple[WrittenSeries, WrittenSeries]:
        ct = write_series(folder / "CT", orientation=AXIAL, change=change)
        pet = write_series(
            folder / "PT",
            modality="PT",
            orientation=AXIAL,
            frame_uid=pet_frame,
            origin_mm=origin_mm,
            shape=(5, 24, 24),
            spacing_mm=(3.0, 0.8, 0.8),
            change=change,
        )
        write_rtstruct(folder / "rs.dcm", ct, {"GTV": [(1, CORNERS)]})
        return ct, pet

    return make


def registered(matrix: np.ndarray, kind: str = "RIGID") -> Callable[[Path], None]:
    """Return what writes a CT and a PET in two frames of reference, and what joins them."""

    def name_kind(data: Dataset) -> None:
        item = data.RegistrationSequence[0].MatrixRegistrationSequence[0].MatrixSequence[0]
        item.FrameOfReferenceTransformationMatrixType = kind

    def make(folder: Path) -> None:
        # Turned, the PET's corner (-36, 15, 398.75) lies at (-31, 11, 400.75) less what a quarter turn makes of its size.
        petct(OTHER_FRAME, (-36.0, -3.0, 398.75))(folder)
        write_registration(folder / "reg.dcm", FRAME_UID, {OTHER_FRAME: matrix}, change=name_kind)

    return make


def two_sessions(folder: Path) -> None:
    """Write T1 and T2 of two studies into one folder."""
    for n, name in enumerate(("T1", "T2"), 1):
        write_series(folder / name, modality="MR", description=name, study_uid=f"{ROOT}.{n}", frame_uid=f"{ROOT}.{n}.9")


def without_frame(folder: Path) -> None:
    """Write a CT and a PET that say no frame of reference."""
    petct()(folder)
    for path in (*(folder / "CT").iterdir(), *(folder / "PT").iterdir(), folder / "rs.dcm"):
        data = pydicom.dcmread(path)
        if "FrameOfReferenceUID" in data:
            del data.FrameOfReferenceUID
        if data.Modality == "RTSTRUCT":
            data.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = ""
            del data.ReferencedFrameOfReferenceSequence
        data.save_as(path)


def three_planes(data: Dataset) -> None:
    """Turn one frame of an enhanced image."""
    plane = Dataset()
    plane.ImageOrientationPatient = [*CORONAL[0], *CORONAL[1]]
    data.PerFrameFunctionalGroupsSequence[2].PlaneOrientationSequence = [plane]


def framed(change: Callable[[Dataset], None] | None = None) -> Callable[[Path], None]:
    """Return what writes an enhanced CT whose frames are stored in an order of their own, and its outline."""

    def make(folder: Path) -> None:
        series = write_multiframe(folder / "image.dcm", change=change)
        write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]})

    return make


def outlined_elsewhere(folder: Path) -> None:
    """Write the good study with an outline in another frame of reference."""
    series = write_series(folder / "CT")

    def other(data: Dataset) -> None:
        data.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = OTHER_FRAME
        data.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = OTHER_FRAME

    write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]}, change=other)


def read(
    name: str,
    source: str,
    met: str,
    answer: str,
    make: Callable[[Path], object],
    *,
    notes: tuple[str, ...] = (),
    shape: tuple[int, int, int] = (5, 7, 11),
    channels: Any = CT,
    formats: tuple[str, ...] = (),
    **right: Any,
) -> Fault:
    """A study that is read, its outline of 20 voxels where it was drawn."""
    return Fault(
        name,
        source,
        met,
        answer,
        make,
        Right(voxels={"tumor": 20}, n_cases=1, rejected=(), notes=notes, **right),
        Sent("", shape=shape, formats=formats),
        ingest_section(channels),
    )


def refused(
    name: str, source: str, met: str, answer: str, make: Callable[[Path], object], *reasons: str, channels: Any = CT
) -> Fault:
    """A study that is refused by name."""
    right, sent = Right(refused=reasons), Sent("", refused=reasons)
    return Fault(name, source, met, answer, make, right, sent, ingest_section(channels))


PETCT = CT | PET
JITTER = (0.03, -0.04, 0.02, 0.04, -0.03, -0.01, 0.04, -0.04)

FAULTS = (
    Fault(
        "patient-id-with-blanks-before-it",
        "",
        "One patient's ID was typed with a blank before it in one of two studies: two patients, one in training, one in test.",
        "One patient: blanks around an ID mean nothing.",
        _of_patients((" P7", "19700102"), ("P7", "19700102")),
        Right(voxels={"tumor": 40}, n_cases=2, n_patients=1, rejected=()),
    ),
    Fault(
        "patient-id-that-everybody-has",
        "",
        "An anonymizer gave all patients one ID: all became one patient.",
        "Told apart by birth date, name and sex, and said.",
        _of_patients(("ANONYMOUS", "19700102"), ("ANONYMOUS", "19810203"), ("ANONYMOUS", "19700102")),
        Right(voxels={"tumor": 60}, n_cases=3, n_patients=2, rejected=()),
    ),
    Fault(
        name="one-ct-with-its-outline",
        source="",
        met="(the good study that the others harm)",
        answer="Read: 4 x 5 voxels on two slices.",
        make=_ct,
        right=Right(voxels={"tumor": 40}, n_cases=1, n_patients=1, rejected=()),
        sent=Sent("", shape=(5, 7, 11)),
    ),
    read(
        "positions-in-hundredths",
        "moloney/dcmstack#55",
        "Slices 0.625 mm apart with positions of two decimals: single steps differ by 1.6 % and the series was refused.",
        "Read: no slice lies further from the even grid than it was rounded by.",
        stack([0.625 * k - 100.0 for k in range(12)], 2),
        shape=(12, 7, 11),
        formats=("dicom-seg",),
    ),
    read(
        "positions-in-tenths",
        "dcm2niix#216",
        "Slices 1.25 mm apart with positions of one decimal: steps of 1.2 and 1.3 mm.",
        "Read, and said.",
        stack([1.25 * k - 100.0 for k in range(12)], 1),
        shape=(12, 7, 11),
        notes=("uneven_positions",),
        formats=("dicom-seg",),
    ),
    read(
        "positions-that-jitter",
        "",
        "Every position of a PET lies within 0.04 mm of one line, in all directions.",
        "Read on the line through all of them, and said.",
        stack([2.0 * k - 100.0 + j for k, j in enumerate(JITTER)], 8, JITTER[::-1]),
        shape=(8, 7, 11),
        notes=("uneven_positions",),
        formats=("dicom-seg",),
    ),
    refused(
        "a-slice-is-missing",
        "Slicer/Slicer#951",
        "One file of a series is missing, and the spacing came out wrong.",
        "Refused.",
        stack([0.625 * k - 100.0 for k in (0, 1, 2, 4, 5, 6)], 2),
        "missing_slice",
    ),
    refused(
        "a-slice-half-a-step-off",
        "DIAGNijmegen/rse-panimg#7",
        "One slice lies between two places of the grid.",
        "Refused.",
        stack([0.625 * (k + 0.5 * (k == 3)) - 100.0 for k in range(8)], 2),
        "irregular_spacing",
    ),
    refused(
        "two-spacings-in-one-series",
        "rordenlab/dcm2niix#22",
        "A head CT of 2.5 mm slices below and 7.5 mm above.",
        "Refused.",
        stack([0, 2.5, 5, 7.5, 10, 17.5, 25, 32.5]),
        "irregular_spacing",
        "missing_slice",
    ),
    refused(
        "a-tilted-gantry",
        "dgobbi/vtk-dicom#27",
        "The gantry was tilted: slices are shifted sideways one by one.",
        "Refused.",
        stack([3.0 * k for k in range(6)], 8, [0.8 * k for k in range(6)]),
        "gantry_tilt",
    ),
    refused(
        "two-phases-in-one-series",
        "Project-MONAI/monai-deploy-app-sdk#532",
        "Two phases of contrast lie in one series: slices of one came between those of the other.",
        "Refused, and what they differ in is said.",
        volumes_of("AcquisitionNumber", (1, 2)),
        "duplicate_slice_position",
        channels=MR,
    ),
    refused(
        "several-echoes-in-one-series",
        "icometrix/dicom2nifti#70",
        "The echoes of a sequence lie in one series and were stacked as one volume of five times the height.",
        "Refused.",
        volumes_of("EchoTime", ("2.3", "4.6")),
        "duplicate_slice_position",
        channels=MR,
    ),
    refused(
        "several-b-values-in-one-series",
        "OHIF/Viewers#1066",
        "Diffusion weights lie in one series, sorted by position alone.",
        "Refused.",
        volumes_of("DiffusionBValue", (0.0, 800.0)),
        "duplicate_slice_position",
        channels=MR,
    ),
    refused(
        "several-time-points-in-one-series",
        "rordenlab/dcm2niix#853",
        "Time points of a dynamic series lie in one series.",
        "Refused.",
        volumes_of("TemporalPositionIdentifier", (1, 2)),
        "duplicate_slice_position",
        channels=MR,
    ),
    read(
        "frames-stored-in-any-order",
        "rordenlab/dcm2niix#839",
        "Frames of an enhanced image are stored in another order than they lie in.",
        "Read where their functional groups say.",
        framed(),
        formats=("dicom-seg",),
    ),
    refused(
        "planes-of-three-directions-in-one-image",
        "rordenlab/dcm2niix#894",
        "An enhanced localizer of three planes was stacked as one volume.",
        "Refused.",
        framed(three_planes),
        "mixed_orientation",
    ),
    refused(
        "a-localizer-within-the-series",
        "dgobbi/vtk-dicom#98",
        "The first image of a series is its localizer.",
        "Refused.",
        changed(setting([0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
        "localizer",
    ),
    read(
        "a-localizer-beside-the-series",
        "icometrix/dicom2nifti#60",
        "A localizer of the same modality lies beside the series.",
        "Read without it.",
        beside(2, setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])),
    ),
    read(
        "a-dose-report-beside-the-series",
        "",
        "A dose report, a color capture of modality CT without positions, lies beside the series.",
        "Read without it, and said.",
        beside(1, dose_report),
        notes=("series_left_out",),
    ),
    read(
        "a-fused-picture-beside-the-series",
        "",
        "Fused PET and CT in color, with positions, lie beside the series.",
        "Read without them, and said.",
        beside(5, rgb),
        notes=("series_left_out",),
    ),
    read(
        "projections-beside-the-series",
        "",
        "Maximum intensity projections made from the series lie beside it.",
        "Read without them, and said.",
        beside(4, setting(ImageType=["DERIVED", "SECONDARY", "MIP"]), orientation=CORONAL),
        notes=("series_left_out",),
    ),
    read(
        "bolus-monitoring-beside-the-series",
        "",
        "One slice was taken again and again to follow the contrast; or once, to place it.",
        "Read without it, and said.",
        beside(4, setting(ImagePositionPatient=[0, 0, 0])),
        notes=("series_left_out",),
    ),
    read(
        "pet-without-attenuation-correction-beside-the-one-with-it",
        "OHIF/Viewers#2898",
        "A PET without attenuation correction lies beside the one with it, and broke the reading of both.",
        "Read without it, and said.",
        beside(5, setting(CorrectedImage=["DECY"]), "PT"),
        channels=PET,
        notes=("series_left_out",),
    ),
    refused(
        "two-reconstructions",
        "",
        "Two reconstructions of one scan, bone and soft tissue, fit the channel.",
        "Refused: the rule must say which.",
        beside(5, setting()),
        "ambiguous_series",
    ),
    refused(
        "pet-in-another-frame-of-reference",
        "OHIF/Viewers#3063",
        "CT and PET of one study have two frames of reference, as the patient was placed anew: they looked aligned and were not.",
        "Refused.",
        petct(OTHER_FRAME),
        "other_frame_of_reference",
        channels=PETCT,
    ),
    read(
        "pet-joined-by-a-registration",
        "cornerstonejs/cornerstone3D#1153",
        "A rigid registration in the study says how the two frames lie; it was passed over.",
        "Read, the PET moved by its matrix, and said.",
        registered(TURN),
        channels=PETCT,
        notes=("registered_channel",),
    ),
    refused(
        "pet-joined-by-a-registration-that-scales",
        "Slicer#7255",
        "The registration is none of a rigid body.",
        "Refused.",
        registered(TURN, "AFFINE"),
        "non_rigid_registration",
        channels=PETCT,
    ),
    read(
        "no-frame-of-reference",
        "",
        "De-identification removed the frames of reference.",
        "Read as one, when outlines and channels fit, and said.",
        without_frame,
        channels=PETCT,
        notes=("unknown_frame_of_reference",),
    ),
    Fault(
        "an-outline-in-another-frame-of-reference",
        "OHIF/Viewers#3537",
        "A structure set of another frame of reference was drawn over the series.",
        "Refused.",
        outlined_elsewhere,
        Right(refused=("outline_of_another_study",)),
    ),
    refused(
        "channels-that-do-not-overlap",
        "",
        "CT of the legs and PET of the head are in one frame of reference and in one study.",
        "Refused.",
        petct(origin_mm=(-31.5, 12.25, 1500.0)),
        "channels_do_not_overlap",
        channels=PETCT,
    ),
    Fault(
        "sequences-of-two-sessions",
        "",
        "T1 and T2 of two sessions lie in one folder and were taken for one examination.",
        "Refused: each study lacks a channel.",
        two_sessions,
        Right(refused=("missing_channel",)),
        Sent("", refused=("several_studies",)),
        ingest_section(
            {
                "T1": {"kind": "mr", "modality": "MR", "series_description": "T1"},
                "T2": {"kind": "mr", "modality": "MR", "series_description": "T2"},
            }
        ),
    ),
)
