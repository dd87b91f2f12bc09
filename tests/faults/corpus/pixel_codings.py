"""How the pixels of DICOM images are kept, and what they are worth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from faults.corpus.fault import PET, Fault, Right, Sent, ingest_section
from faults.corpus.made_dicom import CENTROID, CORNERS, PLACE, READ, SENT, STORED, changed, edited, not_sent, refused
from support.dicom_factory import stored_values, write_multiframe, write_rtstruct

#: JPEG 2000 needs pictures of some size.
LARGE = {"shape": (5, 40, 48), "stored": stored_values((5, 40, 48))}
LARGE_AT = (PLACE, float(LARGE["stored"][2, 3, 4]) * 2.0 - 1000.0)
LARGE_READ = Right(voxels={"tumor": 20}, value_at=LARGE_AT, centroid_mm=CENTROID, n_cases=1, rejected=())
#: 70 kg; 370 MBq, an hour before the scan, of a half life of 6588 s; Bq/ml are twice what is stored.
SUV_FACTOR = 70_000.0 / (370e6 * 0.5 ** (3600.0 / 6588.0))
PET_AT = (PLACE, float(STORED[2, 3, 4]) * 2.0 * SUV_FACTOR)
AT_HALF = (float(STORED[2, 3, 4]) - 1500.0) * 2.0 - 1000.0
LARGE_SENT = Sent("", shape=(5, 40, 48), value_at=LARGE_AT)


def _values(data: Dataset) -> np.ndarray:
    return np.frombuffer(data.PixelData, "<i2").reshape(data.Rows, data.Columns)


def _store(data: Dataset, values: np.ndarray, *, bits: int, signed: bool) -> None:
    data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
    data.PixelData = values.astype("<u2" if values.dtype.kind == "u" else "<i2").tobytes()


def _shifted(data: Dataset) -> np.ndarray:
    """Stored values 1500 less, so that half of them are below 0; the intercept makes up for it."""
    data.RescaleIntercept = "2000"
    return _values(data) - 1500


def _overlay(data: Dataset, k: int) -> None:
    """Draw something into bit 14, as old scanners did, and say so (PS3.3 C.9.2)."""
    data.add_new((0x6000, 0x0100), "US", 16)
    data.add_new((0x6000, 0x0102), "US", 14)
    _drawing(data, k)


def _drawing(data: Dataset, k: int) -> None:
    _store(data, _values(data).astype("<u2") & 0xFFF | np.uint16(0x4000), bits=12, signed=False)


def _signed_12_bits(data: Dataset, k: int) -> None:
    """Keep a sign in bit 11, the bits above it 0."""
    _store(data, _shifted(data).astype("<u2") & 0xFFF, bits=12, signed=True)


def _compressed(prepare, syntax: str):
    def change(data: Dataset, k: int) -> None:
        prepare(data, k)
        data.compress(syntax, generate_instance_uid=False)

    return change


def _signed_13_bits(data: Dataset, k: int) -> None:
    _store(data, _shifted(data), bits=13, signed=True)


def _unsigned_stream(data: Dataset, k: int) -> None:
    """Say signed where the codestream says unsigned."""
    _store(data, _shifted(data).astype("<u2") & 0x1FFF, bits=13, signed=False)
    data.compress(JPEG2000Lossless, generate_instance_uid=False)
    data.PixelRepresentation = 1


def _many_frames(bits: int, *, signed: bool, high: int | None = None):
    """Return what writes an enhanced CT of so many bits stored, signed values 1500 less."""

    def change(data: Dataset) -> None:
        values = stored_values()[[3, 0, 4, 1, 2]].astype(int)
        data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1 if high is None else high, int(signed)
        data.PixelData = ((values - 1500) & 0xFFF if signed else values).astype("<u2").tobytes()

    def make(folder: Path) -> None:
        series = write_multiframe(folder / "image.dcm", change=change)
        write_rtstruct(folder / "rs.dcm", series, {"GTV": [(1, CORNERS)]})

    return make


def _as_it_is(data: Dataset, k: int) -> None:
    """Leave the slice as it is."""


def _cut(path: Path, number: int) -> None:
    if number == 3:
        data = pydicom.dcmread(path)
        data.compress(JPEG2000Lossless, generate_instance_uid=False)
        data.save_as(path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])


def _no_sign(data: Dataset, k: int) -> None:
    _store(data, _shifted(data), bits=16, signed=False)


def _padded(data: Dataset, k: int) -> None:
    values = _values(data).copy()
    values[0, :2] = -2000
    _store(data, values, bits=16, signed=True)
    data.add_new("PixelPaddingValue", "SS", -2000)


def _slope_by_slice(data: Dataset, k: int) -> None:
    """The same HU in other numbers: twice the slope, half the value, on every second slice."""
    if k % 2:
        data.RescaleSlope = "1"
        _store(data, (_values(data) * 2).astype("<i2"), bits=16, signed=True)


def _without_rescale(data: Dataset, k: int) -> None:
    if k == 2:
        del data.RescaleSlope, data.RescaleIntercept


def _other_numbers(data: Dataset, k: int) -> None:
    data.RescaleSlope, data.RescaleType = "0.01", "Z_EFF"


FAULTS = (
    Fault(
        "pixels-with-an-overlay-in-their-upper-bits",
        "deid#201",
        "Bits above those stored held a drawing, and came out as values of 16,384 more.",
        "Where the header tells of the overlay, only the bits stored count.",
        changed(_overlay),
        READ,
        SENT,
    ),
    Fault(
        "pixels-with-bits-that-nothing-tells-of",
        "pydicom#2066",
        "Bits above those stored were set: a drawing, or values that need more bits than the header says?",
        "Refused: `contradicting_bits`.",
        changed(_drawing),
        refused("contradicting_bits"),
        not_sent("contradicting_bits"),
    ),
    Fault(
        "pixels-with-an-overlay-run-length-coded",
        "pydicom#2260",
        "Once compressed, the drawing came out as values.",
        "Only the bits stored count.",
        changed(_compressed(_overlay, RLELossless)),
        READ,
        SENT,
    ),
    Fault(
        "pixels-signed-in-12-of-16-bits",
        "dicom2nifti#13",
        "The sign in bit 11 was not seen: small negative values became 4,000.",
        "Read with their sign.",
        changed(_signed_12_bits),
        READ,
        SENT,
    ),
    Fault(
        "pixels-signed-in-jpeg-ls",
        "pydicom#2009",
        "JPEG-LS knows no sign: it was lost where fewer bits are stored than allocated.",
        "Read with their sign.",
        changed(_compressed(_signed_13_bits, JPEGLSLossless)),
        READ,
        SENT,
    ),
    Fault(
        "pixels-whose-jpeg-2000-stream-says-unsigned",
        "pydicom#1149",
        "Header and codestream disagree on the sign: HU came out in another range.",
        "The header decides.",
        changed(_unsigned_stream, **LARGE),
        LARGE_READ,
        LARGE_SENT,
    ),
    Fault(
        "pixels-in-jpeg-2000",
        "pydicom#2073",
        "Decoded to another range than the one that the rescale is for.",
        "Read.",
        changed(_compressed(_as_it_is, JPEG2000Lossless), **LARGE),
        LARGE_READ,
        LARGE_SENT,
    ),
    Fault(
        "pixels-in-a-stream-that-is-cut-off",
        "pydicom#966",
        "A stream that ended early came out as zeros.",
        "Refused by name.",
        edited(_cut, **LARGE),
        refused("unreadable_pixels", "unreadable_file"),
        not_sent("unreadable_pixels", "unreadable_file"),
    ),
    Fault(
        "ct-that-lost-its-sign",
        "BRAINSTools#457",
        "16-bit values were taken with the wrong sign: bright voxels fell below 0, or air rose to 64,536.",
        "Refused: `implausible_hu`.",
        changed(_no_sign),
        refused("implausible_hu"),
        not_sent("implausible_hu"),
    ),
    Fault(
        "ct-with-padding",
        "vtk-dicom#128",
        "Padding outside the field of view was taken for tissue, or its whole range for the image's.",
        "Padding is air.",
        changed(_padded),
        READ,
        SENT,
    ),
    Fault(
        "ct-with-a-slope-a-slice",
        "dcm2niix#363",
        "One slope was used for all slices.",
        "Each slice is rescaled by its own.",
        changed(_slope_by_slice),
        READ,
        SENT,
    ),
    Fault(
        "pet-with-a-slope-a-slice",
        "dcm2niix#978",
        "Every slice of a PET had a slope of its own: converted with one of them, it came out in stripes.",
        "Each slice is rescaled by its own, then to SUV.",
        changed(_slope_by_slice, modality="PT"),
        replace(READ, value_at=PET_AT),
        replace(SENT, value_at=PET_AT),
        ingest=ingest_section(PET),
    ),
    Fault(
        "ct-with-a-slice-without-rescale",
        "dcm2niix#973",
        "Some slices of a series had lost slope and intercept, and came out as stored.",
        "Refused: `missing_rescale`.",
        changed(_without_rescale),
        refused("missing_rescale"),
        not_sent("missing_rescale"),
    ),
    Fault(
        "ct-of-effective-atomic-numbers",
        "",
        "Values of a spectral CT were taken for HU.",
        "Refused: `unsupported_ct_units`.",
        changed(_other_numbers),
        refused("unsupported_ct_units"),
        not_sent("unsupported_ct_units"),
    ),
    Fault(
        "enhanced-image-signed-in-12-of-16-bits",
        "ImagingDataCommons/highdicom#25",
        "The sign got lost when single images were made to one of many frames: bright voxels became dark.",
        "Read with their sign, in images of many frames too.",
        _many_frames(12, signed=True),
        replace(READ, value_at=(PLACE, AT_HALF)),
        replace(SENT, value_at=(PLACE, AT_HALF)),
    ),
    Fault(
        "enhanced-image-of-more-bits-than-stored",
        "lamyj/dicomifier#5",
        "Bits Stored of an image of many frames were passed over, or numbers cut to them.",
        "Refused: `contradicting_bits`, as for single images.",
        _many_frames(10, signed=False),
        refused("contradicting_bits"),
        not_sent("contradicting_bits"),
    ),
    Fault(
        "enhanced-image-with-its-bits-higher-up",
        "fo-dicom/fo-dicom#138",
        "Twelve bits are stored and the high bit is 15.",
        "Refused: `contradicting_bits`.",
        _many_frames(12, signed=False, high=15),
        refused("contradicting_bits"),
        not_sent("contradicting_bits"),
    ),
    Fault(
        "ct-with-a-slope-of-the-wrong-sign",
        "",
        "A slope of -1 turned the image round: all of it is lighter than air.",
        "Refused: `implausible_hu`.",
        changed(lambda data, k: setattr(data, "RescaleSlope", "-1")),
        refused("implausible_hu"),
        not_sent("implausible_hu"),
    ),
)
