"""What would take minutes is told from counts: neither too many contours, nor what was drawn, however finely."""

import math
from collections import Counter

import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours import cost, nesting
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.combining import combine
from lesionflow.io.dicom.contours.cost import boxes_of, require_few_pairs, require_few_structures, spend
from lesionflow.io.dicom.contours.points import Contour

SHAPE = (128, 128)


def square(top, left, size):
    return np.array([(top, left), (top, left + size), (top + size, left + size), (top + size, left)], dtype=float)


def circle(n, radius):
    turns = 2 * math.pi * np.arange(n) / n
    return np.stack([60 + radius * np.sin(turns), 60 + radius * np.cos(turns)], axis=1)


def plane(corners, account, *, exclusive=False):
    return combine([Contour(c, exclusive) for c in corners], SHAPE, account)


@pytest.fixture
def _no_geometry(monkeypatch):
    def compared(*_, **__):
        raise AssertionError("two contours were compared")

    monkeypatch.setattr(nesting, "depth_outside", compared)


@pytest.mark.usefixtures("_no_geometry")
def test_copies_are_told_without_geometry_whatever_their_first_corner_or_sense():
    account, one = Account("c-1", "GTV"), circle(61, 20.0)
    copies = [np.roll(one if n % 2 else one[::-1], n, axis=0) for n in range(200)]
    assert (plane(copies, account) == plane([one], Account("c-1", "GTV"))).all()
    assert account.counts["repeated_contours"] == 199


@pytest.mark.usefixtures("_no_geometry")
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(
    "corners",
    [
        [square(1 + n / 4, 1 + n / 4, 120 - n / 2) for n in range(220)],
        [square(1 + n / 1e4, 1, 60) for n in range(220)],
    ],
    ids=["nested", "nearly the same"],
)
def test_too_many_in_one_another_are_refused_before_any_is_compared(corners, exclusive):
    with pytest.raises(DicomError) as refusal:
        plane(corners, Account("c-1", "GTV"), exclusive=exclusive)
    assert refusal.value.reason == "too_many_contours"


def test_the_budget_is_a_structures_not_a_planes():
    account, nested = Account("c-1", "GTV"), boxes_of([square(n, n, 100 - 2 * n) for n in range(50)])
    # 50 nested contours are 1225 pairs, of which 200 are allowed for, so 1025 of 3000 are taken.
    for _ in range(2):
        require_few_pairs(nested, 0.0, account)
    with pytest.raises(DicomError):
        require_few_pairs(nested, 0.0, account)


def test_holes_and_islands_by_the_hundred_are_read():
    holes = [square(3 * (n % 40) + 1.5, 3 * (n // 40) + 1.5, 1.0) for n in range(400)]
    found = plane([square(0.5, 0.5, 125), *holes], Account("c-1", "GTV"))
    # 125 x 125 pixels, less 400 holes of one pixel.
    assert found.sum() == 125 * 125 - 400


def test_slices_by_the_hundred_take_nothing_from_each_other():
    account = Account("c-1", "GTV")
    for _ in range(600):
        require_few_pairs(boxes_of([square(0, 0, 9), square(1, 1, 7), square(2, 2, 5)]), 0.0, account)


def test_more_structures_than_a_body_has_are_refused():
    require_few_structures(150, "c-1")
    with pytest.raises(DicomError) as refusal:
        require_few_structures(3000, "c-1")
    assert refusal.value.reason == "too_many_contours"


def comb(n_teeth, inset=0.0):
    """Return a comb: each tooth goes from row 5 to row 120, and a slit lies between two."""
    pitch = 120 / n_teeth
    teeth = [
        (row, 2 + pitch * n + across)
        for n in range(n_teeth)
        for row, across in (
            (5 + inset, inset),
            (120 - inset, inset),
            (120 - inset, pitch / 2 - inset),
            (5 + inset, pitch / 2 - inset),
        )
    ]
    return np.array([(2 + inset, 2 + inset), *teeth, (2 + inset, 122 - inset)])


def test_corners_that_are_compared_are_counted_before_they_are(monkeypatch):
    """Of two combs in one another each tooth passes the rows of all others: the work is the square of the teeth."""
    needed = {}
    for n_teeth in (50, 100):
        account = Account("c-1", "GTV")
        plane([comb(n_teeth), comb(n_teeth, 0.01)], account)
        needed[n_teeth] = account.work["comparisons"] + cost.COMPARISONS_PER_CORNER * 2 * (4 * n_teeth + 2)
    assert 3 < needed[100] / needed[50] < 5
    monkeypatch.setattr(cost, "ALLOWED", {"comparisons": 0, "crossings": 1 << 40})
    monkeypatch.setattr(nesting, "COMPARISONS_PER_CORNER", 0)
    with pytest.raises(DicomError) as refusal:
        plane([comb(100), comb(100, 0.01)], Account("c-1", "GTV"))
    assert refusal.value.reason == "too_many_corners"


def test_combs_of_hundreds_of_teeth_are_refused_when_the_count_is_spent_and_not_later(monkeypatch):
    monkeypatch.setattr(cost, "ALLOWED", {"comparisons": 1_000_000, "crossings": 1 << 40})
    account, combs = Account("c-1", "GTV"), [comb(1000, 0.001 * n) for n in range(4)]
    with pytest.raises(DicomError) as refusal:
        plane(combs, account)
    assert refusal.value.reason == "too_many_corners"
    # One part of a contour, 64 points and all edges, is the most that is counted at once.
    assert account.work["comparisons"] <= cost.ALLOWED["comparisons"] + 64 * 4_002


def test_contours_that_cross_the_rows_are_counted_together():
    zigzag = np.array([(127.0 * (n % 2), n / 1000) for n in range(60_000)])
    account = Account("c-1", "GTV", work=Counter(crossings=cost.ALLOWED["crossings"] - 7_000_000))
    with pytest.raises(DicomError) as refusal:
        plane([zigzag], account)
    assert refusal.value.reason == "too_many_corners"
    with pytest.raises(DicomError) as refusal:
        plane([np.concatenate([zigzag, zigzag + np.array([0, 0.0005])])], Account("c-1", "GTV"))
    assert refusal.value.reason == "too_many_corners"


def test_what_was_drawn_takes_nothing_of_the_budget():
    """Ten rings in one another, as finely drawn as any: each slice gives back more than it takes."""
    account = Account("c-1", "GTV")
    plane([circle(2000, 5.0 + 5 * n) for n in range(10)], account)
    assert account.work["comparisons"] < 0
    assert account.work["crossings"] < 0
    spend("comparisons", cost.ALLOWED["comparisons"], account)
