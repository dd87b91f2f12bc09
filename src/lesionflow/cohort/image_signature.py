"""What an image looks like, in a few bytes that the case table can hold: to find copies without reading images again.

The coarse grid is what a glance sees: the lie of the body. The detail is what differs between two patients of the same
anatomy: how far each cell within the body stands out from those around it.
"""

import binascii

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Cells of the coarse grid along each axis.
CELLS = 8
#: Coarse grids are stored as bytes: this many standard deviations below and above the mean.
RANGE_STD = 4.0
#: Cells of the detail: of volumes, and of pictures of one slice.
DETAIL_CELLS, PICTURE_CELLS = (16, 16, 16), (1, 32, 32)
#: Detail is stored as seven steps to each side of nothing, up to this many root mean squares.
DETAIL_RANGE, DETAIL_STEPS = 2.5, 7
#: Cells around a cell, as a standard deviation.
SURROUNDINGS_CELLS = 1.5
#: The body is what stands out from the darkest by this share of the range; a cell is within it when this much of it is.
BODY_FRACTION, HALF_FRACTION, INSIDE_FRACTION = 0.1, 0.5, 0.9
#: Bounds of values without a unit, and how many voxels are looked at for them.
CLIP_PERCENT = (1.0, 99.0)
SAMPLE_STEP = 7
#: A plane with less than this share of the fullest plane's bright voxels lies outside the body.
BOX_FRACTION = 0.05


def sign_image(array: NDArray[np.float32], bounds: tuple[float, float] | None = None) -> tuple[str, str]:
    """Reduce an image to its coarse grid and its detail, over the box of what stands out from the background.

    Args:
        array: (slice, row, column) in canonical orientation.
        bounds: Values are clipped to these first, so that a copy saved through a window stays alike; percentiles when None.

    Returns:
        The coarse grid, `CELLS` cubed bytes as hexadecimal digits, empty when the image is flat; and the detail in base64,
        two cells a byte, empty when nothing stands out within the body.
    """
    low, high = bounds or (float(value) for value in np.percentile(array.ravel()[::SAMPLE_STEP], CLIP_PERCENT))
    clipped = np.clip(array, low, high)
    boxed = clipped[_foreground_box(clipped)]
    return _coarse_grid(boxed), _detail(boxed, low + BODY_FRACTION * (high - low))


def decode_grid(coarse: str) -> NDArray[np.uint8]:
    """Return the cells of one or more coarse grids that were written one after the other."""
    return np.frombuffer(binascii.unhexlify(coarse), np.uint8).reshape(-1, CELLS, CELLS, CELLS)


def decode_detail(detail: str) -> NDArray[np.float32]:
    """Return the (slice, row, column) cells of a detail; none for an empty one."""
    raw = np.frombuffer(binascii.a2b_base64(detail), np.uint8)
    cells = np.stack([raw >> 4, raw & 15], axis=1).ravel().astype(np.float32) - (DETAIL_STEPS + 1)
    shape = next((shape for shape in (DETAIL_CELLS, PICTURE_CELLS) if np.prod(shape) == cells.size), (0, 0, 0))
    return cells.reshape(shape)


def _coarse_grid(boxed: NDArray[np.float32]) -> str:
    grid = _reduce(boxed, (CELLS,) * 3)
    spread = float(grid.std())
    if not spread > 0:
        return ""
    steps = (grid - grid.mean()) / spread * (127.0 / RANGE_STD) + 128.0
    return binascii.hexlify(np.clip(np.rint(steps), 0, 255).astype(np.uint8).tobytes()).decode()


def _detail(boxed: NDArray[np.float32], body_from: float) -> str:
    """Return each cell's difference from the body around it: what is outside has no say, so no outline of the body shows."""
    shape = PICTURE_CELLS if boxed.shape[0] == 1 else DETAIL_CELLS
    share = _reduce((boxed > body_from).astype(np.float32), shape)
    grid, weight = _reduce(boxed, shape), np.where(share > HALF_FRACTION, share, 0.0)
    width = [SURROUNDINGS_CELLS if n > 1 else 0.0 for n in shape]
    total = ndimage.gaussian_filter(weight, width, mode="constant")
    around = ndimage.gaussian_filter(grid * weight, width, mode="constant") / np.maximum(total, 1e-6)
    inside = share > INSIDE_FRACTION
    differences = np.where(inside, grid - around, 0.0)
    size = float(np.sqrt((differences**2).sum() / max(np.count_nonzero(inside), 1)))
    if not size > 1e-6 * float(np.abs(boxed).max()):
        return ""
    steps = np.clip(differences / size * (DETAIL_STEPS / DETAIL_RANGE), -DETAIL_STEPS, DETAIL_STEPS)
    cells = np.rint(steps).astype(np.int8).ravel() + (DETAIL_STEPS + 1)
    return binascii.b2a_base64((cells[::2] << 4 | cells[1::2]).astype(np.uint8).tobytes(), newline=False).decode()


def _foreground_box(clipped: NDArray[np.float32]) -> tuple[slice, slice, slice]:
    """Return the box around what is brighter than halfway; a plane belongs to it when it holds enough of that."""
    bright = clipped > (float(clipped.min()) + float(clipped.max())) / 2
    box = []
    for axis in range(3):
        counts = bright.sum(axis=tuple(other for other in range(3) if other != axis))
        inside = np.flatnonzero(counts >= max(BOX_FRACTION * counts.max(), 1))
        box.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(None))
    return box[0], box[1], box[2]


def _reduce(array: NDArray[np.float32], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return the means of as many cells along each axis."""
    for axis, n_cells in enumerate(shape):
        means = np.tensordot(_shares(array.shape[axis], n_cells), array, axes=(1, axis))
        array = np.asarray(np.moveaxis(means, 0, axis), np.float32)
    return array


def _shares(n_voxels: int, n_cells: int) -> NDArray[np.float32]:
    """Return (cell, voxel): which share of a cell each voxel makes, by exact overlap."""
    edges = np.arange(n_cells + 1) * (n_voxels / n_cells)
    voxels = np.arange(n_voxels)
    low = np.maximum(edges[:-1, None], voxels[None])
    high = np.minimum(edges[1:, None], voxels[None] + 1)
    overlap = np.clip(high - low, 0.0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)
