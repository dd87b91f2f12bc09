"""Lengths follow from ends."""

import pytest

from lesionflow.data.quantities.target_finding import Diameters


def test_lengths_are_those_between_the_ends():
    found = Diameters(((0.0, 0.0, 0.0), (2.0, 3.0, 6.0)), ((1.0, 1.0, 1.0), (1.0, 1.0, -1.5)))
    assert (found.longest_mm, found.perpendicular_mm) == pytest.approx((7.0, 2.5))
