"""Find the pairs of coarse grids that correlate highly in one of the eight mirrorings, among any number of them.

A grid is the sum of eight orthogonal parts, each even or odd along each axis. Mirroring turns the sign of a part as a
whole. So the products of two grids' parts give the correlation in all mirrorings, the sum of their sizes bounds it, and
the product of two parts' lengths bounds what a part adds (Cauchy and Schwarz). All pairs are bounded by the few
parts that differ most between cases and the lengths of the others; only what passes is compared.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lesionflow.cohort.image_signature import CELLS
from lesionflow.config.control_groups import usable_cores

#: Cases that are bounded against one another at once, and pairs compared at once: bound the memory for any number of cases.
TILE_ROWS, TILE_COLUMNS = 1024, 2048
PAIRS_AT_ONCE = 20_000
#: A product of float32 vectors of length 1 is this exact.
ROUNDING = 1e-4
#: Pairs that tell how many parts to bound by, and how many times dearer comparing a pair is than bounding it by one part.
N_SAMPLED = 20_000
COMPARING_COST = 300
#: Threads, each with a tile of its own in memory.
MOST_THREADS = 8
#: Mirrored along none, one, two and three axes.
MIRRORINGS = tuple(chain.from_iterable(combinations((1, 2, 3), n) for n in range(4)))
#: (mirroring, part): the sign that a part takes; part 0 is even along all axes.
_ODD = np.array(list(product((0, 1), repeat=3)))
SIGNS = np.array(
    [(-1.0) ** sum((_ODD[:, axis - 1] for axis in axes), np.zeros(8)) for axes in MIRRORINGS], dtype=np.float32
)


class AlikePairs(NamedTuple):
    """Pairs (pair, 2) of positions, first < second; their highest correlation (pair,), and whether a mirroring gave it."""

    positions: NDArray[np.intp]
    correlation: NDArray[np.float32]
    mirrored: NDArray[np.bool_]


def find_alike(grids: NDArray[np.uint8], least: float) -> Iterator[AlikePairs]:
    """Find all pairs of grids that correlate by at least so much in one of the eight mirrorings.

    Args:
        grids: (case, slice, row, column), `CELLS` along each of the last three.
        least: The least correlation.

    Yields:
        Pairs, in no order.
    """
    parts = _parts(grids)
    lengths = np.stack([np.linalg.norm(part, axis=1) for part in parts])
    order = _by_difference(parts)
    n_parts = _enough_parts(parts, lengths, order, least)
    bounded = partial(_pass_bound, parts, lengths, order[:n_parts], order[n_parts:], least - ROUNDING)
    tiles = [
        (row, column)
        for row in range(0, len(grids), TILE_ROWS)
        for column in range(row - row % TILE_COLUMNS, len(grids), TILE_COLUMNS)
    ]
    workers = min(usable_cores(), MOST_THREADS)
    # Threads of BLAS would wait for one another at each of many small products.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(tiles), workers):
            for pairs in pool.map(bounded, tiles[start : start + workers]):
                yield from _compared(parts, pairs, least)


def _parts(grids: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (part, case, value) of grids less their mean, with length 1 in all: an orthogonal change of coordinates."""
    parts = np.empty((8, len(grids), (CELLS // 2) ** 3), np.float32)
    for start in range(0, len(grids), TILE_COLUMNS):
        parts[:, start : start + TILE_COLUMNS] = _parted(grids[start : start + TILE_COLUMNS])
    return parts


def _parted(grids: NDArray[np.uint8]) -> NDArray[np.float32]:
    half = CELLS // 2
    flat = grids.reshape(len(grids), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    cells: NDArray[np.float32] = flat.reshape(grids.shape)
    for axis in (1, 2, 3):
        low, high = np.split(cells, [half], axis)
        high = np.flip(high, axis)
        cells = np.concatenate([low + high, low - high], axis) * np.float32(np.sqrt(0.5))
    parted = cells.reshape(len(grids), 2, half, 2, half, 2, half).transpose(1, 3, 5, 0, 2, 4, 6)
    return parted.reshape(8, len(grids), half**3)


def _by_difference(parts: NDArray[np.float32]) -> list[int]:
    """Put the even part first, as its product has a sign; then those that differ most between cases."""
    spread = np.array([part.var(axis=0).sum() for part in parts])
    return [0, *(int(part) for part in np.argsort(-spread) if part)]


def _enough_parts(parts: NDArray[np.float32], lengths: NDArray[np.float32], order: list[int], least: float) -> int:
    """Return how many parts to bound by: more refuse more pairs, and take longer. A sample of pairs tells."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, parts.shape[1], (2, N_SAMPLED))
    products = np.einsum("pnk,pnk->np", parts[:, first], parts[:, second])[:, order]
    adding = (lengths[:, first] * lengths[:, second]).T[:, order]
    costs = []
    for n_parts in range(1, len(order) + 1):
        bound = products[:, 0] + np.abs(products[:, 1:n_parts]).sum(axis=1) + adding[:, n_parts:].sum(axis=1)
        costs.append(n_parts + COMPARING_COST * float((bound[first != second] >= least).mean()))
    return int(np.argmin(costs)) + 1


def _pass_bound(
    parts: NDArray[np.float32],
    lengths: NDArray[np.float32],
    used: list[int],
    others: list[int],
    least: float,
    tile: tuple[int, int],
) -> NDArray[np.intp]:
    """Return the (pair, 2) positions within a tile whose correlation may be high enough."""
    rows, columns = slice(tile[0], tile[0] + TILE_ROWS), slice(tile[1], tile[1] + TILE_COLUMNS)
    bound = parts[used[0], rows] @ parts[used[0], columns].T
    bound += lengths[others, rows].T @ lengths[others, columns]
    size = np.empty_like(bound)
    for part in used[1:]:
        np.matmul(parts[part, rows], parts[part, columns].T, out=size)
        bound += np.abs(size, out=size)
    pairs = np.argwhere(bound >= least) + np.array(tile)
    return np.asarray(pairs[pairs[:, 0] < pairs[:, 1]])


def _compared(parts: NDArray[np.float32], candidates: NDArray[np.intp], least: float) -> Iterator[AlikePairs]:
    for start in range(0, len(candidates), PAIRS_AT_ONCE):
        pairs = candidates[start : start + PAIRS_AT_ONCE]
        products = np.stack([np.einsum("nk,nk->n", part[pairs[:, 0]], part[pairs[:, 1]]) for part in parts], axis=1)
        alike = products @ SIGNS.T
        best = alike.max(axis=1)
        enough = best >= least
        yield AlikePairs(pairs[enough], best[enough], (best > alike[:, 0] + 1e-6)[enough])
