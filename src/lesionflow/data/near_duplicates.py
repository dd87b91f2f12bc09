"""Find cases that hold nearly the same image, also when one is a mirrored copy of the other.

An image is reduced to the means of a coarse grid over the body, without unit and brightness. Two grids whose correlation is
high in one of the eight ways to mirror a volume are near-duplicates. A bound on that correlation, one product of matrices,
finds the few pairs worth comparing.
"""

import binascii
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

#: Cells of the grid along each axis.
CELLS = 8
#: Grids are stored as bytes: this many standard deviations below and above the mean.
RANGE_STD = 4.0
#: Bounds of values without a unit, and how many voxels are looked at for them.
CLIP_PERCENT = (1.0, 99.0)
SAMPLE_STEP = 7
#: A plane with less than this share of the fullest plane's bright voxels lies outside the body.
BOX_FRACTION = 0.05
#: Correlation from which two images count as nearly the same. Of 25 patients of one hospital and body part (STS) the most
#: alike two reach 0.91; noise, another window, lossy compression and a mirrored copy stay above 0.97.
LEAST_CORRELATION = 0.96
#: Cases that are compared with one another at once, and pairs: bound the memory for any number of cases.
TILE_ROWS, TILE_COLUMNS = 1024, 16_384
PAIRS_AT_ONCE = 20_000
#: A product of float32 vectors of length 1 is this exact.
ROUNDING = 1e-4
AXES = (1, 2, 3)
MIRRORINGS = tuple(chain.from_iterable(combinations(AXES, n) for n in range(4)))


class NearPair(NamedTuple):
    """Two cases by position, first < second, and how much alike they are."""

    first: int
    second: int
    correlation: float
    mirrored: bool


def coarse_grid(array: NDArray[np.float32], bounds: tuple[float, float] | None = None) -> str:
    """Reduce an image to its coarse grid, over what stands out from the background.

    Args:
        array: (slice, row, column) in canonical orientation.
        bounds: Values are clipped to these first, so that a copy saved through a window stays alike; percentiles when None.

    Returns:
        `CELLS` cubed bytes, as hexadecimal digits; empty when the image is flat.
    """
    low, high = bounds or (float(value) for value in np.percentile(array.ravel()[::SAMPLE_STEP], CLIP_PERCENT))
    grid = np.clip(array, low, high)
    grid = grid[_foreground_box(grid)]
    for axis in range(3):
        grid = np.moveaxis(np.tensordot(_shares(grid.shape[axis]), grid, axes=(1, axis)), 0, axis)
    spread = float(grid.std())
    if not spread > 0:
        return ""
    steps = (grid - grid.mean()) / spread * (127.0 / RANGE_STD) + 128.0
    return binascii.hexlify(np.clip(np.rint(steps), 0, 255).astype(np.uint8).tobytes()).decode()


def _foreground_box(clipped: NDArray[np.float32]) -> tuple[slice, slice, slice]:
    """Return the box around what is brighter than halfway; a plane belongs to it when it holds enough of that."""
    bright = clipped > (float(clipped.min()) + float(clipped.max())) / 2
    box = []
    for axis in range(3):
        counts = bright.sum(axis=tuple(other for other in range(3) if other != axis))
        inside = np.flatnonzero(counts >= max(BOX_FRACTION * counts.max(), 1))
        box.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(None))
    return box[0], box[1], box[2]


def find_near_duplicates(grids: Sequence[str]) -> tuple[NearPair, ...]:
    """Return all pairs of nearly the same image.

    Args:
        grids: What `coarse_grid` made of each case; an empty one is like no other.

    Returns:
        Pairs in order.
    """
    known = [position for position, grid in enumerate(grids) if grid]
    if len(known) < 2:
        return ()
    units = _unit_grids([grids[i] for i in known])
    bounds = _bounding_vectors(units)
    found: list[NearPair] = []
    for rows in range(0, len(known), TILE_ROWS):
        for columns in range(rows - rows % TILE_COLUMNS, len(known), TILE_COLUMNS):
            alike = bounds[rows : rows + TILE_ROWS] @ bounds[columns : columns + TILE_COLUMNS].T
            pairs = np.argwhere(alike >= LEAST_CORRELATION - ROUNDING) + np.array([rows, columns])
            found += _confirmed(units, pairs[pairs[:, 0] < pairs[:, 1]], known)
    return tuple(sorted(found))


def _confirmed(units: NDArray[np.float32], candidates: NDArray[np.intp], known: Sequence[int]) -> Iterator[NearPair]:
    for start in range(0, len(candidates), PAIRS_AT_ONCE):
        pairs = candidates[start : start + PAIRS_AT_ONCE]
        alike, mirrored = _compare(units, pairs)
        for row in np.flatnonzero(alike >= LEAST_CORRELATION):
            first, second = (known[int(i)] for i in pairs[row])
            yield NearPair(first, second, float(alike[row]), bool(mirrored[row]))


def group_near_duplicates(n_cases: int, pairs: Iterable[NearPair]) -> NDArray[np.int32]:
    """Return a group number for each case; cases that are linked by pairs share one."""
    linked = [(pair.first, pair.second) for pair in pairs]
    rows, columns = zip(*linked, strict=True) if linked else ((), ())
    graph = coo_matrix((np.ones(len(linked)), (rows, columns)), shape=(n_cases, n_cases))
    return np.asarray(connected_components(graph, directed=False)[1])


def _shares(n_voxels: int) -> NDArray[np.float32]:
    """Return (cell, voxel): which share of a cell each voxel makes, by exact overlap."""
    edges = np.arange(CELLS + 1) * (n_voxels / CELLS)
    voxels = np.arange(n_voxels)
    low = np.maximum(edges[:-1, None], voxels[None])
    high = np.minimum(edges[1:, None], voxels[None] + 1)
    overlap = np.clip(high - low, 0.0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)


def _unit_grids(grids: Sequence[str]) -> NDArray[np.float32]:
    raw = np.frombuffer(binascii.unhexlify("".join(grids)), np.uint8).reshape(len(grids), -1).astype(np.float32)
    raw -= raw.mean(axis=1, keepdims=True)
    raw /= np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-6)
    return raw.reshape(len(grids), CELLS, CELLS, CELLS)


def _bounding_vectors(units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a short vector for each grid; the product of two is never below the correlation of any mirrored copies.

    Mirroring leaves the part of a grid that is even along all axes as it is, and turns the sign of each of the seven
    others as a whole. So two grids correlate by no more than the product of their even parts and, for each other part, of
    its lengths (Cauchy and Schwarz).
    """
    parts = []
    for odd_axes in MIRRORINGS:
        part = units
        for axis in AXES:
            turned = np.flip(part, axis)
            part = np.asarray((part - turned if axis in odd_axes else part + turned) / 2, np.float32)
        parts.append(part)
    half = slice(None, CELLS // 2)
    # The even part stands eight times in its grid: once, times the square root of eight, has the same length.
    even = parts[0][:, half, half, half].reshape(len(units), -1) * np.sqrt(8.0)
    lengths = [np.linalg.norm(part.reshape(len(units), -1), axis=1) for part in parts[1:]]
    return np.concatenate([even, np.stack(lengths, axis=1)], axis=1).astype(np.float32)


def _compare(units: NDArray[np.float32], pairs: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    first, second = units[pairs[:, 0]], units[pairs[:, 1]]
    best = np.full(len(pairs), -1.0, np.float32)
    mirrored = np.zeros(len(pairs), bool)
    for axes in MIRRORINGS:
        alike = np.einsum("pijk,pijk->p", first, np.flip(second, axes) if axes else second)
        better = alike > best + 1e-6
        best[better], mirrored[better] = alike[better], bool(axes)
    return best, mirrored
