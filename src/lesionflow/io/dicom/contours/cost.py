"""How many contours may be compared: told from counts and boxes, before any geometry.

Comparing two contours takes some 0.3 ms, and their number goes up with the square of the contours: a file of 50 kB can ask for
minutes. Drawn contours lie within one or two others; the budgets hold many times what the largest structures need.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account

#: Pairs of one structure of which one's box lies within the other's, and as many more for each of its contours.
MAX_NESTED_PAIRS, NESTED_PAIRS_PER_CONTOUR = 3000, 4
#: Pairs of one structure whose boxes meet, likewise.
MAX_MEETING_PAIRS, MEETING_PAIRS_PER_CONTOUR = 20_000, 8
#: Structures that are read from one set: those of whole bodies hold some 150.
MAX_STRUCTURES = 600


class Boxes(NamedTuple):
    """The boxes round contours.

    Args:
        low: (n, 2) least corners.
        high: (n, 2) greatest corners.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def around(self, n: int, slack: float) -> NDArray[np.intp]:
        """Return the boxes that hold box `n`, but for that much."""
        holds = (self.low <= self.low[n] + slack).all(axis=1) & (self.high >= self.high[n] - slack).all(axis=1)
        holds[n] = False
        return np.flatnonzero(holds)

    def met_before(self, n: int) -> NDArray[np.intp]:
        """Return the boxes before box `n` that meet it."""
        return np.flatnonzero((self.low[:n] <= self.high[n]).all(axis=1) & (self.high[:n] >= self.low[n]).all(axis=1))


def boxes_of(corners: list[NDArray[np.float64]]) -> Boxes:
    """Return the boxes round contours (n, 2)."""
    return Boxes(np.array([c.min(axis=0) for c in corners]), np.array([c.max(axis=0) for c in corners]))


def require_few_pairs(boxes: Boxes, slack: float, account: Account) -> None:
    """Refuse contours of which more would have to be compared than any that were drawn.

    Args:
        boxes: Of the contours of one plane.
        slack: As `Boxes.around`.
        account: Of the structure; holds what its other planes took.

    Raises:
        DicomError: `too_many_contours`.
    """
    n_contours = len(boxes.low)
    account.spared_pairs["nested"] += NESTED_PAIRS_PER_CONTOUR * n_contours
    account.spared_pairs["meeting"] += MEETING_PAIRS_PER_CONTOUR * n_contours
    for n in range(n_contours):
        account.spared_pairs["nested"] -= len(boxes.around(n, slack))
        account.spared_pairs["meeting"] -= len(boxes.met_before(n))
        if account.spared_pairs["nested"] < -MAX_NESTED_PAIRS or account.spared_pairs["meeting"] < -MAX_MEETING_PAIRS:
            account.refuse(
                "too_many_contours",
                "contours of which few lie within or over one another",
                f"{n_contours} on one slice, too many of which do",
                "Were they drawn by a program that failed? Export them again.",
            )


def require_few_structures(n_structures: int, name: str) -> None:
    """Refuse a set that is read for more structures than any body has; each takes some milliseconds, however small.

    Raises:
        DicomError: `too_many_contours`.
    """
    if n_structures > MAX_STRUCTURES:
        raise DicomError(
            f"Expected at most {MAX_STRUCTURES} structures that ingest.outlines names in {name}, found {n_structures}. Name fewer.",
            reason="too_many_contours",
        )
