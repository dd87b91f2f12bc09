import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import IGNORED, Mask, Volume, require_same_grid
from lesionflow.errors import GeometryMismatchError, InputError

GRID = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5))
OTHER = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.6))


def test_a_volume_is_float32_and_read_only():
    volume = Volume(np.ones((2, 5, 7, 11), dtype=np.int16), GRID)
    assert volume.array.dtype == np.float32
    assert volume.n_channels == 2
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0, 0] = 3


def test_the_callers_array_stays_writable():
    array = np.zeros((1, 5, 7, 11), dtype=np.float32)
    Volume(array, GRID)
    array[0, 0, 0, 0] = 1


@pytest.mark.parametrize("shape", [(5, 7, 11), (0, 5, 7, 11), (1, 5, 11, 7), (1, 1, 5, 7, 11)])
def test_an_array_that_does_not_fit_the_grid_is_refused(shape):
    with pytest.raises(InputError) as caught:
        Volume(np.zeros(shape), GRID)
    assert caught.value.reason == "invalid_array"


def test_whole_labels_of_any_type_become_uint8():
    labels = np.zeros((5, 7, 11), dtype=np.float64)
    labels[1, 2, 3] = 4.0
    mask = Mask(labels, GRID)
    assert mask.labels.dtype == np.uint8
    assert mask.labels[1, 2, 3] == 4
    with pytest.raises(ValueError, match="read-only"):
        mask.labels[0, 0, 0] = 1


@pytest.mark.parametrize("value", [0.5, -1, 256])
def test_what_is_no_label_is_refused(value):
    labels = np.zeros((5, 7, 11))
    labels[0, 0, 0] = value
    with pytest.raises(InputError) as caught:
        Mask(labels, GRID)
    assert caught.value.reason == "invalid_array"


def test_labels_of_another_shape_are_refused():
    with pytest.raises(InputError) as caught:
        Mask(np.zeros((7, 5, 11)), GRID)
    assert caught.value.reason == "invalid_array"


def test_labels_present_are_those_of_some_voxel_without_background():
    labels = np.zeros((3, 5, 7), np.uint8)
    labels[0, 4, 6], labels[2, 0, 0], labels[1] = 254, 3, IGNORED
    grid = Geometry.from_parts((3, 5, 7), (1.0, 1.0, 1.0))
    assert Mask(labels, grid).present == (3, 254)
    assert Mask(np.zeros_like(labels), grid).present == ()


def test_a_region_is_the_union_of_its_labels():
    labels = np.zeros((5, 7, 11), dtype=np.uint8)
    labels[0, 0, :4] = [1, 2, 3, 4]
    region = Mask(labels, GRID).region((1, 4))
    assert region.dtype == bool
    np.testing.assert_array_equal(np.argwhere(region), [[0, 0, 0], [0, 0, 3]])


def test_grids_that_differ_are_refused_with_both_described():
    require_same_grid(GRID, GRID, "Image and mask of case c-1")
    with pytest.raises(GeometryMismatchError, match=r"case c-1.*0\.500.*0\.600") as caught:
        require_same_grid(GRID, OTHER, "Image and mask of case c-1")
    assert caught.value.reason == "geometry_mismatch"


def test_what_is_ignored_is_a_mask_of_its_own() -> None:
    grid = Geometry.from_parts((1, 1, 3), (1.0, 1.0, 1.0))
    assert Mask(np.array([[[0, 255, 1]]]), grid).ignored.tolist() == [[[False, True, False]]]
    assert Mask(np.array([[[0, 254, 1]]]), grid).ignored is None
