import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import NiftiError
from lesionflow.io.images.nifti import read_arrays, read_mask, read_volume, write_mask, write_volume

OBLIQUE = np.array([[0.48, -0.36, 0.8], [-0.64, 0.48, 0.6], [0.6, 0.8, 0.0]])
GRID = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (-31.5, 12.25, 400.75), OBLIQUE)
VALUES = np.random.default_rng(6).normal(0, 100, (5, 7, 11)).astype(np.float32)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_volume_comes_back_as_it_went(tmp_path, ending):
    write_volume(tmp_path / f"a{ending}", Volume(VALUES[None], GRID))
    back = read_volume(tmp_path / f"a{ending}", name="c-1")
    np.testing.assert_array_equal(back.array[0], VALUES)
    assert back.geometry.same_grid(GRID)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float64])
def test_a_file_packed_in_two_parts_is_read_whole_and_scaled(tmp_path, kind):
    stored = np.random.default_rng(4).integers(0, 200, (5, 7, 11)).astype(kind)
    image = nib.Nifti1Image(stored.transpose(2, 1, 0), np.diag([0.5, 0.8, 3.0, 1.0]))
    image.header.set_slope_inter(0.25, -30.0)
    image.header.set_data_dtype(kind)
    content = gzip.compress(image.to_bytes()[:1000]) + gzip.compress(image.to_bytes()[1000:])
    (tmp_path / "a.nii.gz").write_bytes(content)
    found = read_volume(tmp_path / "a.nii.gz", name="c-1").array[0]
    np.testing.assert_allclose(found, stored * 0.25 - 30.0)


def test_simpleitk_sees_the_same_voxels_at_the_same_places(tmp_path):
    write_volume(tmp_path / "a.nii.gz", Volume(VALUES[None], GRID))
    image = SimpleITK.ReadImage(str(tmp_path / "a.nii.gz"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), VALUES)
    for index in ((0, 0, 0), (4, 6, 10), (1, 5, 2)):
        np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(index[::-1]), GRID.to_lps(index), atol=1e-3)


def test_what_simpleitk_writes_is_read_at_the_same_places(tmp_path):
    image = SimpleITK.GetImageFromArray(VALUES)
    image.SetSpacing((0.5, 0.8, 3.0))
    image.SetOrigin((-31.5, 12.25, 400.75))
    image.SetDirection(OBLIQUE[:, ::-1].ravel().tolist())
    SimpleITK.WriteImage(image, str(tmp_path / "a.nii.gz"))
    back = read_volume(tmp_path / "a.nii.gz", name="c-1")
    np.testing.assert_array_equal(back.array[0], VALUES)
    assert back.geometry.same_grid(GRID)


def test_whole_numbers_are_stored_small_and_come_back_the_same(tmp_path):
    write_volume(tmp_path / "a.nii", Volume(np.rint(VALUES)[None], GRID))
    assert nib.load(tmp_path / "a.nii").get_data_dtype() == np.int16
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii", name="c").array[0], np.rint(VALUES))


@pytest.mark.parametrize("value", [32768.0, -40000.0, 0.5, 1e20])
def test_nothing_is_lost_to_save_room(tmp_path, value):
    array = np.zeros((1, 5, 7, 11), dtype=np.float32)
    array[0, 1, 2, 3] = value
    write_volume(tmp_path / "a.nii", Volume(array, GRID))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii", name="c").array, array)


def test_one_channel_of_several_is_written(tmp_path):
    write_volume(tmp_path / "a.nii", Volume(np.stack([VALUES, VALUES + 1]), GRID), channel=1)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii", name="c").array[0], VALUES + 1)


def test_the_same_volume_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_volume(tmp_path / f"{name}.nii.gz", Volume(VALUES[None], GRID))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_labels_of_any_storage_type_come_back(tmp_path, dtype):
    labels = np.random.default_rng(1).integers(0, 5, (5, 7, 11)).astype(dtype)
    nib.save(nib.Nifti1Image(labels.transpose(2, 1, 0), np.diag([-0.5, -0.8, 3.0, 1.0])), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.nii.gz", name="c-1").labels, labels)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_labels_that_were_stored_with_a_slope_are_labels_still(tmp_path, ending):
    """nibabel scales float data that go into 16 bits: 1 comes back as 1.00001526."""
    labels = np.random.default_rng(1).integers(0, 3, (5, 7, 11))
    image = nib.Nifti1Image(labels.transpose(2, 1, 0).astype(np.float64), np.diag([-0.5, -0.8, 3.0, 1.0]))
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / f"a{ending}")
    assert 1.0 < np.unique(nib.load(tmp_path / f"a{ending}").get_fdata())[1] < 1.00002
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{ending}", name="c-1").labels, labels)


def test_probabilities_that_were_stored_with_a_slope_are_none(tmp_path):
    shares = np.linspace(0, 1, 5 * 7 * 11).reshape(11, 7, 5)
    image = nib.Nifti1Image(shares, np.eye(4))
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(NiftiError) as caught:
        read_mask(tmp_path / "a.nii.gz", name="c-1")
    assert caught.value.reason == "not_labels"


def test_a_mask_comes_back_as_it_went(tmp_path):
    labels = np.random.default_rng(1).integers(0, 256, (5, 7, 11)).astype(np.uint8)
    write_mask(tmp_path / "a.nii.gz", Mask(labels, GRID))
    back = read_mask(tmp_path / "a.nii.gz", name="c-1")
    np.testing.assert_array_equal(back.labels, labels)
    assert back.geometry.same_grid(GRID)


def test_a_fourth_axis_of_one_is_no_axis(tmp_path):
    nib.save(nib.Nifti1Image(VALUES.transpose(2, 1, 0)[..., None], np.eye(4)), tmp_path / "a.nii")
    assert read_volume(tmp_path / "a.nii", name="c").geometry.shape == (5, 7, 11)


def save(path, array, affine=None, *, sform=1):
    image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine)
    image.set_qform(image.affine, code=sform)
    image.set_sform(image.affine, code=sform)
    nib.save(image, path)


def test_channels_behind_an_axis_of_time_are_channels(tmp_path):
    stored = np.arange(48, dtype=np.int16).reshape(2, 3, 4, 1, 2)
    nib.save(nib.Nifti1Image(stored, np.diag([2.0, 3.0, 4.0, 1.0])), tmp_path / "a.nii")
    channels, _ = read_arrays(tmp_path / "a.nii", "c-1")
    assert [channel[3, 2, 1] for channel in channels] == [46, 47]


class TestRefusals:
    def refusal(self, path, read=read_volume):
        with pytest.raises(NiftiError) as caught:
            read(path, name="c-1")
        assert "c-1" in str(caught.value)
        assert str(path.parent) not in str(caught.value)
        return caught.value.reason

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_voxel_that_is_not_finite(self, tmp_path, value):
        array = np.zeros((11, 7, 5), dtype=np.float32)
        array[3, 2, 1] = value
        save(tmp_path / "a.nii.gz", array)
        assert self.refusal(tmp_path / "a.nii.gz") == "non_finite_voxels"

    def test_four_axes(self, tmp_path):
        save(tmp_path / "a.nii", np.zeros((4, 4, 4, 2), dtype=np.float32))
        assert self.refusal(tmp_path / "a.nii") == "not_three_dimensional"

    def test_colors(self, tmp_path):
        rgb = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
        save(tmp_path / "a.nii", rgb)
        assert self.refusal(tmp_path / "a.nii") == "not_three_dimensional"

    def test_no_place_in_the_patient(self, tmp_path):
        save(tmp_path / "a.nii", np.zeros((4, 4, 4), dtype=np.float32), sform=0)
        assert self.refusal(tmp_path / "a.nii") == "missing_geometry"

    @pytest.mark.parametrize("value", [0.5, -1.0, 256.0, np.nan])
    def test_a_mask_of_what_is_no_label(self, tmp_path, value):
        array = np.zeros((11, 7, 5), dtype=np.float32)
        array[3, 2, 1] = value
        save(tmp_path / "a.nii", array)
        assert self.refusal(tmp_path / "a.nii", read_mask) == "not_labels"

    @pytest.mark.parametrize("length", [0, 10, 200, 348, 400])
    @pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
    def test_a_file_cut_off(self, tmp_path, length, ending):
        path = tmp_path / f"a{ending}"
        write_volume(path, Volume(VALUES[None], GRID))
        path.write_bytes(path.read_bytes()[:length])
        assert self.refusal(path) == "unreadable_nifti"

    def test_another_format(self, tmp_path):
        (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"not a picture" * 100))
        assert self.refusal(tmp_path / "a.nii.gz") == "unreadable_nifti"

    def test_no_file(self, tmp_path):
        assert self.refusal(tmp_path / "a.nii.gz") == "unreadable_nifti"


@pytest.mark.parametrize("unit", ["meter", "mm", "micron", "unknown"])
def test_units_of_the_header_are_brought_to_mm_as_simpleitk_does(tmp_path, unit):
    # Half a meter is no voxel of anybody's, half a millimeter is.
    scale = 0.001 if unit == "meter" else 1.0
    image = nib.Nifti1Image(VALUES.T, np.diag([-0.5 * scale, -0.8 * scale, 3.0 * scale, 1.0]))
    image.header.set_xyzt_units(unit)
    image.to_filename(tmp_path / "a.nii")
    expected = SimpleITK.ReadImage(str(tmp_path / "a.nii")).GetSpacing()[::-1]
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii", name="c-1").geometry.spacing_mm, expected, rtol=1e-6)


def test_a_pictures_unit_is_the_pixel_still_when_it_comes_back(tmp_path):
    grid = Geometry.from_parts((1, 4, 5), (1.0, 1.0, 1.0), spacing_known=False)
    write_volume(tmp_path / "a.nii.gz", Volume(np.zeros((1, 1, 4, 5)), grid))
    write_volume(tmp_path / "b.nii.gz", Volume(VALUES[None], GRID))
    assert not read_volume(tmp_path / "a.nii.gz", name="c-1").geometry.spacing_known
    assert read_volume(tmp_path / "b.nii.gz", name="c-1").geometry.spacing_known


def test_the_last_axis_of_four_is_the_channel_for_those_who_ask(tmp_path):
    array = np.stack([VALUES.T, VALUES.T + 1], axis=-1)
    nib.Nifti1Image(array, np.diag([-0.5, -0.8, 3.0, 1.0])).to_filename(tmp_path / "a.nii")
    channels, geometry = read_arrays(tmp_path / "a.nii", "c-1")
    np.testing.assert_array_equal(channels[1], channels[0] + 1)
    assert geometry.shape == VALUES.shape
    with pytest.raises(NiftiError) as caught:
        read_volume(tmp_path / "a.nii", name="c-1")
    assert caught.value.reason == "not_three_dimensional"
