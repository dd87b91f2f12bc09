"""What would take minutes is told from counts: neither too many contours, nor what was drawn, however finely."""

import math

import numpy as np
import pytest

from lesionflow.errors import DicomError
from lesionflow.io.dicom.contours import nesting
from lesionflow.io.dicom.contours.account import Account
from lesionflow.io.dicom.contours.combining import combine
from lesionflow.io.dicom.contours.cost import boxes_of, require_few_pairs, require_few_structures
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
    def compared(*_):
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
