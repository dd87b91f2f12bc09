"""Which contours of one plane lie around which: holes, islands in holes, copies, and contours that cross."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.contour_pairs import TOUCH_PIXELS, depth_outside, share_near
from lesionflow.io.dicom.contours.cost import COMPARISONS_PER_CORNER, Boxes, boxes_of, require_few_pairs, spend
from lesionflow.io.dicom.contours.filling import Corners, Filled

#: Two contours nowhere further apart than this, in pixels, are one contour drawn twice: the ring between them could hold
#: no pixel's width.
SAME_PIXELS = 0.75
#: A wall as thin along most of its length may be one contour drawn twice too, though it is thicker at corners: up to this.
SHELL_PIXELS, SHELL_FRACTION = 2 * SAME_PIXELS, 0.7
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

    @property
    def n_pixels(self) -> int:
        """How many pixels it holds."""
        return int(self.filled.inside.sum())


class _Neighbors(NamedTuple):
    """What lies around one contour: those that it is within, those that it is the same as, those it is nearly within."""

    around: set[int]
    same: set[int]
    nearly: set[int]


def levels_of(outlines: Sequence[Outline], account: Account) -> list[int]:
    """Return how many contours lie around each, one around the other: what has an odd number around it is a hole.

    Copies have the same number, and so have contours that cross: else one would be a hole of something that it lies half
    outside of.

    Raises:
        DicomError: `ambiguous_contours` where a contour that crosses another may be a hole in it or a part of it, and where one
            within another may be a hole or the same contour drawn twice; `too_many_contours`, `too_many_corners`.
    """
    if len(outlines) < 2:
        return [0] * len(outlines)
    boxes = boxes_of([outline.corners for outline in outlines])
    require_few_pairs(boxes, NARROW_PIXELS, account)
    count = partial(spend, "comparisons", account=account)
    count(-COMPARISONS_PER_CORNER * sum(len(outline.corners) for outline in outlines))
    neighbors = _neighbors(outlines, boxes, count)
    account.counts["repeated_contours"] += sum(min(own.same, default=n) < n for n, own in enumerate(neighbors))
    _refuse_shells(outlines, neighbors, count, account)
    levels = [0] * len(outlines)
    # Whatever lies around a contour has fewer around itself.
    for n in sorted(range(len(outlines)), key=lambda n: len(neighbors[n].around)):
        levels[n] = max((levels[m] + 1 for m in neighbors[n].around), default=0)
    _count_crossing(outlines, neighbors, levels, boxes, account)
    return levels


def _neighbors(outlines: Sequence[Outline], boxes: Boxes, count: Callable[[int], None]) -> list[_Neighbors]:
    depths: list[dict[int, float]] = []
    for n, one in enumerate(outlines):
        others = boxes.around(n, NARROW_PIXELS).tolist()
        found = {m: depth_outside(one.corners, outlines[m].corners, NARROW_PIXELS, count) for m in others}
        depths.append({m: depth for m, depth in found.items() if depth <= NARROW_PIXELS})
    neighbors = []
    for n, own in enumerate(depths):
        same = {m for m in own if max(own[m], depths[m].get(n, np.inf)) <= SAME_PIXELS}
        mutual = {m for m in own if n in depths[m]}
        # What leaves another by a strip that holds no pixel can be no part.
        idle = {m for m in own.keys() - mutual if _n_common(outlines[n], outlines[m]) == outlines[n].n_pixels}
        within = {m for m, depth in own.items() if depth <= TOUCH_PIXELS}
        neighbors.append(_Neighbors((within | idle) - same, same, own.keys() - mutual))
    return neighbors


def _refuse_shells(
    outlines: Sequence[Outline], neighbors: Sequence[_Neighbors], count: Callable[[int], None], account: Account
) -> None:
    """Refuse walls that are hardly there: told along their length, for distances are longest at corners."""
    for n, own in enumerate(neighbors):
        for m in own.around:
            inner, outer = outlines[n].corners, outlines[m].corners
            if depth_outside(outer, inner, SHELL_PIXELS, count) > SHELL_PIXELS:
                continue
            # Where the two touch there is no wall: what is left elsewhere is what was meant.
            shares = [share_near(outer, inner, most, count) for most in (SAME_PIXELS, TOUCH_PIXELS)]
            if shares[0] - shares[1] >= SHELL_FRACTION:
                found = f"two less than {SAME_PIXELS:g} pixels apart, which are a thin wall or one contour drawn twice"
                account.refuse("ambiguous_contours", "contours that nest or lie apart", found, "Remove one.")


def _count_crossing(
    outlines: Sequence[Outline],
    neighbors: Sequence[_Neighbors],
    levels: Sequence[int],
    boxes: Boxes,
    account: Account,
) -> None:
    crossing: set[int] = set()
    for a, own in enumerate(neighbors):
        for b in boxes.met_before(a).tolist():
            if b in own.around | own.same or a in neighbors[b].around:
                continue
            n_common = _n_common(outlines[a], outlines[b])
            if not n_common:
                continue
            # A part of which most lies in another, and the rest in a strip along its edge.
            strips = [m in neighbors[n].nearly and 2 * n_common > outlines[n].n_pixels for n, m in ((a, b), (b, a))]
            if (levels[a] - levels[b]) % 2 or any(strips):
                found = "one that crosses another's edge and may be a hole in it or a part of it"
                account.refuse("ambiguous_contours", "contours that nest or lie apart", found, "Draw it clearly.")
            crossing |= {a, b}
    account.counts["crossing_contours"] += len(crossing)


def _n_common(one: Outline, other: Outline) -> int:
    """Return how many pixels two contours have in common."""
    boxes = one.filled.box, other.filled.box
    start = [max(a.start, b.start) for a, b in zip(*boxes, strict=True)]
    stop = [min(a.stop, b.stop) for a, b in zip(*boxes, strict=True)]
    if start[0] >= stop[0] or start[1] >= stop[1]:
        return 0
    parts = [
        part.inside[start[0] - rows.start : stop[0] - rows.start, start[1] - columns.start : stop[1] - columns.start]
        for part in (one.filled, other.filled)
        for rows, columns in (part.box,)
    ]
    return int((parts[0] & parts[1]).sum())
