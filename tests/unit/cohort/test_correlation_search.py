from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from lesionflow.cohort.correlation_search import find_alike

N_CASES = 2500
LEAST = 0.96
MIRRORINGS = [axes for n in range(4) for axes in combinations((1, 2, 3), n)]


def _bodies(variation, width):
    """Grids of one lopsided body with the patients' own variation; forty are copies, mirrored each way, with noise."""
    rng = np.random.default_rng(5)
    body = ndimage.gaussian_filter(rng.normal(size=(8, 8, 8)), 1.2)
    own = ndimage.gaussian_filter(rng.normal(size=(N_CASES, 8, 8, 8)), (0, width, width, width))
    grids = 128 + 30 * (body / body.std() + variation * own / own.std())
    for number, case in enumerate(range(7, N_CASES, 61)):
        axes = tuple(axis - 1 for axis in MIRRORINGS[number % 8])
        grids[case] = np.flip(grids[(case * 37) % N_CASES], axes) + rng.normal(0, 0.4 * number, (8, 8, 8))
    return np.clip(np.rint(grids), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("variation", "width"), [(0.6, 0.0), (0.35, 0.8), (1.5, 0.8)])
def test_the_search_finds_what_comparing_all_in_all_mirrorings_finds(variation, width):
    grids = _bodies(variation, width)
    cells = grids.astype(float) - grids.mean(axis=(1, 2, 3), keepdims=True)
    cells /= np.sqrt((cells**2).sum(axis=(1, 2, 3), keepdims=True))
    flat = cells.reshape(N_CASES, -1)
    alike = np.stack([flat @ np.flip(cells, axes).reshape(N_CASES, -1).T for axes in MIRRORINGS])
    highest = np.triu(alike.max(axis=0), 1)
    # What lies at the threshold to within float32 may be found or not.
    sure = {(int(i), int(j)) for i, j in np.argwhere(highest >= LEAST + 1e-5)}
    possible = {(int(i), int(j)) for i, j in np.argwhere(highest >= LEAST - 1e-5)}
    assert len({(i // 1024, j // 2048) for i, j in sure}) > 3, "pairs lie in several tiles"

    found = {}
    for pairs in find_alike(grids, LEAST):
        for (first, second), correlation, mirrored in zip(*pairs, strict=True):
            assert (first, second) not in found
            found[int(first), int(second)] = (float(correlation), bool(mirrored))
    assert sure <= set(found) <= possible
    rows, columns = np.array(list(found)).T
    np.testing.assert_allclose([c for c, _ in found.values()], highest[rows, columns], atol=1e-5)
    better = alike[:, rows, columns].max(axis=0) - alike[0, rows, columns]
    told = np.array([mirrored for _, mirrored in found.values()])
    assert told[better > 1e-5].all()
    assert not told[better <= 0].any()
    assert told.any()
    assert not told.all()
