"""What the second stage of a cascade learns from, held against torch's interpolation and means by hand."""

import numpy as np
import pytest
import torch

from lesionflow.training import CaseArrays
from lesionflow.training.batches.case_arrays import read_block
from lesionflow.training.batches.coarse_predictions import ImageWithCoarsePredictions, shrunk, with_coarse_predictions

#: (slice, row, column), all multiples of the factors: torch's interpolation is then ours.
SHAPE, FACTORS = (5, 6, 12), (1, 2, 4)
SMALL = (5, 3, 3)
WHOLE = (..., slice(None), slice(None), slice(None))


def arrays(shape=SHAPE, small=SMALL, seed=3):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(2, *shape)).astype(np.float32)
    return image, rng.uniform(size=(3, *small)).astype(np.float32)


def test_the_whole_is_the_image_and_then_torchs_enlargement_of_what_was_found():
    image, coarse = arrays()
    both = ImageWithCoarsePredictions(image, coarse, FACTORS)
    assert both.shape == (5, *SHAPE)
    whole = both[WHOLE]
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole[:2], image)
    torchs = torch.nn.functional.interpolate(
        torch.from_numpy(coarse)[None], size=SHAPE, mode="trilinear", align_corners=False
    )
    np.testing.assert_allclose(whole[2:], torchs[0], atol=1e-6)


@pytest.mark.parametrize(("shape", "small"), [(SHAPE, SMALL), ((5, 7, 11), (5, 4, 3))])
def test_what_is_read_block_by_block_equals_the_whole_to_the_bit(shape, small):
    both = ImageWithCoarsePredictions(*arrays(shape, small), FACTORS)
    whole = both[WHOLE]
    rng = np.random.default_rng(5)
    for _ in range(40):
        low = rng.integers(shape)
        high = [rng.integers(start + 1, size + 1) for start, size in zip(low, shape, strict=True)]
        box = tuple(slice(start, end) for start, end in zip(low, high, strict=True))
        np.testing.assert_array_equal(both[(..., *box)], whole[(slice(None), *box)])


def test_a_patch_that_hangs_over_repeats_the_outermost_voxels_of_both():
    image, coarse = arrays()
    case = with_coarse_predictions(CaseArrays("c-1", image, np.zeros(SHAPE, np.uint8), {}), coarse, FACTORS)
    found = read_block(case.image, (-1, 3, 9), (3, 5, 6))
    padded = np.pad(case.image[WHOLE], [(0, 0), (1, 0), (0, 2), (0, 3)], mode="edge")
    np.testing.assert_array_equal(found, padded[:, 0:3, 3:8, 9:15])


def test_nothing_but_the_image_of_a_case_is_changed():
    image, coarse = arrays()
    case = CaseArrays("c-1", image, np.ones(SHAPE, np.uint8), {1: np.array([[1, 2, 3]])})
    told = with_coarse_predictions(case, coarse, FACTORS)
    assert (told.case_id, told.mask, told.foreground) == ("c-1", case.mask, case.foreground)
    assert case.image is image


def test_compressed_images_are_asked_for_the_block_alone():
    class Recorder:
        shape = (2, *SHAPE)

        def __getitem__(self, block):
            self.block = block
            return np.zeros((2, 2, 3, 4), np.float64)

    image = Recorder()
    block = (..., slice(1, 3), slice(0, 3), slice(4, 8))
    found = ImageWithCoarsePredictions(image, arrays()[1], FACTORS)[block]
    assert image.block == block
    assert found.shape == (5, 2, 3, 4)
    assert found.dtype == np.float32


def test_a_shrunk_case_by_hand():
    """Blocks of 1 x 2 x 4; the last column's hangs over, and repeats what is there."""
    image = np.arange(2 * 5, dtype=np.float32).reshape(1, 1, 2, 5)
    mask = np.array([[[1, 1, 2, 0, 2], [0, 2, 2, 2, 0]]], np.uint8)
    case = CaseArrays("c-1", image, mask, {1: np.argwhere(mask == 1), 2: np.argwhere(mask == 2)})
    small = shrunk(case, FACTORS)
    assert small.case_id == "c-1"
    # 0 1 2 3 and 5 6 7 8; 4 and 9, each four times.
    np.testing.assert_allclose(small.image, [[[[4.0, 6.5]]]])
    # Two 1, four 2, two 0; then as many 2 as 0, of which the lower is taken.
    assert small.mask.tolist() == [[[2, 0]]]
    assert small.foreground[1].tolist() == [[0, 0, 0]]
    assert small.foreground[2].tolist() == [[0, 0, 0], [0, 0, 1]]
