import numpy as np
import pytest

from lesionflow.io.dicom.contours.interpolation import between, facing_parts, overlap_fraction

SHAPE = (60, 80)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]


def disc(radius, row=30, column=40, spacing=(1.0, 1.0)):
    return np.hypot((ROWS - row) * spacing[0], (COLUMNS - column) * spacing[1]) < radius


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_between_two_alike_is_the_same(share):
    np.testing.assert_array_equal(between(disc(9), disc(9), share, (1.0, 1.0)), disc(9))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.8, 0.5)])
def test_between_two_discs_lies_the_disc_between(share, spacing):
    """A cone: its radius changes linearly from slice to slice."""
    found = between(disc(6, spacing=spacing), disc(14, spacing=spacing), share, spacing)
    truth = disc(6 + 8 * share, spacing=spacing)
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


def test_what_moves_is_halfway_halfway():
    found = between(disc(10, column=36), disc(10, column=44), 0.5, (1.0, 1.0))
    assert found.any(axis=0).nonzero()[0].mean() == pytest.approx(40, abs=0.5)


def test_only_parts_that_lie_over_a_part_of_the_other_face_it():
    one, other = disc(5, 12, 12) | disc(5, 40, 60), disc(4, 12, 14) | disc(4, 40, 20)
    np.testing.assert_array_equal(facing_parts(one, other)[0], disc(5, 12, 12))
    np.testing.assert_array_equal(facing_parts(one, other)[1], disc(4, 12, 14))


def test_overlap_is_a_share_of_the_smaller():
    block = np.zeros(SHAPE, dtype=bool)
    block[10:20, 10:20] = True
    assert overlap_fraction(block, np.roll(block, 5, axis=1)) == 0.5
    assert overlap_fraction(block, np.ones(SHAPE, dtype=bool)) == 1.0
    assert overlap_fraction(block, block & False) == 0.0
