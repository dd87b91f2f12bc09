"""A compressed frame is believed only where the data set says the same."""

import struct

import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from lesionflow.errors import DicomError
from lesionflow.io.dicom.pixel_data import frame_size
from lesionflow.io.dicom.series import read_series

APP0 = b"\xff\xe0\x00\x04\x00\x00"


def start_of_frame(marker, rows, columns):
    return bytes((0xFF, marker)) + struct.pack(">HBHHB", 11, 12, rows, columns, 1) + b"\x01\x11\x00"


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC3, 0xF7])
def test_the_size_of_a_jpeg_stands_in_its_start_of_frame(marker):
    # A Huffman table (C4) comes first and is none; its length is skipped, as are fill bytes.
    table = b"\xff\xc4\x00\x06\x00\x07\x00\x0b"
    assert frame_size(b"\xff\xd8" + APP0 + table + b"\xff" + start_of_frame(marker, 7, 11)) == (7, 11)


def test_the_size_of_a_jpeg2000_is_its_grid_less_its_offset():
    size = b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 41, 0, 14, 9, 3, 2)
    assert frame_size(size) == (7, 11)
    assert frame_size(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20) + size) == (7, 11)


@pytest.mark.parametrize("frame", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9" + bytes(9), bytes(64), b"\xff\xd8" + APP0])
def test_other_frames_claim_nothing(frame):
    assert frame_size(frame) is None


def encapsulated(syntax, frame):
    def change(data, k):
        data.file_meta.TransferSyntaxUID = syntax
        data.PixelData = encapsulate([frame])
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True

    return change


def refusal(dicom_factory, change):
    with pytest.raises(DicomError, match="c-1") as caught:
        read_series(tuple(map(str, dicom_factory(change=change).paths)), name="c-1")
    return caught.value


def test_a_frame_of_another_size_is_refused_undecoded(dicom_factory):
    """A decoder would work for hours on 65,000 squared, and memory would not do."""
    frame = b"\xff\xd8" + start_of_frame(0xF7, 65_000, 65_000) + bytes(200)
    error = refusal(dicom_factory, encapsulated(JPEGLSLossless, frame))
    assert error.reason == "unreadable_pixels"
    assert "65000 x 65000 pixels where 7 x 11" in str(error)


def test_a_decoder_that_panics_is_an_error_like_others(dicom_factory):
    """Two segments of run lengths that give more than a slice holds."""
    segment = b"\x81\x05" * 30
    frame = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13) + segment * 2
    assert refusal(dicom_factory, encapsulated(RLELossless, frame)).reason == "unreadable_pixels"


@pytest.mark.parametrize("padding", [b"", b"\0", b"\xff"])
@pytest.mark.parametrize("start", [b"\xff\xd8", b"\xff\x4f\xff\x51" + struct.pack(">HHIIII", 41, 0, 11, 7, 0, 0)])
def test_a_frame_that_lost_its_end_is_refused_whatever_a_decoder_makes_of_it(dicom_factory, start, padding):
    """Neither coding has a checksum: the end marker alone says that nothing is missing."""
    cut = refusal(dicom_factory, encapsulated(JPEG2000Lossless, start + bytes(60) + padding))
    assert "ends before its end marker" in str(cut)
    whole = refusal(dicom_factory, encapsulated(JPEG2000Lossless, start + bytes(60) + b"\xff\xd9" + padding))
    assert "ends before its end marker" not in str(whole)
