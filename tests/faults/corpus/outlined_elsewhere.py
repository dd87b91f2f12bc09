"""DICOM outlines: segmentations in any order of frames, structure sets that belong to something else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import RLELossless

from faults.corpus.fault import CT, Fault, Right, ingest_section
from faults.corpus.made_dicom import CORNERS, READ, refused, segmented
from support.dicom_factory import ROOT, SHAPE, write_rtstruct, write_segmentation, write_series


def _structures(change=None, corners=CORNERS, slices=(1,)):
    def make(folder: Path) -> None:
        series = write_series(folder / "images")
        write_rtstruct(folder / "rs.dcm", series, {"GTV": [(k, corners) for k in slices]}, change=change)

    return make


def _other_frame(data: Dataset) -> None:
    data.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = f"{ROOT}.404"


def _other_patient(data: Dataset) -> None:
    data.PatientID = "SOMEBODY ELSE"


def _no_contours(data: Dataset) -> None:
    del data.ROIContourSequence[0].ContourSequence


def _wrong_instances(data: Dataset) -> None:
    """Name the first slice's instance as the source of every frame."""
    for group in data.PerFrameFunctionalGroupsSequence:
        source = Dataset()
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{ROOT}.404"
        derivation = Dataset()
        derivation.SourceImageSequence = [source]
        group.DerivationImageSequence = [derivation]


def _on_slices(drawn, frames):
    """Return what writes a segmentation that holds something on some slices, and has a frame on some."""

    def make(folder: Path) -> None:
        marked = np.zeros(SHAPE, dtype=bool)
        marked[list(drawn), 1:5, 2:7] = True
        write_segmentation(folder / "seg.dcm", write_series(folder / "images"), {"GTV": marked}, slices=frames)

    return make


def _of_two_series(*, kind: str, named: bool):
    """Return what writes two series on the same places, and outlines that name none; one by one their parts name the second's."""

    def make(folder: Path) -> None:
        write_series(folder / "CT", description="soft")
        other = write_series(folder / "CT lung", description="lung")
        source = Dataset()
        image = pydicom.dcmread(other.paths[1], stop_before_pixels=True)
        source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        derivation = Dataset()
        derivation.SourceImageSequence = [source]

        def change(data: Dataset) -> None:
            if kind == "RTSTRUCT":
                data.FrameOfReferenceUID = other.frame_uid
                del data.ReferencedFrameOfReferenceSequence
                if named:
                    data.ROIContourSequence[0].ContourSequence[0].ContourImageSequence = [source]
            else:
                del data.ReferencedSeriesSequence
                if named:
                    data.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence = [derivation]

        if kind == "RTSTRUCT":
            write_rtstruct(folder / "rs.dcm", other, {"GTV": [(1, CORNERS)]}, change=change)
        else:
            marked = np.zeros(SHAPE, dtype=bool)
            marked[1, 1:5, 2:7] = True
            write_segmentation(folder / "seg.dcm", other, {"GTV": marked}, change=change)

    return make


SOFT = ingest_section({"CT": {"kind": "ct", "modality": "CT", "series_description": "soft"}})


def _exchanged(data: Dataset) -> None:
    measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.PixelSpacing = list(measures.PixelSpacing)[::-1]


def _frames_turned(data: Dataset) -> None:
    """Store each frame column by column, with its sizes exchanged and its orientation kept."""
    pixels = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    data.Rows, data.Columns = data.Columns, data.Rows
    data.PixelData = pack_bits(np.ascontiguousarray(pixels.transpose(0, 2, 1)).ravel())


def _without_places(data: Dataset) -> None:
    for group in data.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence


def _run_length_coded(data: Dataset) -> None:
    """Keep one byte a pixel, compressed, as some archives do."""
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), bitorder="little")
    frames = bits[: data.NumberOfFrames * data.Rows * data.Columns].reshape(-1, data.Rows, data.Columns)
    data.SegmentationType, data.SegmentationFractionalType, data.MaximumFractionalValue = "FRACTIONAL", "OCCUPANCY", 1
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelData = 7, frames.astype(np.uint8).tobytes() + b"\0" * (frames.size % 2)
    data.compress(RLELossless, generate_instance_uid=False)


def _offset(data: Dataset) -> None:
    data.ROIContourSequence[0].ContourSequence[0].ContourOffsetVector = [0, 0, 3]


def _without_last_frame(data: Dataset) -> None:
    """Take all voxels out of the last frame."""
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), bitorder="little")
    bits[(data.NumberOfFrames - 1) * data.Rows * data.Columns :] = 0
    data.PixelData = np.packbits(bits, bitorder="little").tobytes()


def _second_segment_is_empty(folder: Path) -> None:
    series = write_series(folder / "images")
    marked = np.zeros(SHAPE, dtype=bool)
    marked[1, 1:5, 2:7] = True

    def describe_one_more(data: Dataset) -> None:
        more = Dataset()
        more.SegmentNumber, more.SegmentLabel, more.SegmentAlgorithmType = 2, "GTV 2", "MANUAL"
        data.SegmentSequence = [*data.SegmentSequence, more]

    write_segmentation(folder / "seg.dcm", series, {"GTV": marked}, change=describe_one_more)


def _one_object_a_label(folder: Path) -> None:
    series = write_series(folder / "images")
    liver, tumor = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    liver[1, 0:6, 0:9] = tumor[1, 1:5, 2:7] = True
    write_segmentation(folder / "liver.dcm", series, {"liver": liver})

    def another(data: Dataset) -> None:
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.77.2"

    write_segmentation(folder / "tumor.dcm", series, {"tumor": tumor}, change=another)


LIVER_AND_TUMOR = ingest_section(
    CT, {"liver": 1, "tumor": 2}, outlines=[{"pattern": name, "label": name} for name in ("liver", "tumor")]
)
FAULTS = (
    Fault(
        "segmentation-of-each-label-in-a-file-of-its-own",
        "",
        "Liver and tumor stand in two segmentations: one was taken, or the study refused.",
        "Read together, and said; the tumor lies in the liver.",
        _one_object_a_label,
        Right(voxels={"liver": 34, "tumor": 20}, n_cases=1, rejected=(), notes=("several_outlines",)),
        ingest=LIVER_AND_TUMOR,
    ),
    Fault(
        "segmentation-with-two-frames-of-one-place",
        "",
        "Two frames of one segment lie on one slice and are not the same: they were united.",
        "Refused: which of them is meant is unknown.",
        segmented(_without_last_frame, slices=(0, 1, 2, 1)),
        refused("duplicate_slice_position"),
    ),
    Fault(
        "segmentation-with-a-frame-twice",
        "",
        "The same frame of a segment is there twice.",
        "It counts once.",
        segmented(slices=(0, 1, 2, 1)),
        READ,
    ),
    Fault(
        "contour-with-an-offset",
        "",
        "A contour is told 3 mm beside where it lies, by the retired Contour Offset Vector, which was passed over.",
        "Refused: `contour_offset`.",
        _structures(_offset),
        refused("contour_offset"),
    ),
    Fault(
        "segmentation-stored-upside-down",
        "OHIF#3420",
        "Frames whose rows run the other way than the image's were shown mirrored.",
        "Each frame is placed by its own orientation.",
        segmented(flip_rows=True),
        READ,
    ),
    Fault(
        "segmentation-with-frames-in-reverse-order",
        "OHIF#3754",
        "Frames were laid on slices in the order stored.",
        "Each frame is placed by its own position.",
        segmented(slices=(4, 3, 2, 1, 0)),
        READ,
    ),
    Fault(
        "segmentation-without-its-empty-frames",
        "dcmqi#513",
        "A segmentation of fewer frames than slices did not fit the image, or began at its first slice.",
        "Each frame is placed by its own position; slices without one are empty.",
        segmented(slices=(1,)),
        READ,
    ),
    Fault(
        "segmentation-of-a-part-of-each-slice",
        "OHIF#1761",
        "Frames were taken to begin where the slice begins.",
        "Each frame is placed by its own position.",
        segmented(box=(slice(1, 6), slice(2, 9))),
        READ,
    ),
    Fault(
        "segmentation-whose-frames-name-other-images",
        "Weasis#816",
        "The image that a frame names was believed more than the position it has.",
        "The position decides.",
        segmented(_wrong_instances),
        READ,
    ),
    Fault(
        "segmentation-with-bits-across-bytes",
        "pydicom#627",
        "Frames of 77 bits do not end with a byte, and bits are counted from the low end: masks were scrambled.",
        "Read bit by bit.",
        segmented(slices=(0, 1, 2)),
        READ,
    ),
    Fault(
        "segmentation-run-length-coded",
        "dicomweb-client#93",
        "Run-length coded files did not open.",
        "Read.",
        segmented(_run_length_coded),
        READ,
    ),
    Fault(
        "segmentation-with-a-segment-without-frames",
        "highdicom#338",
        "A segment that is described and has no frame: lost, or an error.",
        "It says that nothing is there.",
        _second_segment_is_empty,
        READ,
    ),
    Fault(
        "structure-set-of-another-frame-of-reference",
        "rt-utils#29",
        "A structure set was written with a frame of reference of its own.",
        "Refused: `outline_of_another_study`.",
        _structures(_other_frame),
        refused("outline_of_another_study"),
    ),
    Fault(
        "structure-set-that-names-another-series-in-its-contours-alone",
        "qurit/rt-utils#10",
        "A structure set names no series as a whole; the images of its contours, of another phase, were not looked at.",
        "Refused where these images are there: `outline_of_another_study`.",
        _of_two_series(kind="RTSTRUCT", named=True),
        refused("outline_of_another_study"),
        ingest=SOFT,
    ),
    Fault(
        "segmentation-that-names-another-series-in-its-frames-alone",
        "",
        "A segmentation names no series as a whole; the images that its frames were drawn on, of another phase, were not looked at.",
        "Refused where these images are there: `outline_of_another_study`.",
        _of_two_series(kind="SEG", named=True),
        refused("outline_of_another_study"),
        ingest=SOFT,
    ),
    Fault(
        "structure-set-that-names-no-series",
        "",
        "A structure set names nothing that it was drawn on, and two series of its frame of reference are there.",
        "Read, as the patient lies in both alike, and said (`outlines_name_no_series`).",
        _of_two_series(kind="RTSTRUCT", named=False),
        replace(READ, notes=("outlines_name_no_series",)),
        ingest=SOFT,
    ),
    Fault(
        "segmentation-that-names-no-series",
        "",
        "A segmentation names nothing that it was drawn on, and two series of its frame of reference are there.",
        "Read, as the patient lies in both alike, and said (`outlines_name_no_series`).",
        _of_two_series(kind="SEG", named=False),
        replace(READ, notes=("outlines_name_no_series",)),
        ingest=SOFT,
    ),
    Fault(
        "structure-set-of-another-patient",
        "adit#66",
        "A patient was given another ID in one archive, and the outlines of the other went on under the old one.",
        "Refused: `outline_of_another_study`.",
        _structures(_other_patient),
        refused("outline_of_another_study"),
    ),
    Fault(
        "structure-beyond-the-image",
        "dcmrtstruct2nii#49",
        "Contours out of bounds were left out, and the mask came out empty, with success.",
        "Refused: `contour_outside_image`.",
        _structures(corners=[(0.5, 1.5), (0.5, 40.0), (4.5, 40.0), (4.5, 1.5)]),
        refused("contour_outside_image"),
    ),
    Fault(
        "structure-that-was-never-drawn",
        "Dicom_RT_and_Images_to_Mask#27",
        "A structure that was named and never drawn stopped the conversion.",
        "It says that nothing is there: an empty mask.",
        _structures(_no_contours),
        Right(voxels={"tumor": 0}, n_cases=1, rejected=()),
    ),
    Fault(
        "contour-between-pixel-middles",
        "ohif-viewer-XNAT-plugin#18",
        "Outlines were moved by half a pixel: the position was taken for a pixel's corner.",
        "A position is that of a pixel's middle.",
        _structures(),
        READ,
    ),
    Fault(
        "segmentation-of-thicker-slices",
        "",
        "A lesion was segmented on a series of 6 mm slices and laid on one of 3 mm: every second slice of it was empty.",
        "Refused: `outline_off_grid`.",
        _on_slices((0, 2, 4), frames=(0, 2, 4)),
        refused("outline_off_grid"),
    ),
    Fault(
        "segmentation-of-lesions-on-single-slices",
        "ivmartel/dwv#1176",
        "Segments need not be consecutive: the slices between are empty, and said to be.",
        "Read: frames without anything lie between.",
        _on_slices((0, 2, 4), frames=range(5)),
        Right(voxels={"tumor": 60}, n_cases=1, rejected=()),
    ),
    Fault(
        "segmentation-with-rows-and-columns-exchanged",
        "razorx89/pydicom-seg#37",
        "Row and column spacing of segmentations were exchanged, by writers and by readers.",
        "Refused: `outline_off_grid`, where pixels are not square.",
        segmented(_exchanged),
        refused("outline_off_grid"),
    ),
    Fault(
        "segmentation-with-frames-stored-by-columns",
        "",
        "An array with its axes exchanged was written: frames have as many rows as the images have columns, and lie mirrored at a diagonal.",
        "Refused: `outline_off_grid`.",
        segmented(_frames_turned),
        refused("outline_off_grid"),
    ),
    Fault(
        "segmentation-without-a-place",
        "",
        "Frames name the images that they were drawn on and say no position.",
        "Refused: `unreadable_outline`.",
        segmented(_without_places),
        refused("unreadable_outline"),
    ),
)
