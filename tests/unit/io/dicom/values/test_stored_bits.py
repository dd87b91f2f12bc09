"""Twelve of sixteen bits: what stands above them, and padding, by numbers written out."""

import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.series import read_series
from lesionflow.io.notes import collected
from support.dicom_factory import SHAPE

PLANE = np.arange(77, dtype=np.int64).reshape(SHAPE[1:]) * 13


def twelve(pixels, *, signed=False, **values):
    """Write one plane on each slice, of which 12 bits are said to be stored."""

    def change(data, k):
        data.BitsStored, data.HighBit, data.PixelRepresentation = 12, 11, int(signed)
        data.RescaleSlope, data.RescaleIntercept = "1", "-1024"
        data.PixelData = (np.asarray(pixels) & 0xFFFF).astype("<u2").tobytes()
        for keyword, value in values.items():
            setattr(data, keyword, value)

    return change


def read(series):
    with collected() as notes:
        array = read_series(tuple(map(str, series.paths)), name="c-1").volume.array[0]
    return array, [note.code for note in notes]


def put(pixels, value):
    changed = np.array(pixels)
    changed[2, 3] = value
    return changed


def test_an_overlay_in_the_bits_above_is_no_part_of_the_values(dicom_factory):
    def change(data, k):
        twelve(PLANE | (PLANE % 2) << 12)(data, k)
        data.add_new(0x60000100, "US", 16)
        data.add_new(0x60000102, "US", 12)

    array, _ = read(dicom_factory(change=change))
    np.testing.assert_array_equal(array[4], PLANE - 1024.0)


def test_signed_numbers_with_and_without_their_sign_in_the_bits_above(dicom_factory):
    extended, bare = PLANE - 500, (PLANE - 500) & 0xFFF
    for pixels in (extended, bare):
        array, _ = read(dicom_factory(change=twelve(pixels, signed=True)))
        np.testing.assert_array_equal(array[0], PLANE - 500 - 1024.0)


BEYOND = {
    "more than 12 bits": twelve(put(PLANE, 4200)),
    "a negative number among unsigned ones": twelve(put(PLANE, -2000)),
    "signs above, and a number too large for 12 bits": twelve(put(PLANE - 500, 3000), signed=True),
    "the highest bits of 16": twelve(PLANE << 4, HighBit=15),
}


@pytest.mark.parametrize("change", BEYOND.values(), ids=BEYOND)
def test_numbers_that_would_be_cut_are_refused(dicom_factory, change):
    """Cut to their bits, 4200 is 104 and -2000 is 2096."""
    with pytest.raises(DicomError, match="c-1") as caught:
        read(dicom_factory(change=change))
    assert caught.value.reason == "contradicting_bits"


def padded(value, stored, limit=None, *, signed=True):
    def change(data, k):
        data.PixelRepresentation = int(signed)
        data.RescaleSlope, data.RescaleIntercept = "1", "-1024"
        data.PixelData = (put(PLANE, stored) & 0xFFFF).astype("<u2").tobytes()
        data.add_new(0x00280120, "SS" if value < 0 else "US", value)
        if limit is not None:
            data.add_new(0x00280121, "SS" if limit < 0 else "US", limit)

    return change


@pytest.mark.parametrize(
    ("change", "value", "notes"),
    [
        (padded(32_767, 32_767), -1024.0, ["padding_made_air"]),
        (padded(5000, 5500, 6000), -1024.0, ["padding_made_air"]),
        (padded(65_535, 65_535, signed=False), -1024.0, ["padding_made_air"]),
        # Written in the other signedness.
        (padded(-1, 65_535, signed=False), -1024.0, ["padding_made_air"]),
        # Dark as it is, and a value that is tissue however it is marked.
        (padded(-2000, -2000), -3024.0, []),
        (padded(63_536, -2000), -3024.0, []),
        (padded(1024, 1024), 0.0, []),
        (padded(0, 3000), 1976.0, []),
    ],
)
def test_padding_is_air_and_never_brighter_than_metal(dicom_factory, change, value, notes):
    array, said = read(dicom_factory(change=change))
    np.testing.assert_array_equal(array[1], put(PLANE - 1024.0, value))
    assert said == notes
