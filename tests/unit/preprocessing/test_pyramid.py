import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from lesionflow.preprocessing.pyramid import enlarge, shrink, shrink_labels

FACTORS = (1, 3, 2)


def test_a_shrunk_voxel_is_the_mean_of_its_block_and_ends_are_repeated():
    image = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    small = shrink(image, FACTORS)
    assert small.shape == (2, 3, 2, 3)
    assert small[1, 2, 0, 1] == image[1, 2, 0:3, 2:4].mean()
    # Row 3 alone is left for the second block, column 4 for the third: both repeated.
    assert small[0, 1, 1, 2] == image[0, 1, 3, 4]


def test_shrunk_labels_are_the_most_frequent_of_their_block():
    labels = np.zeros((1, 3, 4), np.uint8)
    labels[0, :, 0] = 4
    labels[0, 0, 1] = 4
    labels[0, :, 2:] = 2
    labels[0, 0, 3] = 4
    np.testing.assert_array_equal(shrink_labels(labels, FACTORS), [[[4, 2]]])


def test_as_frequent_as_background_is_background():
    np.testing.assert_array_equal(shrink_labels(np.array([[[0, 3]]], np.uint8), (1, 1, 2)), [[[0]]])


def test_enlarging_interpolates_between_the_middles_of_blocks():
    array = np.random.default_rng(0).random((2, 4, 3, 5), dtype=np.float32)
    shape = (4, 8, 9)
    found = enlarge(array, FACTORS, shape)
    index = np.meshgrid(*[(np.arange(n) + 0.5) / f - 0.5 for n, f in zip(shape, FACTORS, strict=True)], indexing="ij")
    expected = [map_coordinates(channel, index, order=1, mode="nearest") for channel in array]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_ramp_comes_back_where_no_block_hangs_over():
    ramp = np.broadcast_to(np.arange(12, dtype=np.float32)[None, None, :, None], (1, 2, 12, 4))
    back = enlarge(shrink(ramp, FACTORS), FACTORS, (2, 12, 4))
    np.testing.assert_allclose(back[:, :, 1:-1], ramp[:, :, 1:-1], atol=1e-5)


@pytest.mark.parametrize("box", [(slice(0, 4), slice(2, 7), slice(1, 9)), (slice(3, 4), slice(0, 1), slice(8, 9))])
def test_a_part_has_the_values_of_the_whole(box):
    array = np.random.default_rng(1).random((1, 4, 3, 5), dtype=np.float32)
    np.testing.assert_array_equal(enlarge(array, FACTORS, (4, 8, 9), box), enlarge(array, FACTORS, (4, 8, 9))[:, *box])
