import warnings

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from lesionflow.errors import DicomError
from lesionflow.io.dicom.series import read_series
from support.dicom_factory import OBLIQUE, ORIGIN_MM, SHAPE, SPACING_MM


def read(series, **values):
    return read_series(tuple(str(path) for path in sorted(series.paths)), name="c-1", **values)


def test_slices_written_from_head_to_feet_grow_along_the_normal_all_the_same(dicom_factory):
    def upside_down(data, k):
        position = dicom_position(SHAPE[0] - 1 - k)
        data.ImagePositionPatient = [f"{v:.8f}" for v in position]

    def dicom_position(k):
        return np.array(ORIGIN_MM) + k * SPACING_MM[0] * np.array(OBLIQUE[2])

    series = dicom_factory(change=upside_down)
    volume = read(series).volume
    np.testing.assert_allclose(volume.geometry.affine, series.affine_by_hand, atol=1e-6)
    np.testing.assert_array_equal(volume.array[0], series.stored[::-1] * 2.0 - 1000.0)


def test_a_single_slice_takes_its_thickness(dicom_factory):
    series = dicom_factory(shape=(1, 7, 11))
    np.testing.assert_allclose(read(series).volume.geometry.affine, series.affine_by_hand, atol=1e-6)


def test_spacing_comes_from_all_slices(dicom_factory):
    rounding = (0.0, 0.006, 0.0, -0.006, 0.008)

    def jitter(data, k):
        position = np.array(ORIGIN_MM) + (k * 3.0 + rounding[k]) * np.array(OBLIQUE[2])
        data.ImagePositionPatient = [f"{v:.8f}" for v in position]

    series = dicom_factory(change=jitter)
    assert read(series).volume.geometry.spacing_mm[0] == pytest.approx((12.0 + 0.008) / 4, abs=1e-6)


def set_on(slices, **values):
    def change(data, k):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of each fault that we write on purpose
            if k in slices:
                for keyword, value in values.items():
                    setattr(data, keyword, value)

    return change


def drop(keyword):
    def change(data, k):
        delattr(data, keyword)

    return change


def moved(slice_index, mm, along=2):
    def change(data, k):
        if k >= slice_index:
            position = np.array(ORIGIN_MM) + k * 3.0 * np.array(OBLIQUE[2]) + mm * np.array(OBLIQUE[along])
            data.ImagePositionPatient = [f"{v:.8f}" for v in position]

    return change


def tilted(data, k):
    position = np.array(ORIGIN_MM) + k * 3.0 * np.array(OBLIQUE[2]) + k * 0.6 * np.array(OBLIQUE[1])
    data.ImagePositionPatient = [f"{v:.8f}" for v in position]


def shorter(data, k):
    if k == 2:
        data.PixelData = data.PixelData[:60]


def smaller(data, k):
    if k == 2:
        data.Rows = 6
        data.PixelData = data.PixelData[: 6 * 11 * 2]


def modality_lut(kind):
    """Looks up stored values of 16 bits: 9000 for 0, less 3 for each more."""

    def change(data, k):
        table = Dataset()
        table.LUTDescriptor, table.ModalityLUTType = [3000, 0, 16], kind
        table.LUTData = (9000 - 3 * np.arange(3000)).astype("<u2").tobytes()
        del data.RescaleSlope, data.RescaleIntercept
        data.ModalityLUTSequence = [table]

    return change


FAULTS = {
    "missing slice": (moved(3, 3.0), "missing_slice"),
    "irregular spacing": (moved(3, 1.1), "irregular_spacing"),
    "two slices at one place": (moved(3, -3.0), "duplicate_slice_position"),
    "one instance twice": (set_on({1, 2}, SOPInstanceUID="1.2.3"), "duplicate_instance"),
    "another orientation": (set_on({4}, ImageOrientationPatient=[1, 0, 0, 0, 1, 0]), "mixed_orientation"),
    "another pixel spacing": (set_on({4}, PixelSpacing=[0.8, 0.6]), "mixed_pixel_spacing"),
    "another size": (smaller, "mixed_size"),
    "another frame of reference": (set_on({4}, FrameOfReferenceUID="1.2.4"), "mixed_frame_of_reference"),
    "another modality": (set_on({4}, Modality="PT"), "mixed_modality"),
    "another patient": (set_on({4}, PatientID="SOMEBODY"), "mixed_patients"),
    "two series": (set_on({3, 4}, SeriesInstanceUID="1.2.5"), "mixed_series"),
    "tilted gantry": (tilted, "gantry_tilt"),
    "no position": (drop("ImagePositionPatient"), "missing_geometry"),
    "no orientation": (drop("ImageOrientationPatient"), "missing_geometry"),
    "no pixel spacing": (drop("PixelSpacing"), "missing_geometry"),
    "a position of two numbers": (set_on({2}, ImagePositionPatient=[1.0, 2.0]), "missing_geometry"),
    "a position that is no number": (set_on({2}, ImagePositionPatient=["nan", "0", "0"]), "missing_geometry"),
    "zero pixel spacing": (set_on(range(5), PixelSpacing=[0, 0.5]), "missing_geometry"),
    "no rows": (drop("Rows"), "missing_geometry"),
    "skewed axes": (set_on(range(5), ImageOrientationPatient=[1, 0, 0, 0.5, 0.8, 0]), "invalid_orientation"),
    "a mosaic": (set_on({0}, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]), "mosaic"),
    "localizer": (set_on(range(5), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localizer"),
    "multi-frame": (set_on({1}, NumberOfFrames=2), "multiframe_not_supported"),
    "enhanced class": (set_on(range(5), SOPClassUID=EnhancedCTImageStorage), "multiframe_not_supported"),
    "color": (set_on({1}, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0), "not_grayscale"),
    "CT without rescale": (drop("RescaleSlope"), "missing_rescale"),
    "rescale slope 0": (set_on({1}, RescaleSlope="0"), "missing_rescale"),
    "rescale that is no number": (set_on({1}, RescaleSlope="inf"), "non_finite_voxels"),
    "modality lookup table without a unit": (modality_lut("US"), "missing_rescale"),
    "another quantity than density": (set_on(range(5), RescaleType="Z_EFF"), "unsupported_ct_units"),
    "pixels cut off": (shorter, "unreadable_pixels"),
    "no pixels": (drop("PixelData"), "unreadable_file"),
    "unsupported modality": (set_on(range(5), Modality="US"), "unsupported_modality"),
}


@pytest.mark.parametrize(("change", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_series_is_refused_by_name(dicom_factory, change, reason):
    series = dicom_factory(change=change)
    with pytest.raises(DicomError) as caught:
        read(series)
    assert caught.value.reason == reason
    assert "c-1" in str(caught.value)
    assert "PATIENT" not in str(caught.value)


def test_a_single_slice_counts_its_distance_either_way(dicom_factory):
    volume = read(dicom_factory(shape=(1, 7, 11), change=set_on({0}, SpacingBetweenSlices="-4.5"))).volume
    assert volume.geometry.spacing_mm[0] == pytest.approx(4.5)


def test_a_slice_without_thickness_has_no_spacing(dicom_factory):
    with pytest.raises(DicomError, match="thickness") as caught:
        read(dicom_factory(shape=(1, 7, 11), change=drop("SliceThickness")))
    assert caught.value.reason == "missing_geometry"


@pytest.mark.parametrize("thickness", ["0", "-3", "inf", "nan"])
def test_a_slice_of_no_sensible_thickness_has_no_spacing(dicom_factory, thickness):
    with pytest.raises(DicomError, match="thickness") as caught:
        read(dicom_factory(shape=(1, 7, 11), change=set_on({0}, SliceThickness=thickness)))
    assert caught.value.reason == "missing_geometry"


def test_spacing_within_the_tolerance_is_accepted_and_beyond_it_refused(dicom_factory):
    series = dicom_factory(change=moved(4, 0.05))
    assert read(series, spacing_tolerance_fraction=0.02).volume.geometry.shape == SHAPE
    with pytest.raises(DicomError) as caught:
        read(series, spacing_tolerance_fraction=0.01)
    assert caught.value.reason == "irregular_spacing"
