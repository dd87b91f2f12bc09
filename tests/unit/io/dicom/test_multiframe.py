"""Enhanced images are the volumes that their frames' functional groups say, whatever order they are stored in."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from lesionflow.data.dataset import Target
from lesionflow.data.volume import Mask
from lesionflow.errors import DicomError, InputError
from lesionflow.io.dicom.seg import write_seg
from lesionflow.io.dicom.series import read_headers, read_series
from lesionflow.io.dicom.writing.referred import read_referred
from support.dicom_factory import STUDY_UID, write_multiframe

SLOPES = (2.0, 2.5, 3.0, 0.5, 1.0)
ORDER = (3, 0, 4, 1, 2)
BY_SLICE = np.array([SLOPES[ORDER.index(k)] for k in range(5)])[:, None, None]


def read(series):
    return read_series(tuple(map(str, series.paths)), name="c-1")


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_frames_are_slices_in_their_place_each_with_its_own_rescale(tmp_path, modality):
    written = write_multiframe(tmp_path / "e.dcm", modality=modality, slopes=SLOPES)
    series = read(written)
    np.testing.assert_allclose(series.volume.geometry.affine, written.affine_by_hand, atol=1e-6)
    np.testing.assert_allclose(series.volume.array[0], written.stored * BY_SLICE - 1000.0)
    assert series.files == (str(written.paths[0]),)
    assert (series.series_uid, series.modality) == (f"{STUDY_UID}.66", modality)


def test_headers_alone_of_frames(tmp_path):
    written = write_multiframe(tmp_path / "e.dcm", slopes=SLOPES)
    headers = read_headers((str(written.paths[0]),), name="c-1")
    np.testing.assert_allclose(headers.geometry.affine, written.affine_by_hand, atol=1e-6)
    (data,) = headers.data
    assert int(data.NumberOfFrames) == headers.geometry.shape[0] == 5
    assert "PixelData" not in data


def without_groups(data):
    del data.PerFrameFunctionalGroupsSequence


def one_group_less(data):
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:-1]


def two_at_one_place(data):
    groups = data.PerFrameFunctionalGroupsSequence
    groups[1].PlanePositionSequence = groups[0].PlanePositionSequence


def two_orientations(data):
    turned = Dataset()
    turned.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.PerFrameFunctionalGroupsSequence[2].PlaneOrientationSequence = [turned]


def no_rescale(data):
    for group in data.PerFrameFunctionalGroupsSequence:
        del group.PixelValueTransformationSequence


def localizer(data):
    kind = Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
    data.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence = [kind]


def cut_off(data):
    data.PixelData = data.PixelData[:-20]


def huge(data):
    data.NumberOfFrames = 5
    data.Rows, data.Columns = 30000, 30000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_groups, "multiframe_not_supported"),
        (one_group_less, "multiframe_not_supported"),
        (two_at_one_place, "duplicate_slice_position"),
        (two_orientations, "mixed_orientation"),
        (no_rescale, "missing_rescale"),
        (localizer, "localizer"),
        (cut_off, "unreadable_pixels"),
        (huge, "oversized_image"),
    ],
)
def test_faults_are_named(tmp_path, change, reason):
    with pytest.raises(InputError, match="c-1") as caught:
        read(write_multiframe(tmp_path / "e.dcm", change=change))
    assert caught.value.reason == reason


def pet(code, slope):
    def change(data):
        for group in data.PerFrameFunctionalGroupsSequence:
            unit, mapping = Dataset(), Dataset()
            unit.CodeValue = code
            mapping.MeasurementUnitsCodeSequence = [unit]
            mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, 0.0
            group.RealWorldValueMappingSequence = [mapping]
        data.DecayCorrected = data.AttenuationCorrected = "YES"
        data.DecayCorrectionDateTime, data.PatientWeight = "20240229101500.00+0100", "70"
        drug = Dataset()
        drug.RadiopharmaceuticalStartDateTime = "20240229091500"
        drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = "370000000", "6588"
        data.RadiopharmaceuticalInformationSequence = [drug]

    return change


def test_pet_in_suv_is_taken_as_it_is(tmp_path):
    written = write_multiframe(tmp_path / "e.dcm", modality="PT", change=pet("{SUVbw}g/ml", 0.01))
    np.testing.assert_allclose(read(written).volume.array[0], written.stored * 0.01, rtol=1e-6)


def test_pet_in_becquerels_is_brought_to_suv(tmp_path):
    written = write_multiframe(tmp_path / "e.dcm", modality="PT", change=pet("Bq/ml", 3.0))
    # 70 kg over 370 MBq that decayed for one hour with a half life of 6588 s.
    factor = 70_000.0 / (370e6 * 0.5 ** (3600.0 / 6588.0))
    np.testing.assert_allclose(read(written).volume.array[0], written.stored * 3.0 * factor, rtol=1e-5)


def test_slopes_of_each_frame_keep_all_their_digits_and_their_exponents(tmp_path):
    """Cut to 16 characters, 9.155552842799158e-05 is 9.155552842799158."""
    slopes = (0.000152592548, 9.155552842799158e-05, 0.00030518509, 4.577776421399579e-05, 0.000610370189)

    def change(data):
        pet("{SUVbw}g/ml", 0.01)(data)
        for slope, group in zip(slopes, data.PerFrameFunctionalGroupsSequence, strict=True):
            group.RealWorldValueMappingSequence[0].RealWorldValueSlope = slope

    written = write_multiframe(tmp_path / "e.dcm", modality="PT", change=change)
    by_slice = np.array([slopes[ORDER.index(k)] for k in range(5)])[:, None, None]
    np.testing.assert_allclose(read(written).volume.array[0], written.stored * by_slice, rtol=1e-7)


@pytest.mark.parametrize("first", ["Bq/ml", "{counts}"])
def test_of_several_units_of_pet_suv_is_taken_wherever_it_stands(tmp_path, first):
    def change(data):
        pet(first, 3.0)(data)
        for group in data.PerFrameFunctionalGroupsSequence:
            unit, mapping = Dataset(), Dataset()
            unit.CodeValue = "{SUVbw}g/ml"
            mapping.MeasurementUnitsCodeSequence = [unit]
            mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.01, 0.0
            group.RealWorldValueMappingSequence.append(mapping)

    written = write_multiframe(tmp_path / "e.dcm", modality="PT", change=change)
    np.testing.assert_allclose(read(written).volume.array[0], written.stored * 0.01, rtol=1e-6)


def test_a_slope_of_counts_is_not_taken_for_one_of_becquerels(tmp_path):
    """The rescale says Bq/ml; the real-world values are another quantity and its slope is not the rescale's."""

    def change(data):
        pet("{counts}", 3.0)(data)
        for group in data.PerFrameFunctionalGroupsSequence:
            rescale = group.PixelValueTransformationSequence[0]
            rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = "2.5", "0", "BQML"

    written = write_multiframe(tmp_path / "e.dcm", modality="PT", change=change)
    factor = 70_000.0 / (370e6 * 0.5 ** (3600.0 / 6588.0))
    np.testing.assert_allclose(read(written).volume.array[0], written.stored * 2.5 * factor, rtol=1e-5)


def test_units_that_differ_between_frames_are_refused(tmp_path):
    def change(data):
        pet("Bq/ml", 3.0)(data)
        unit = data.PerFrameFunctionalGroupsSequence[3].RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence[0]
        unit.CodeValue = "{SUVbw}g/ml"

    with pytest.raises(DicomError) as caught:
        read(write_multiframe(tmp_path / "e.dcm", modality="PT", change=change))
    assert caught.value.reason == "mixed_pet_units"


def test_the_zone_of_enhanced_pet_counts(tmp_path):
    def change(data):
        pet("Bq/ml", 3.0)(data)
        data.DecayCorrectionDateTime = "20240229101500.00"
        data.TimezoneOffsetFromUTC = "+0200"
        data.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20240229071500+0000"

    written = write_multiframe(tmp_path / "e.dcm", modality="PT", change=change)
    factor = 70_000.0 / (370e6 * 0.5 ** (3600.0 / 6588.0))
    np.testing.assert_allclose(read(written).volume.array[0], written.stored * 3.0 * factor, rtol=1e-5)


def test_pet_in_other_units_is_refused(tmp_path):
    for code in ("{counts}", "{SUVlbm}g/ml"):
        with pytest.raises(DicomError) as caught:
            read(write_multiframe(tmp_path / "e.dcm", modality="PT", change=pet(code, 3.0)))
        assert caught.value.reason == "unsupported_pet_units"


def test_a_segmentation_of_it_lies_on_its_frames(tmp_path):
    """By pydicom's view of the file: which source frame each frame was drawn from, and its position."""
    written = write_multiframe(tmp_path / "e.dcm")
    geometry = read(written).volume.geometry
    labels = np.zeros(geometry.shape, np.uint8)
    labels[1, 2:5, 3:9], labels[4, 1, 2] = 1, 1
    targets = (Target(name="tumor", labels=(1,)),)
    files = tuple(map(str, written.paths))
    write_seg(
        tmp_path / "seg.dcm", Mask(labels, geometry), read_referred(files, name="c-1"), targets, version="1", name="c-1"
    )
    data = pydicom.dcmread(tmp_path / "seg.dcm")
    found = {}
    for pixels, group in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        (k,) = (k for k in range(5) if np.allclose(written.position(k, 0, 0), position, atol=1e-3))
        found[k] = pixels
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert ORDER[int(source.ReferencedFrameNumber) - 1] == k
    assert set(found) == {1, 4}
    for k, pixels in found.items():
        np.testing.assert_array_equal(pixels, labels[k])
