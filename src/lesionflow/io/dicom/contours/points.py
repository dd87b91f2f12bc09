"""The corners of a contour as its item of the Contour Sequence tells them (PS3.3 C.8.8.6)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.io.dicom.contours.account import Account

#: Closed contours that combine by geometry. The second is no defined term, but some programs write it for what they
#: interpolated between drawn contours.
CLOSED = ("CLOSED_PLANAR", "INTERPOLATED_PLANAR")
#: Closed contours that combine by exclusive or.
EXCLUSIVE = "CLOSEDPLANAR_XOR"
#: What encloses nothing.
OPEN = ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR")
#: A contour round every pixel of a slice of 512 x 512, three times over: none that was drawn has a tenth of it.
MAX_NUMBERS = 3 << 18
#: Corners that lie this near to one line, in mm, enclose nothing.
COLLINEAR_MM = 1e-4
#: No patient lies so far away; what is finite and farther overflows.
FARTHEST_MM = 1e9


class Contour(NamedTuple):
    """One closed contour.

    Args:
        corners: (n, 3), LPS mm as read or fractional index.
        exclusive: Combined with others of its kind by exclusive or.
    """

    corners: NDArray[np.float64]
    exclusive: bool


def closed_contours(items: Any, account: Account) -> Iterator[Contour]:
    """Yield the closed contours of a Contour Sequence; what encloses nothing is counted and left out.

    Raises:
        DicomError: `open_contour` when a contour's type is none that is defined, or all are points and open lines;
            `degenerate_contour` when numbers are missing or broken, or no contour encloses anything; `truncated_contour`;
            `contour_offset` when one is to be moved.
    """
    n_closed = n_open = 0
    for item in items or ():
        kind = str(item.get("ContourGeometricType") or "").strip().upper()
        if kind in OPEN:
            n_open += 1
            continue
        _require_no_offset(item, account)
        if kind not in (*CLOSED, EXCLUSIVE):
            account.refuse("open_contour", "closed planar contours", f"one of type {kind or 'none'}", "Close them.")
        points = _points(item, account)
        if _encloses(points):
            n_closed += 1
            yield Contour(points, kind == EXCLUSIVE)
        else:
            account.counts["dropped_contours"] += 1
    if not n_closed and account.counts["dropped_contours"]:
        found = "only contours of fewer than three corners apart"
        account.refuse("degenerate_contour", "a contour that encloses something", found, "Draw it again.")
    if not n_closed and n_open:
        account.refuse("open_contour", "closed planar contours", "only points and open lines", "Close them.")
    account.counts["dropped_contours"] += n_open


def _require_no_offset(item: Any, account: Account) -> None:
    """Refuse contours that are told beside where they lie (3006,0045): the element is retired, and not all programs add it."""
    offset = item.get("ContourOffsetVector")
    values = [float(v) for v in np.atleast_1d(offset)] if offset is not None else []
    if any(value != 0.0 for value in values):
        found = f"one with an offset of {', '.join(f'{v:g}' for v in values[:3])} mm (3006,0045)"
        account.refuse("contour_offset", "contours where they lie", found, "Export them without an offset.")


def _points(item: Any, account: Account) -> NDArray[np.float64]:
    values = contour_numbers(item)
    if values.size % 3 or not (np.abs(values) < FARTHEST_MM).all():
        found = f"one of {values.size} numbers" + ("" if values.size % 3 else ", some of which say no place")
        account.refuse("degenerate_contour", "three finite numbers a point", found, "Export the outlines again.")
    points = values.reshape(-1, 3)
    told = int(item.get("NumberOfContourPoints") or len(points))
    # Too few may be the remains of a longer contour; some programs count the numbers, not the points, or a closing point.
    if len(points) < told - 1 and told != values.size:
        found = f"{len(points)} where {told} are announced"
        account.refuse("truncated_contour", "all points of each contour", found, "Export the outlines again.")
    account.counts["point_counts_differ"] += told != len(points)
    return points


def contour_numbers(item: Any) -> NDArray[np.float64]:
    """Return the numbers of a contour's points, from their bytes: as pydicom's decimal strings they take ten times as long.

    Args:
        item: An item of a contour sequence.

    Returns:
        All of them in a row, in mm; NaN for one that is empty.

    Raises:
        ValueError: When one is no number, or there are too many.
    """
    raw = item.get_item("ContourData").value if "ContourData" in item else b""
    n_numbers = raw.count(b"\\") + 1 if isinstance(raw, bytes) else len(raw or ())
    if n_numbers > MAX_NUMBERS:
        # Taken apart, text takes 40 times its bytes.
        message = f"a contour of {n_numbers} numbers, more than {MAX_NUMBERS}"
        raise ValueError(message)
    texts = raw.rstrip(b"\0 ").split(b"\\") if isinstance(raw, bytes) else list(raw or ())
    # One separator too many at the end is harmless; a number that lacks in between would shift all that follow.
    if texts and not texts[-1]:
        texts.pop()
    return np.array([float(text or "nan") for text in texts], dtype=np.float64)


def _encloses(points: NDArray[np.float64]) -> bool:
    if len(points) < 3:
        return False
    offset = points - points[0]
    length = np.linalg.norm(offset, axis=1)
    along = offset[length.argmax()] / max(length.max(), np.finfo(np.float64).tiny)
    return bool(np.linalg.norm(offset - np.outer(offset @ along, along), axis=1).max() > COLLINEAR_MM)
