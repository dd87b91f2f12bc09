"""The contours of one structure on one plane -> its pixels, by their type and by how they lie to one another.

Contours of type CLOSEDPLANAR_XOR combine by exclusive or (PS3.3 C.8.8.6.3). For CLOSED_PLANAR the standard leaves it open, and
programs write holes as contours within contours: one that lies wholly within another is a hole, within that an island, and
so on; contours that cross, touch or lie apart are united; the same contour twice counts once.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.contour_pairs import (
    TOUCH_PIXELS,
    has_channel,
    is_within,
    one_round,
    same_key,
    without_repeats,
)
from lesionflow.io.dicom.contours.cost import (
    COMPARISONS_PER_CORNER,
    CROSSINGS_PER_CONTOUR,
    boxes_of,
    refuse_corners,
    require_few_pairs,
    spend,
)
from lesionflow.io.dicom.contours.filling import Corners, Filled, fill_contour
from lesionflow.io.dicom.contours.nesting import Outline, levels_of
from lesionflow.io.dicom.contours.points import Contour

#: Share of a contour's pixels that it may run round twice: a loop where a hand-drawn line closes.
TWICE_FRACTION = 0.25


def combine(contours: Sequence[Contour], shape: tuple[int, int], account: Account) -> NDArray[np.bool_]:
    """Return the pixels of the contours of one plane.

    Args:
        contours: Corners (n, 2) as fractional (row, column) index.
        shape: Rows and columns of the slice.
        account: Of the structure.

    Raises:
        DicomError: `ambiguous_contours`, `duplicate_contour`, `self_crossing_contour`, `too_many_contours`, `too_many_corners`.
    """
    exclusive = {contour.exclusive for contour in contours}
    if len(exclusive) > 1:
        found = "both on one slice"
        account.refuse(
            "ambiguous_contours", "contours of type CLOSED_PLANAR or CLOSEDPLANAR_XOR", found, "Use one type."
        )
    plane = np.zeros(shape, dtype=bool)
    rounds = [_one_round(contour.corners, account) for contour in contours]
    different = list({same_key(corners): corners for corners in reversed(rounds)}.values())[::-1]
    n_copies = len(rounds) - len(different)
    outlines = [Outline(corners, _fill(corners, shape, account)) for corners in different]
    if exclusive == {True}:
        _refuse_copies(outlines, n_copies, account)
        for outline in outlines:
            plane[outline.filled.box] ^= outline.filled.inside
        return plane
    account.counts["repeated_contours"] += n_copies
    # What holds no pixel changes nothing.
    outlines = [outline for outline in outlines if outline.filled.inside.any()]
    levels = levels_of(outlines, account)
    for level in sorted(set(levels)):
        for outline in (o for o, own in zip(outlines, levels, strict=True) if own == level):
            plane[outline.filled.box][outline.filled.inside] = level % 2 == 0
    return plane


def _one_round(corners: Corners, account: Account) -> Corners:
    cleaned = without_repeats(corners)
    once = one_round(cleaned)
    account.counts["repeated_contours"] += len(once) < len(cleaned)
    return once


def _fill(corners: Corners, shape: tuple[int, int], account: Account) -> Filled:
    try:
        filled = fill_contour(corners, shape)
    except ValueError as error:
        refuse_corners(str(error), account)
    spend("crossings", filled.n_crossings - CROSSINGS_PER_CONTOUR, account)
    n_inside = int(filled.inside.sum())
    if not filled.n_twice or has_channel(corners):
        return filled
    if filled.n_twice > max(1, TWICE_FRACTION * (n_inside + filled.n_twice)):
        account.refuse(
            "self_crossing_contour",
            "contours that do not run round the same pixels twice",
            f"one that does for {filled.n_twice} of {n_inside + filled.n_twice}",
            "Is that a hole or part of it? Draw it again.",
        )
    account.counts["self_crossing_contours"] += filled.n_twice
    return filled


def _refuse_copies(outlines: Sequence[Outline], n_copies: int, account: Account) -> None:
    boxes = boxes_of([outline.corners for outline in outlines])
    require_few_pairs(boxes, TOUCH_PIXELS, account)
    spend("comparisons", -COMPARISONS_PER_CORNER * sum(len(outline.corners) for outline in outlines), account)
    within = partial(is_within, count=partial(spend, "comparisons", account=account))
    pairs = ((one.corners, outlines[m].corners) for n, one in enumerate(outlines) for m in boxes.met_before(n))
    if n_copies or any(within(one, other) and within(other, one) for one, other in pairs):
        account.refuse(
            "duplicate_contour",
            "each CLOSEDPLANAR_XOR contour once",
            "one twice on a slice: by exclusive or nothing would be left of it",
            "Remove the copy.",
        )
