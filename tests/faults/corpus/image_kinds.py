"""What an image or an outline says of itself beside its numbers: phase, one material, packed with loss, a part of a whole, rejected."""

import copy
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from faults.corpus.fault import CT, MR, Fault, Right, Sent, ingest_section
from faults.corpus.made_dicom import (
    CORNERS,
    ON_MR,
    READ,
    READ_MR,
    SENT,
    SENT_MR,
    changed,
    not_sent,
    refused,
)
from support.dicom_factory import SHAPE, write_multiframe, write_rtstruct, write_segmentation, write_series

#: Bytes of a frame of 7 x 11 pixels of 16 bits.
FRAME_BYTES = 2 * SHAPE[1] * SHAPE[2]


def _divided(*parts: int, total: int | None = 2):
    """Return what writes an enhanced CT in two instances, slices 0-2 and 3-4; these parts of it."""

    def make(folder: Path) -> None:
        written = write_multiframe(folder / "whole.dcm", order=(0, 1, 2, 3, 4))
        whole = pydicom.dcmread(folder / "whole.dcm")
        (folder / "whole.dcm").unlink()
        for number, (first, end) in enumerate(((0, 3), (3, 5)), 1):
            part = copy.deepcopy(whole)
            _name_part(part, number, total)
            part.PerFrameFunctionalGroupsSequence = whole.PerFrameFunctionalGroupsSequence[first:end]
            part.NumberOfFrames, part.ConcatenationFrameOffsetNumber = end - first, first
            part.PixelData = whole.PixelData[first * FRAME_BYTES : end * FRAME_BYTES]
            if number in parts:
                part.save_as(folder / f"part{number}.dcm")
        write_rtstruct(folder / "rs.dcm", written, {"GTV": [(1, CORNERS)]})

    return make


def _name_part(data: Dataset, number: int, total: int | None) -> None:
    data.SOPInstanceUIDOfConcatenationSource = data.SOPInstanceUID
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{data.SOPInstanceUID}.{number}"
    data.ConcatenationUID, data.InConcatenationNumber = "1.2.3.99", number
    if total:
        data.InConcatenationTotalNumber = total


def _half_of_a_segmentation(folder: Path) -> None:
    marked = np.zeros(SHAPE, dtype=bool)
    marked[1:3, 1:5, 2:7] = True
    series = write_series(folder / "images")
    write_segmentation(
        folder / "seg.dcm", series, {"GTV": marked}, slices=(1,), change=lambda data: _name_part(data, 1, 2)
    )


def _rejected(data: Dataset) -> None:
    data.ApprovalStatus, data.ReviewDate, data.ReviewTime, data.ReviewerName = "REJECTED", "20240301", "120000", "X"


def _another(data: Dataset) -> None:
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{data.SOPInstanceUID}.2"


def _reviewed(*, approved_too: bool):
    """Return what writes a structure set on slice 2 that was rejected, and the right one on slice 1."""

    def make(folder: Path) -> None:
        series = write_series(folder / "images")
        write_rtstruct(folder / "rejected.dcm", series, {"GTV": [(2, CORNERS)]}, change=_rejected)
        if approved_too:
            write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]}, change=_another)

    return make


def _of_type(*words: str, **values):
    """Return what writes the study with this image type."""

    def change(data: Dataset, _: int) -> None:
        data.ImageType = list(words)

    return changed(change, **values)


def _enhanced_phase(folder: Path) -> None:
    def change(data: Dataset) -> None:
        item = Dataset()
        item.FrameType, item.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "FIELD_MAP", "NONE"], "PHASE"
        data.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence = [item]
        for group in data.PerFrameFunctionalGroupsSequence:
            group.pop("MRImageFrameTypeSequence", None)

    written = write_multiframe(folder / "image.dcm", modality="MR", change=change)
    write_rtstruct(folder / "rs.dcm", written, {"GTV": [(1, CORNERS)]})


def _with_loss(data: Dataset, k: int) -> None:
    if k == 3:
        data.LossyImageCompression, data.LossyImageCompressionRatio = "01", "40"


def _turned_slice(data: Dataset, k: int) -> None:
    if k == 2:
        data.RescaleSlope = "-2"


def _screenshots(data: Dataset, _: int) -> None:
    """Store the slice as it was shown: 8 bits, no rescale."""
    shown = np.clip(data.pixel_array / 3000 * 255, 0, 255).astype(np.uint8)
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = shown.tobytes() + b"\0"
    data.RescaleSlope, data.RescaleIntercept = "1", "0"
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.ConversionType, data.ImageType = "WSD", ["DERIVED", "SECONDARY"]


def _noted(right: Right, code: str) -> Right:
    return Right(**{**right.__dict__, "notes": (code,)})


def _warned(sent: Sent, says: str) -> Sent:
    return Sent(sent.files, shape=sent.shape, value_at=sent.value_at, says=says)


FAULTS = (
    Fault(
        "concatenation-of-two-parts",
        "Weasis#493",
        "A large enhanced image comes in several instances of one concatenation; each was shown as an image of its own.",
        "Read as one, where all parts are there.",
        _divided(1, 2),
        READ,
        SENT,
    ),
    Fault(
        "concatenation-that-lacks-a-part",
        "openslide#511",
        "One instance of a concatenation is missing: what is left is an even stack, and taken for the whole.",
        "Refused: `incomplete_concatenation`.",
        _divided(1),
        refused("incomplete_concatenation"),
        not_sent("incomplete_concatenation"),
    ),
    Fault(
        "concatenation-that-lacks-its-first-part",
        "",
        "The first instance is missing, and nothing tells how many there were.",
        "Refused: `incomplete_concatenation`, as parts are numbered from 1.",
        _divided(2, total=None),
        refused("incomplete_concatenation"),
        not_sent("incomplete_concatenation"),
    ),
    Fault(
        "segmentation-that-lacks-a-part",
        "",
        "One instance of a segmentation's concatenation is missing: its slices would be background.",
        "Refused: `incomplete_concatenation`.",
        _half_of_a_segmentation,
        refused("incomplete_concatenation"),
    ),
    Fault(
        "structure-set-that-was-rejected",
        "",
        "Whoever reviewed the structure set rejected it; readers take its contours all the same.",
        "Refused: `rejected_outline`.",
        _reviewed(approved_too=False),
        refused("rejected_outline"),
    ),
    Fault(
        "structure-set-beside-a-rejected-one",
        "",
        "The rejected version lies beside the one that was drawn anew.",
        "The rejected one is left out, and that is said.",
        _reviewed(approved_too=True),
        _noted(READ, "rejected_outlines"),
    ),
    Fault(
        "mr-of-the-phase-alone",
        "dcm2niix#170",
        "The image type alone tells phase from magnitude; the one was taken for the other.",
        "Read, and said (`no_magnitude`).",
        _of_type("ORIGINAL", "PRIMARY", "P", "ND", modality="MR"),
        _noted(READ_MR, "no_magnitude"),
        _warned(SENT_MR, "magnitude"),
        ingest=ON_MR,
    ),
    Fault(
        "enhanced-mr-of-the-phase",
        "dcm2niix#189",
        "Enhanced MR says by its complex image component that it is phase, real or imaginary.",
        "Read, and said (`no_magnitude`).",
        _enhanced_phase,
        Right(voxels={"tumor": 20}, notes=("no_magnitude",), n_cases=1),
        Sent("", shape=SHAPE, says="PHASE"),
        ingest=ingest_section(MR),
    ),
    Fault(
        "ct-of-iodine-alone",
        "",
        "An image of one material of a multi-energy CT says HU and means the iodine's alone.",
        "Refused: `unsupported_ct_units`.",
        _of_type("DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC"),
        refused("unsupported_ct_units"),
        not_sent("unsupported_ct_units"),
    ),
    Fault(
        "ct-of-one-energy",
        "",
        "A virtual monoenergetic or non-contrast image has other HU for the same tissue than the plain CT that a model learned from.",
        "Read, and said (`other_hu`).",
        _of_type("DERIVED", "PRIMARY", "AXIAL", "VMI"),
        _noted(READ, "other_hu"),
        _warned(SENT, "VMI"),
    ),
    Fault(
        "ct-packed-with-loss",
        "",
        "A slice was packed 40-fold with loss before it came here: its values are no longer those that were measured.",
        "Read, and said (`lossy_compression`).",
        changed(_with_loss),
        _noted(READ, "lossy_compression"),
        _warned(SENT, "with loss"),
    ),
    Fault(
        "ct-with-one-slice-turned-round",
        "",
        "One slice has a slope below 0, the others above: it shows air as bone.",
        "Refused: `mixed_units`.",
        changed(_turned_slice),
        refused("mixed_units"),
        not_sent("mixed_units"),
    ),
    Fault(
        "ct-as-it-was-shown",
        "TotalSegmentator#509",
        "Slices stored as shown, 0 to 255, say CT and have no rescale to speak of.",
        "Read, and said: nothing is as light as fat or air (`no_air`).",
        changed(_screenshots),
        Right(voxels={"tumor": 20}, notes=("no_air",), n_cases=1),
        Sent("", shape=SHAPE, says="air or fat"),
        ingest=ingest_section(CT),
    ),
)
