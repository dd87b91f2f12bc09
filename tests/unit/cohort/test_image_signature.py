import numpy as np
from scipy import ndimage

from lesionflow.cohort.image_signature import CELLS, decode_detail, sign_image
from lesionflow.cohort.near_duplicates import find_near_duplicates

SHAPE = (21, 40, 37)
WIDE = (-1000.0, 1000.0)


def _image(seed):
    """Blobs on a body, no two alike."""
    rng = np.random.default_rng(seed)
    return (ndimage.gaussian_filter(rng.normal(size=SHAPE), 3) * 4000 - 100).astype(np.float32)


def _search(images):
    signatures = [sign_image(image) for image in images]
    return find_near_duplicates([grid for grid, _ in signatures], [detail for _, detail in signatures])


def _decode(grid):
    return np.frombuffer(bytes.fromhex(grid), np.uint8).reshape((CELLS,) * 3).astype(float)


def test_a_cell_is_the_mean_of_what_it_covers():
    array = np.random.default_rng(1).normal(size=(16, 24, 8)).astype(np.float32)
    means = array.reshape(8, 2, 8, 3, 8, 1).mean(axis=(1, 3, 5))
    expected = (means - means.mean()) / means.std() * 127 / 4 + 128
    np.testing.assert_allclose(_decode(sign_image(array, WIDE)[0]), np.clip(expected, 0, 255), atol=0.51)


def test_cells_that_cut_voxels_take_shares():
    # A bright diagonal, so that nothing counts as background.
    array = (np.arange(12.0)[:, None, None] + 100 * np.eye(8)).astype(np.float32)
    # 12 voxels in 8 cells of 1.5: the first cell holds voxel 0 and half of voxel 1.
    first = np.array([(0 + 0.5) / 1.5, (0.5 + 2) / 1.5, (3 + 2) / 1.5, (2 + 5) / 1.5])
    means = np.array([*first, *(11 - first)[::-1]])[:, None, None] + 100 * np.eye(8)
    expected = (means - means.mean()) / means.std() * 127 / 4 + 128
    np.testing.assert_allclose(_decode(sign_image(array, WIDE)[0]), np.clip(expected, 0, 255), atol=0.51)


def test_a_picture_of_one_slice_has_a_grid():
    picture = _image(3)[:1]
    (pair,) = _search([picture, np.flip(picture, 2).copy()])
    assert pair.mirrored


def test_detail_is_the_difference_from_the_body_around():
    image = np.zeros((18, 18, 18), np.float32)
    image[1:-1, 1:-1, 1:-1] = 100
    image[7, 4, 9] = 130
    cells = decode_detail(sign_image(np.kron(image, np.ones((2, 3, 2), np.float32)), (0.0, 200.0))[1])
    # The box is the body's, 16 cells along each axis. The border of the body does not show, only what is around the cell.
    assert cells.shape == (16, 16, 16)
    assert np.unravel_index(cells.argmax(), cells.shape) == (6, 3, 8)
    assert (cells > 0).sum() == 1
    assert cells[6, 3, 7] <= 0
    assert not cells[12:].any()
