from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from lesionflow.data.near_duplicates import (
    CELLS,
    LEAST_CORRELATION,
    coarse_grid,
    find_near_duplicates,
    group_near_duplicates,
)

SHAPE = (21, 40, 37)
WIDE = (-1000.0, 1000.0)


def _image(seed):
    """Blobs on a body, no two alike."""
    rng = np.random.default_rng(seed)
    return (ndimage.gaussian_filter(rng.normal(size=SHAPE), 3) * 4000 - 100).astype(np.float32)


def _decode(grid):
    return np.frombuffer(bytes.fromhex(grid), np.uint8).reshape((CELLS,) * 3).astype(float)


def test_a_cell_is_the_mean_of_what_it_covers():
    array = np.random.default_rng(1).normal(size=(16, 24, 8)).astype(np.float32)
    means = array.reshape(8, 2, 8, 3, 8, 1).mean(axis=(1, 3, 5))
    expected = (means - means.mean()) / means.std() * 127 / 4 + 128
    np.testing.assert_allclose(_decode(coarse_grid(array, WIDE)), np.clip(expected, 0, 255), atol=0.51)


def test_cells_that_cut_voxels_take_shares():
    # A bright diagonal, so that nothing counts as background.
    array = (np.arange(12.0)[:, None, None] + 100 * np.eye(8)).astype(np.float32)
    # 12 voxels in 8 cells of 1.5: the first cell holds voxel 0 and half of voxel 1.
    first = np.array([(0 + 0.5) / 1.5, (0.5 + 2) / 1.5, (3 + 2) / 1.5, (2 + 5) / 1.5])
    means = np.array([*first, *(11 - first)[::-1]])[:, None, None] + 100 * np.eye(8)
    expected = (means - means.mean()) / means.std() * 127 / 4 + 128
    np.testing.assert_allclose(_decode(coarse_grid(array, WIDE)), np.clip(expected, 0, 255), atol=0.51)


@pytest.mark.parametrize(
    ("change", "mirrored"),
    [
        (lambda a: a, False),
        (lambda a: 3 * a + 500, False),
        (lambda a: a + np.random.default_rng(9).normal(0, 60, a.shape).astype(np.float32), False),
        (lambda a: np.clip(a, -600, 500), False),
        (lambda a: ndimage.zoom(a, (0.5, 0.7, 0.6), order=1), False),
        (lambda a: np.roll(a, 1, axis=2), False),
        *[(lambda a, axes=axes: np.flip(a, axes), True) for n in (1, 2, 3) for axes in combinations(range(3), n)],
    ],
)
def test_copies_are_found_whatever_was_done_to_them(change, mirrored):
    images = [_image(seed) for seed in range(6)]
    grids = [coarse_grid(image) for image in (*images, np.ascontiguousarray(change(images[3])))]
    (pair,) = find_near_duplicates(grids)
    assert pair[:2] == (3, 6)
    assert pair.mirrored is mirrored
    assert LEAST_CORRELATION <= pair.correlation <= 1.001


def test_the_search_finds_what_comparing_all_finds():
    rng = np.random.default_rng(2)
    base = [_image(seed) for seed in range(12)]
    images = base + [base[i] + rng.normal(0, s, SHAPE).astype(np.float32) for i, s in enumerate(range(0, 600, 50))]
    grids = [coarse_grid(image) for image in images]
    units = np.array([_decode(grid).ravel() for grid in grids])
    expected = {
        (i, j)
        for i, j in combinations(range(24), 2)
        if max(
            np.corrcoef(units[i], np.flip(_decode(grids[j]), axes).ravel())[0, 1]
            for n in range(4)
            for axes in combinations(range(3), n)
        )
        >= LEAST_CORRELATION
    }
    assert 3 < len(expected) < 12
    assert {pair[:2] for pair in find_near_duplicates(grids)} == expected


def test_flat_and_unknown_images_are_like_no_other():
    assert coarse_grid(np.full(SHAPE, 7.0, np.float32)) == ""
    assert find_near_duplicates(["", "", coarse_grid(_image(1))]) == ()
    assert find_near_duplicates([]) == ()


def test_a_picture_of_one_slice_has_a_grid():
    picture = _image(3)[:1]
    (pair,) = find_near_duplicates([coarse_grid(picture), coarse_grid(np.flip(picture, 2).copy())])
    assert pair.mirrored


def test_groups_are_linked_by_pairs():
    grids = [coarse_grid(_image(seed)) for seed in (1, 2, 1, 3, 1)]
    groups = group_near_duplicates(5, find_near_duplicates(grids))
    assert groups[0] == groups[2] == groups[4]
    assert len({int(group) for group in groups}) == 3
    assert len(set(group_near_duplicates(3, []).tolist())) == 3
