"""Which contours of one plane lie around which: holes, islands in holes, copies, and contours that cross."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.filling import Corners, Filled
from lesionflow.io.dicom.contours.relations import TOUCH_PIXELS, is_within

#: A contour that leaves another by less than this, in pixels, may be a hole that was drawn a little over its edge.
NARROW_PIXELS = 1.0


class Outline(NamedTuple):
    """A contour and its pixels.

    Args:
        corners: (n, 2) as fractional (row, column) index.
        filled: Its pixels.
    """

    corners: Corners
    filled: Filled


def levels_of(outlines: Sequence[Outline], account: Account) -> list[int | None]:
    """Return how many contours lie around each, one around the other; None for a copy of an earlier one.

    What has an odd number around it is a hole. Contours that cross have the same number; which they must have, or a hole
    would be one of something that it lies half outside of.

    Raises:
        DicomError: `ambiguous_contours` where a contour that crosses another may be a hole in it or a part of it.
    """
    if len(outlines) == 1:
        return [0]
    low = np.array([outline.corners.min(axis=0) for outline in outlines])
    high = np.array([outline.corners.max(axis=0) for outline in outlines])
    around = [_around(n, outlines, low, high) for n in range(len(outlines))]
    copies = {n for n, others in enumerate(around) if any(m < n and n in around[m] for m in others)}
    account.counts["repeated_contours"] += len(copies)
    levels: list[int | None] = [None] * len(outlines)
    kept = [n for n in range(len(outlines)) if n not in copies]
    # Whatever lies around a contour has fewer around itself.
    for n in sorted(kept, key=lambda n: len(around[n] - copies)):
        levels[n] = max(((levels[m] or 0) + 1 for m in around[n] - copies), default=0)
    _count_crossing(kept, outlines, around, levels, (low, high), account)
    return levels


def _around(n: int, outlines: Sequence[Outline], low: NDArray[np.float64], high: NDArray[np.float64]) -> set[int]:
    """Return the contours that one lies within."""
    near = (low <= low[n] + TOUCH_PIXELS).all(axis=1) & (high >= high[n] - TOUCH_PIXELS).all(axis=1)
    candidates = np.flatnonzero(near).tolist()
    return {m for m in candidates if m != n and is_within(outlines[n].corners, outlines[m].corners)}


def _count_crossing(
    kept: Sequence[int],
    outlines: Sequence[Outline],
    around: Sequence[set[int]],
    levels: Sequence[int | None],
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]],
    account: Account,
) -> None:
    low, high = bounds
    crossing: set[int] = set()
    for a in kept:
        meets = (low <= high[a]).all(axis=1) & (high >= low[a]).all(axis=1)
        for b in np.flatnonzero(meets[: a + 1]).tolist():
            if b == a or levels[b] is None or b in around[a] or a in around[b]:
                continue
            n_common = _n_common(outlines[a].filled, outlines[b].filled)
            if not n_common:
                continue
            holes = ((levels[a] or 0) + (levels[b] or 0)) % 2
            if holes or _is_nearly_within(a, b, outlines, n_common) != _is_nearly_within(b, a, outlines, n_common):
                found = "one that crosses another's edge and may be a hole in it or a part of it"
                account.refuse("ambiguous_contours", "contours that nest or lie apart", found, "Draw it clearly.")
            crossing |= {a, b}
    account.counts["crossing_contours"] += len(crossing)


def _n_common(one: Filled, other: Filled) -> int:
    """Return how many pixels two contours have in common."""
    start = [max(a.start, b.start) for a, b in zip(one.box, other.box, strict=True)]
    stop = [min(a.stop, b.stop) for a, b in zip(one.box, other.box, strict=True)]
    if start[0] >= stop[0] or start[1] >= stop[1]:
        return 0
    parts = [
        part.inside[start[0] - rows.start : stop[0] - rows.start, start[1] - columns.start : stop[1] - columns.start]
        for part in (one, other)
        for rows, columns in (part.box,)
    ]
    return int((parts[0] & parts[1]).sum())


def _is_nearly_within(inner: int, outer: int, outlines: Sequence[Outline], n_common: int) -> bool:
    """Tell whether one contour lies within another but for a narrow strip."""
    mostly = 2 * n_common > int(outlines[inner].filled.inside.sum())
    return mostly and is_within(outlines[inner].corners, outlines[outer].corners, NARROW_PIXELS)
