from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from lesionflow.cohort.image_signature import CELLS, sign_image
from lesionflow.cohort.near_duplicates import LEAST_CORRELATION, find_near_duplicates, group_near_duplicates

SHAPE = (21, 40, 37)


def _image(seed):
    """Blobs on a body, no two alike."""
    rng = np.random.default_rng(seed)
    return (ndimage.gaussian_filter(rng.normal(size=SHAPE), 3) * 4000 - 100).astype(np.float32)


def _search(images):
    signatures = [sign_image(image) for image in images]
    return find_near_duplicates([grid for grid, _ in signatures], [detail for _, detail in signatures])


def _brain(patient, shape=(24, 56, 48)):
    """One atlas: skull, hemispheres and ventricles lie alike in all; tissue of a centimetre is each patient's own."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = z**2 + y**2 + x**2 < 0.95
    image = np.where(inside, 300.0 - 80 * (np.abs(x) < 0.06), 0.0)
    image -= 120 * (((np.abs(x) - 0.15) / 0.12) ** 2 + (y / 0.4) ** 2 + (z / 0.3) ** 2 < 1)
    tissue = ndimage.gaussian_filter(np.random.default_rng(patient).normal(size=shape), (1.2, 2.5, 2.5))
    return (image + inside * 45 * tissue / tissue.std()).astype(np.float32)


def _decode(grid):
    return np.frombuffer(bytes.fromhex(grid), np.uint8).reshape((CELLS,) * 3).astype(float)


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
    (pair,) = _search([*images, np.ascontiguousarray(change(images[3]))])
    assert pair[:2] == (3, 6)
    assert pair.mirrored is mirrored
    assert LEAST_CORRELATION <= pair.correlation <= 1.001


def test_the_search_finds_what_comparing_all_finds():
    rng = np.random.default_rng(2)
    base = [_image(seed) for seed in range(12)]
    images = base + [base[i] + rng.normal(0, s, SHAPE).astype(np.float32) for i, s in enumerate(range(0, 600, 50))]
    grids = [sign_image(image)[0] for image in images]
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
    assert {pair[:2] for pair in find_near_duplicates(grids, [""] * len(grids))} == expected


def test_flat_and_unknown_images_are_like_no_other():
    assert sign_image(np.full(SHAPE, 7.0, np.float32)) == ("", "")
    assert _search([np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32), _image(1)]) == ()
    assert _search([]) == ()


def test_groups_are_linked_by_pairs():
    groups = group_near_duplicates(5, _search([_image(seed) for seed in (1, 2, 1, 3, 1)]))
    assert groups[0] == groups[2] == groups[4]
    assert len({int(group) for group in groups}) == 3
    assert len(set(group_near_duplicates(3, []).tolist())) == 3


@pytest.mark.parametrize("n_patients", [2, 3, 9])
def test_brains_of_one_atlas_are_no_copies_of_one_another(n_patients):
    images = [_brain(patient) for patient in range(n_patients)]
    assert all(np.corrcoef(images[0].ravel(), image.ravel())[0, 1] > 0.9 for image in images)
    pairs = find_near_duplicates([sign_image(image)[0] for image in images], [""] * n_patients)
    assert len(pairs) == n_patients * (n_patients - 1) / 2, "their coarse grids are as alike as those of copies"
    assert _search(images) == ()


@pytest.mark.parametrize("n_patients", [1, 2, 9])
@pytest.mark.parametrize(
    ("change", "mirrored"),
    [
        (lambda a: np.flip(a, 2), True),
        (lambda a: a + np.random.default_rng(9).normal(0, 15, a.shape).astype(np.float32), False),
        (lambda a: np.rint(a / 8) * 8 + 40, False),
        (lambda a: (np.clip(a, 0, 400) / 400) ** 0.9, False),
        (lambda a: a[:, 1:, 1:-1], False),
        (lambda a: ndimage.zoom(a, (0.8, 0.7, 0.9), order=1), False),
        (lambda a: np.pad(a, 5), False),
        (lambda a: ndimage.rotate(a, 2, (1, 2), reshape=False, order=1), False),
    ],
)
def test_a_copy_is_found_among_brains_of_one_atlas(change, mirrored, n_patients):
    images = [_brain(patient) for patient in range(n_patients)]
    pairs = _search([*images, np.ascontiguousarray(change(images[0]), np.float32)])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, n_patients)]
    if mirrored:
        assert pairs[0].mirrored


def test_copies_of_one_image_alone_are_found():
    assert len(_search([_brain(3)] * 4)) == 6
