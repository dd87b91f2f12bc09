import numpy as np
import pytest
from scipy import ndimage

from lesionflow.preprocessing.crop import body_box


@pytest.mark.parametrize("seed", range(60))
def test_parts_of_slices_joined_are_those_of_the_whole(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 13, 3))
    noise = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(0, 2))
    array = ((noise - np.quantile(noise, rng.uniform(0, 1))) * 1e4 - 500).astype(np.float32)
    parts, n_parts = ndimage.label(array > -500)
    sizes = np.bincount(parts.ravel())[1:]
    expected = ndimage.find_objects(parts)[sizes.argmax()] if n_parts else tuple(slice(0, n) for n in shape)
    assert body_box(array[None], ("ct",)) == expected


def test_the_box_holds_the_largest_part_and_not_the_table() -> None:
    array = np.full((1, 4, 10, 12), -1000.0, np.float32)
    array[0, :, 2:6, 3:9] = 0.0
    array[0, :, 9, :] = 100.0
    assert body_box(array, ("ct",)) == (slice(0, 4), slice(2, 6), slice(3, 9))


def test_air_alone_keeps_the_whole_grid() -> None:
    array = np.full((1, 4, 5, 6), -1000.0, np.float32)
    assert body_box(array, ("ct",)) == (slice(0, 4), slice(0, 5), slice(0, 6))
