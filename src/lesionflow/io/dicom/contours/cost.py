"""What contours may take, told from counts: how many may be compared, before any geometry, and how many of their corners.

Comparing two contours takes some 0.3 ms, and their number goes up with the square of the contours: a file of 50 kB can ask for
minutes. Drawn contours lie within one or two others; the budgets hold many times what the largest structures need. So do those of
corners: a line that runs up and down the slice thousands of times passes each row, and each edge of another, as often.
"""

from types import MappingProxyType
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours.account import Account

#: Pairs of one structure of which one's box lies within the other's, and as many more for each of its contours.
MAX_NESTED_PAIRS, NESTED_PAIRS_PER_CONTOUR = 3000, 4
#: Pairs of one structure whose boxes meet, likewise.
MAX_MEETING_PAIRS, MEETING_PAIRS_PER_CONTOUR = 20_000, 8
#: What all structures of one set may take in geometry: corners compared with edges (some 30 ns each), and crossings of edges
#: and rows (some 100 ns).
ALLOWED = MappingProxyType({"comparisons": 300_000_000, "crossings": 64_000_000})
#: As many more for each corner, and for each contour: what was drawn takes a tenth of it.
COMPARISONS_PER_CORNER, CROSSINGS_PER_CONTOUR = 1000, 4096
#: Structures that are read from one set: those of whole bodies hold some 150.
MAX_STRUCTURES = 600


class Boxes(NamedTuple):
    """The boxes round contours.

    Args:
        low: (2, n) least rows and columns.
        high: (2, n) greatest rows and columns.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def around(self, n: int, slack: float) -> NDArray[np.intp]:
        """Return the boxes that hold box `n`, but for that much."""
        # A row of numbers after the other: along the short axis numpy takes thirty times as long.
        (top, left), (bottom, right) = self.low[:, n] + slack, self.high[:, n] - slack
        holds = (self.low[0] <= top) & (self.low[1] <= left) & (self.high[0] >= bottom) & (self.high[1] >= right)
        holds[n] = False
        return np.flatnonzero(holds)

    def met_before(self, n: int) -> NDArray[np.intp]:
        """Return the boxes before box `n` that meet it."""
        low, high, (top, left), (bottom, right) = self.low[:, :n], self.high[:, :n], self.low[:, n], self.high[:, n]
        return np.flatnonzero((low[0] <= bottom) & (low[1] <= right) & (high[0] >= top) & (high[1] >= left))


def boxes_of(corners: list[NDArray[np.float64]]) -> Boxes:
    """Return the boxes round contours (n, 2)."""
    low, high = np.array([c.min(axis=0) for c in corners]), np.array([c.max(axis=0) for c in corners])
    return Boxes(np.ascontiguousarray(low.T), np.ascontiguousarray(high.T))


def spend(kind: str, n: int, account: Account) -> None:
    """Count work that is about to be done, and refuse contours that take more than any that were drawn.

    Args:
        kind: Of `ALLOWED`.
        n: How much of it; less than nothing is allowed besides.
        account: Of the structure; its `work` holds what others took.

    Raises:
        DicomError: `too_many_corners`.
    """
    account.work[kind] += n
    if account.work[kind] > ALLOWED[kind]:
        refuse_corners("some that run to and fro thousands of times", account)


def refuse_corners(found: str, account: Account) -> NoReturn:
    """Refuse contours that nobody drew.

    Raises:
        DicomError: `too_many_corners`.
    """
    advice = "Were they drawn by a program that failed? Export them again."
    account.refuse("too_many_corners", "contours as people and programs draw them", found, advice)


def require_few_pairs(boxes: Boxes, slack: float, account: Account) -> None:
    """Refuse contours of which more would have to be compared than any that were drawn.

    Args:
        boxes: Of the contours of one plane.
        slack: As `Boxes.around`.
        account: Of the structure; holds what its other planes took.

    Raises:
        DicomError: `too_many_contours`.
    """
    n_contours = boxes.low.shape[1]
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
