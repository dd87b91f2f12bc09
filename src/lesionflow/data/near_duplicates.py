"""Find cases that hold nearly the same image, also when one is a mirrored copy of the other.

An image is reduced to the means of a coarse grid over the body, without unit and brightness. Two grids whose correlation is
high in one of the eight ways to mirror a volume are near-duplicates. Mirroring leaves the even part of a grid alone, so a
search tree over even parts finds the few pairs worth comparing.
"""

import binascii
from collections.abc import Iterable, Sequence
from itertools import chain, combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

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
#: Dimensions of the search tree, and pairs compared at once: bound time and memory for 100,000 cases.
TREE_DIMENSIONS = 10
PAIRS_AT_ONCE = 20_000
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
    radius = float(np.sqrt(2.0 - 2.0 * LEAST_CORRELATION))
    tree = cKDTree(_even_parts(units))
    found: list[NearPair] = []
    candidates = tree.query_pairs(radius, output_type="ndarray")
    for start in range(0, len(candidates), PAIRS_AT_ONCE):
        pairs = candidates[start : start + PAIRS_AT_ONCE]
        alike, mirrored = _compare(units, pairs)
        for row in np.flatnonzero(alike >= LEAST_CORRELATION):
            first, second = (known[int(i)] for i in pairs[row])
            found.append(NearPair(first, second, float(alike[row]), bool(mirrored[row])))
    return tuple(sorted(found))


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


def _even_parts(units: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what no mirroring changes, in the few directions in which the cases differ most; distances only shrink."""
    even: NDArray[np.floating[Any]] = units
    for axis in AXES:
        even = (even + np.flip(even, axis)) / 2
    flat = even.reshape(len(units), -1)
    flat = flat - flat.mean(axis=0)
    _, directions = np.linalg.eigh(flat.T @ flat)
    return np.asarray(flat @ directions[:, -TREE_DIMENSIONS:])


def _compare(units: NDArray[np.float32], pairs: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    first, second = units[pairs[:, 0]], units[pairs[:, 1]]
    best = np.full(len(pairs), -1.0, np.float32)
    mirrored = np.zeros(len(pairs), bool)
    for axes in MIRRORINGS:
        alike = np.einsum("pijk,pijk->p", first, np.flip(second, axes) if axes else second)
        better = alike > best + 1e-6
        best[better], mirrored[better] = alike[better], bool(axes)
    return best, mirrored
