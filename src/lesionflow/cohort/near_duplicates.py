"""Find cases that hold nearly the same image, also when one is a mirrored copy of the other.

Two images whose coarse grids correlate highly, in one of the eight ways to mirror a volume, may be copies. But so may two
patients be whose brains lie in one atlas, so the detail decides: that of copies correlates, that of patients does not,
beyond what all cases share.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lesionflow.cohort.correlation_search import MIRRORINGS, find_alike
from lesionflow.cohort.image_signature import PICTURE_CELLS, decode_detail, decode_grid

#: Correlation from which two coarse grids may be those of copies. Of 25 patients of one hospital and body part (STS) the most
#: alike two reach 0.88, brains of two hospitals in one atlas (BraTS) 0.92; noise, another window, lossy compression and a
#: mirrored copy stay above 0.97.
LEAST_CORRELATION = 0.96
#: Correlation of detail from which they are, beyond what the cases have in common (1: equal): of volumes, and of pictures,
#: which show less. At these no two patients of seven collections count as copies, and mirrored copies all do; what else
#: is found and missed is in docs/data.md.
LEAST_DETAIL, LEAST_PICTURE_DETAIL = 0.65, 0.55
#: How many others tell what the cases have in common, and the most that this may be: a folder of copies is still found.
N_OTHERS = 32
MOST_COMMON = 0.9
#: Where the case table holds what `sign_image` gave.
SIGNATURE_COLUMNS = ("coarse_grid", "image_detail")


class NearPair(NamedTuple):
    """Two cases by position, first < second, and how much alike they are."""

    first: int
    second: int
    correlation: float
    mirrored: bool


def find_near_duplicates(grids: Sequence[str], details: Sequence[str]) -> tuple[NearPair, ...]:
    """Return all pairs of nearly the same image.

    Args:
        grids: The coarse grid of each case, as `sign_image` made it; an empty one is like no other.
        details: The detail of each; where one is empty the coarse grids alone decide.

    Returns:
        Pairs in order.
    """
    known = [position for position, grid in enumerate(grids) if grid]
    if len(known) < 2:
        return ()
    shown = _Details(details, known)
    found: list[NearPair] = []
    for alike in find_alike(decode_grid("".join(grids[i] for i in known)), LEAST_CORRELATION):
        for row in np.flatnonzero(shown.agree(alike.positions)):
            first, second = (known[int(i)] for i in alike.positions[row])
            found.append(NearPair(first, second, float(alike.correlation[row]), bool(alike.mirrored[row])))
    return tuple(sorted(found))


class _Details:
    """The details of the cases that have a coarse grid, decoded when they are needed."""

    def __init__(self, details: Sequence[str], known: Sequence[int]) -> None:
        self._details, self._known = details, known
        self._medians: dict[tuple[int, int], float] = {}
        self._sizes = np.array([len(detail) for detail in details])[known]
        self._others = {
            int(size): _spread([int(i) for i in np.flatnonzero(self._sizes == size)])
            for size in np.unique(self._sizes[self._sizes > 0])
        }

    def agree(self, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell of each pair whether its details correlate beyond what other cases share with the two."""
        agree = np.zeros(len(pairs), bool)
        for first in np.unique(pairs[:, 0]):
            rows = np.flatnonzero(pairs[:, 0] == first)
            agree[rows] = self._agree_with(int(first), pairs[rows, 1])
        return agree

    def _agree_with(self, first: int, partners: NDArray[np.intp]) -> NDArray[np.bool_]:
        size, sizes = int(self._sizes[first]), self._sizes[partners]
        agree = np.asarray((sizes == 0) | (size == 0))
        rows = np.flatnonzero((sizes == size) & ~agree)
        if len(rows):
            own, partners = self._unit(first), partners[rows]
            turned = np.stack([np.flip(own, tuple(axis - 1 for axis in axes)).ravel() for axes in MIRRORINGS], axis=1)
            alike = (np.stack([self._unit(int(i)).ravel() for i in partners]) @ turned).max(axis=1)
            shared = [(self._shared(first, int(i)) + self._shared(int(i), first)) / 2 for i in partners]
            common = np.minimum(shared, MOST_COMMON)
            least = LEAST_PICTURE_DETAIL if own.shape == PICTURE_CELLS else LEAST_DETAIL
            agree[rows] = (alike - common) / (1 - common) >= least
        return agree

    def _shared(self, case: int, partner: int) -> float:
        """Return the median correlation of a case with others, at least 0: all brains in one atlas share much."""
        others = self._others[int(self._sizes[case])]
        left_out = partner if partner in others else case
        if (case, left_out) not in self._medians:
            own, rest = self._unit(case), [i for i in others if i not in (case, left_out)]
            values = [float(np.vdot(own, self._unit(i))) for i in rest]
            self._medians[case, left_out] = max(float(np.median(values)), 0.0) if values else 0.0
        return self._medians[case, left_out]

    def _unit(self, case: int) -> NDArray[np.float32]:
        return _unit_detail(self._details[self._known[case]])


def _spread(positions: Sequence[int]) -> list[int]:
    return list(positions[:: max(len(positions) // N_OTHERS, 1)][:N_OTHERS])


@lru_cache(maxsize=4096)
def _unit_detail(detail: str) -> NDArray[np.float32]:
    cells = decode_detail(detail)
    return np.asarray(cells / max(float(np.linalg.norm(cells)), 1e-6), np.float32)


def group_near_duplicates(n_cases: int, pairs: Iterable[NearPair]) -> NDArray[np.int32]:
    """Return a group number for each case; cases that are linked by pairs share one."""
    linked = [(pair.first, pair.second) for pair in pairs]
    rows, columns = zip(*linked, strict=True) if linked else ((), ())
    graph = coo_matrix((np.ones(len(linked)), (rows, columns)), shape=(n_cases, n_cases))
    return np.asarray(connected_components(graph, directed=False)[1])
