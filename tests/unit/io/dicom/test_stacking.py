import warnings

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage

from lesionflow.errors import DicomError
from lesionflow.io.dicom.series import read_series
from lesionflow.io.notes import collected
from support.dicom_factory import AXIAL, OBLIQUE, ORIGIN_MM, SHAPE, SPACING_MM


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


def test_in_which_order_files_are_read_changes_no_bit_of_the_grid(dicom_factory):
    def change(data, k):
        # Written with other roundings by slice, as a scanner does.
        data.ImageOrientationPatient = [f"{v + 1e-6 * (k % 2):.8f}" for v in (0.8, 0.6, 0.0, -0.6, 0.8, 0.0)]
        data.ImagePositionPatient = [f"{v:.4f}" for v in (-31.123, 12.2512, 0.7 * k + 0.0001 * (k % 3))]

    series = dicom_factory(shape=(9, 8, 8), spacing_mm=(0.7, 0.9, 0.9), change=change, modality="CT")
    paths = sorted(map(str, series.paths))
    orders = [paths, paths[::-1], paths[4:] + paths[:4], paths[::2] + paths[1::2]]
    grids = [read_series(tuple(order), name="study").volume.geometry.affine.tobytes() for order in orders]
    assert len(set(grids)) == 1


def test_a_single_slice_takes_its_thickness(dicom_factory):
    series = dicom_factory(shape=(1, 7, 11))
    np.testing.assert_allclose(read(series).volume.geometry.affine, series.affine_by_hand, atol=1e-6)


def test_spacing_comes_from_all_slices(dicom_factory):
    rounding = (0.0, 0.006, 0.0, -0.006, 0.008)

    def jitter(data, k):
        position = np.array(ORIGIN_MM) + (k * 3.0 + rounding[k]) * np.array(OBLIQUE[2])
        data.ImagePositionPatient = [f"{v:.8f}" for v in position]

    geometry = read(dicom_factory(change=jitter)).volume.geometry
    # Least squares by hand: numbers -2..2, their squares' sum 10; the middle slice is at the mean of all.
    step = 3.0 + (-1 * 0.006 + 1 * -0.006 + 2 * 0.008) / 10
    assert geometry.spacing_mm[0] == pytest.approx(step, abs=1e-6)
    middle = (0.006 - 0.006 + 0.008) / 5
    along = (geometry.origin_mm - np.array(ORIGIN_MM)) @ np.array(OBLIQUE[2])
    assert along == pytest.approx(6.0 + middle - 2 * step, abs=1e-6)


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


def test_places_within_the_tolerance_are_accepted_and_beyond_it_refused(dicom_factory):
    """The last of five slices 0.5 mm too far: least squares leave 0.2 mm of it there and 0.2 mm before it."""
    series = dicom_factory(change=moved(4, 0.5))
    assert read(series, spacing_tolerance_fraction=0.07).volume.geometry.shape == SHAPE
    with pytest.raises(DicomError) as caught:
        read(series, spacing_tolerance_fraction=0.06)
    assert caught.value.reason == "irregular_spacing"


def placed(heights, beside=None, digits=8):
    """Put slices at these heights along the z-axis, and beside the line through them; written with so many decimals."""

    def change(data, k):
        x, y = (0.0, 0.0) if beside is None else beside[k]
        data.ImagePositionPatient = [f"{v:.{digits}f}" for v in (x - 31.5, y + 12.25, heights[k])]

    return change


def stack(dicom_factory, heights, beside=None, digits=8, pixel_mm=0.5):
    shape = (len(heights), *SHAPE[1:])
    spacing = (3.0, pixel_mm, pixel_mm)
    series = dicom_factory(
        shape=shape, orientation=AXIAL, spacing_mm=spacing, change=placed(heights, beside, digits), modality="CT"
    )
    with collected() as notes:
        geometry = read(series).volume.geometry
    return geometry, [note.code for note in notes]


@pytest.mark.parametrize(
    ("step_mm", "digits", "n", "notes"),
    [
        (0.625, 2, 12, []),
        (0.625, 1, 12, ["uneven_positions"]),
        (1.25, 1, 40, ["uneven_positions"]),
        (3.27, 1, 30, ["uneven_positions"]),
        (0.7, 1, 9, []),
        (2.5, 1, 9, []),
    ],
)
def test_rounded_positions_make_an_even_grid(dicom_factory, step_mm, digits, n, notes):
    geometry, said = stack(dicom_factory, [step_mm * k - 100.0 for k in range(n)], digits=digits)
    assert geometry.spacing_mm[0] == pytest.approx(step_mm, abs=0.5 * 10.0**-digits / (n / 4))
    # No slice lies further from its place than it was rounded by, and what the fit makes of that.
    for k in (0, n // 2, n - 1):
        assert abs(geometry.to_lps((k, 0, 0))[2] - (step_mm * k - 100.0)) < 0.6 * 10.0**-digits
    assert said == notes


def test_every_position_within_hundredths_of_one_line_is_read(dicom_factory):
    """As a PET of a public collection has them: 2 mm slices, each up to 0.04 mm beside its place, in every direction."""
    rng = np.random.default_rng(5)
    heights = 2.0 * np.arange(20) + rng.uniform(-0.04, 0.04, 20)
    beside = rng.uniform(-0.028, 0.028, (20, 2))
    geometry, said = stack(dicom_factory, list(heights), beside)
    assert geometry.spacing_mm[0] == pytest.approx(2.0, abs=0.01)
    np.testing.assert_allclose(geometry.origin_mm, [-31.5, 12.25, 0.0], atol=0.04)
    assert said == ["uneven_positions"]


HARMED = {
    "a slice is missing": ([0, 0.625, 1.25, 2.5, 3.125, 3.75], None, "missing_slice"),
    "two are missing, after rounding": ([0, 0.63, 1.25, 1.88, 3.75, 4.38, 5.0], None, "missing_slice"),
    "one is missing of three": ([0, 3.0, 9.0], None, "missing_slice"),
    "one is half a step off": ([0, 0.625, 1.5625, 1.875, 2.5, 3.125], None, "irregular_spacing"),
    "one is a quarter of a step off": ([0, 0.625, 1.40625, 1.875, 2.5, 3.125], None, "irregular_spacing"),
    "one of many is a sixth off": ([0.6 * k + 0.1 * (k == 7) for k in range(40)], None, "irregular_spacing"),
    "steps that grow": ([3.0 * k + 0.02 * k * k for k in range(20)], None, "irregular_spacing"),
    "two parts, one step and a half apart": ([0, 3, 6, 10.5, 13.5, 16.5], None, "irregular_spacing"),
    # 0.06 mm are more than a slice here: thin slices are held to a share of their distance.
    "one of thin slices is missing": ([0, 0.05, 0.1, 0.2, 0.25], None, "missing_slice"),
    "one beside the others": ([3.0 * k for k in range(6)], [(0.5 * (k == 3), 0.0) for k in range(6)], "gantry_tilt"),
    "a tilt of 1 in 50": ([3.0 * k for k in range(6)], [(0.06 * k, 0.0) for k in range(6)], "gantry_tilt"),
}


@pytest.mark.parametrize(("heights", "beside", "reason"), HARMED.values(), ids=HARMED)
def test_what_is_no_even_stack_is_refused_by_name(dicom_factory, heights, beside, reason):
    with pytest.raises(DicomError) as caught:
        stack(dicom_factory, heights, beside)
    assert caught.value.reason == reason


def test_wide_pixels_allow_for_a_share_of_a_pixel_beside_the_line_and_no_more(dicom_factory):
    """Of 4 mm a twentieth is 0.2 mm; 0.33 mm beside the mean of all are a slice out of line."""
    heights = [3.0 * k for k in range(6)]
    for shift_mm, is_read in ((0.18, True), (0.4, False)):
        beside = [(shift_mm * (k == 3), 0.0) for k in range(6)]
        if is_read:
            assert stack(dicom_factory, heights, beside, pixel_mm=4.0)[0].shape == (6, 7, 11)
            continue
        with pytest.raises(DicomError) as caught:
            stack(dicom_factory, heights, beside, pixel_mm=4.0)
        assert caught.value.reason == "gantry_tilt"


@pytest.mark.parametrize(
    ("keyword", "values"),
    [("EchoTime", (2.3, 4.6)), ("DiffusionBValue", (0.0, 800.0)), ("TemporalPositionIdentifier", (1, 2))],
)
def test_of_several_volumes_in_one_series_it_is_said_what_they_differ_in(dicom_factory, keyword, values):
    def two_of_each(data, k):
        setattr(data, keyword, values[k % 2])
        placed([3.0 * (k // 2) for k in range(6)])(data, k)

    with pytest.raises(DicomError, match=f"differ in {keyword}") as caught:
        read(dicom_factory(shape=(6, 7, 11), orientation=AXIAL, change=two_of_each))
    assert caught.value.reason == "duplicate_slice_position"


@pytest.mark.parametrize("text", ["1e400", "1e300", "-1e7"])
def test_positions_beyond_all_reach_are_none(dicom_factory, text):
    position = set_on({4}, ImagePositionPatient=["0", "0", text])
    with pytest.raises(DicomError) as caught:
        read(dicom_factory(orientation=AXIAL, change=position))
    assert caught.value.reason == "missing_geometry"
