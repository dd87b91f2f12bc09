"""Resampling against fields known in closed form and against SimpleITK."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.preprocessing.resampling import (
    resample_array,
    resample_mask_to_grid,
    resample_to_grid,
    spacing_geometry,
)

#: Rounding of float32 fields of about 30.
FLOAT32_TOLERANCE = 2e-5
GRADIENT = np.array([0.3, -0.2, 0.7])
OBLIQUE = Rotation.from_euler("xyz", [170, 8, 95], degrees=True).as_matrix()
SOURCE = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (10.0, -20.0, 30.0), OBLIQUE)


def _field(geometry: Geometry) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    return (geometry.to_lps(index) @ GRADIENT + 5.0)[None].astype(np.float32)


def test_a_linear_field_stays_itself_on_a_finer_grid() -> None:
    target = spacing_geometry(SOURCE, (1.5, 0.4, 0.25))
    found = resample_array(_field(SOURCE), SOURCE, target, order=1, fill=0.0)
    assert target.shape == (9, 13, 21)
    np.testing.assert_allclose(found, _field(target), atol=FLOAT32_TOLERANCE)


def test_a_linear_field_stays_itself_on_a_turned_grid() -> None:
    turn = Rotation.from_euler("xyz", [150, 18, 65], degrees=True).as_matrix()
    target = Geometry.from_parts((3, 3, 4), (1.0, 0.5, 0.4), SOURCE.to_lps([2, 3, 4]), turn)
    found = resample_array(_field(SOURCE), SOURCE, target, order=1, fill=-99.0)
    inside = found != -99.0
    assert inside.mean() > 0.5
    np.testing.assert_allclose(found[inside], _field(target)[inside], atol=FLOAT32_TOLERANCE)


def test_equal_to_simpleitk_between_two_parallel_grids() -> None:
    random = np.random.default_rng(0)
    array = random.normal(size=(1, 6, 9, 8)).astype(np.float32)
    source = Geometry.from_parts((6, 9, 8), (2.0, 1.1, 0.9), (3.0, -4.0, 5.0))
    target = Geometry.from_parts((7, 8, 9), (1.3, 0.9, 0.7), (4.0, -3.0, 6.0))
    image = sitk.GetImageFromArray(array[0])
    image.SetSpacing((0.9, 1.1, 2.0))
    image.SetOrigin((3.0, -4.0, 5.0))
    grid = sitk.Image(9, 8, 7, sitk.sitkFloat32)
    grid.SetSpacing((0.7, 0.9, 1.3))
    grid.SetOrigin((4.0, -3.0, 6.0))
    theirs = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, -7.0))
    ours = resample_array(array, source, target, order=1, fill=-7.0)[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_same_grid_gives_the_same_array() -> None:
    array = _field(SOURCE)
    assert resample_array(array, SOURCE, SOURCE, order=1, fill=0.0) is array


def test_a_part_of_a_grid_is_cut_out_and_its_slices_thinned_as_they_are() -> None:
    array = np.random.default_rng(3).normal(0, 50, (2, *SOURCE.shape)).astype(np.float32)
    part = SOURCE.cut((slice(1, 4), slice(2, 7), slice(0, 9)))
    np.testing.assert_array_equal(resample_array(array, SOURCE, part, order=1, fill=0.0), array[:, 1:4, 2:7, 0:9])
    finer = spacing_geometry(part, (3.0, 0.8, 0.25))
    found = resample_array(array, SOURCE, finer, order=1, fill=0.0)
    np.testing.assert_array_equal(found[..., ::2], array[:, 1:4, 2:7, 0:9])
    between = (array[:, 1:4, 2:7, 0:8] + array[:, 1:4, 2:7, 1:9]) / 2
    np.testing.assert_allclose(found[..., 1::2], between, atol=1e-4)


def test_outside_stands_the_fill_and_half_a_voxel_is_inside() -> None:
    source = Geometry.from_parts((1, 1, 4), (1.0, 1.0, 1.0))
    target = Geometry.from_parts((1, 1, 6), (1.0, 1.0, 1.0), (-1.6, 0.0, 0.0))
    found = resample_array(np.array([[[[1.0, 2, 3, 4]]]], np.float32), source, target, order=1, fill=9.0)[0, 0, 0]
    np.testing.assert_allclose(found, [9, 9, 1.4, 2.4, 3.4, 4.0], atol=1e-6)


def test_coarser_is_smoothed_so_that_fine_stripes_do_not_alias() -> None:
    stripes = np.tile(np.array([0.0, 1.0], np.float32), 32)[None, None, None]
    source = Geometry.from_parts((1, 1, 64), (1.0, 1.0, 1.0))
    target = spacing_geometry(source, (1.0, 1.0, 4.0))
    middle = resample_array(stripes, source, target, order=1, fill=0.0)[0, 0, 0, 2:-2]
    np.testing.assert_allclose(middle, 0.5, atol=0.02)


def test_a_mask_keeps_a_one_voxel_thin_line_on_a_finer_grid_and_all_labels() -> None:
    labels = np.zeros((3, 5, 7), np.uint8)
    labels[1, 2, :] = 3
    labels[0, 4, 6] = 1
    geometry = Geometry.from_parts((3, 5, 7), (3.0, 0.8, 0.5))
    fine = spacing_geometry(geometry, (1.0, 0.4, 0.25))
    found = resample_mask_to_grid(Mask(labels, geometry), fine)
    assert set(np.unique(found.labels)) == {0, 1, 3}
    ml = np.count_nonzero(found.labels == 3) * fine.voxel_volume_ml
    assert ml == pytest.approx(7 * geometry.voxel_volume_ml, rel=0.35)


def test_nearest_keeps_values() -> None:
    fine = spacing_geometry(SOURCE, (1.0, 0.3, 0.2))
    volume = Volume(np.rint(_field(SOURCE)), SOURCE)
    assert set(np.unique(resample_to_grid(volume, fine, order=0).array)) <= set(np.unique(volume.array))


def test_what_is_not_known_is_resampled_as_a_label_is_and_wins_where_it_has_as_much_of_a_voxel() -> None:
    source = Geometry.from_parts((1, 1, 6), (1.0, 1.0, 1.0))
    mask = Mask(np.array([[[1, 1, 255, 255, 0, 0]]]), source)
    finer = Geometry.from_parts((1, 1, 11), (1.0, 1.0, 0.5))
    found = resample_mask_to_grid(mask, finer).labels.ravel().tolist()
    assert found == [1, 1, 1, 255, 255, 255, 255, 255, 0, 0, 0]
