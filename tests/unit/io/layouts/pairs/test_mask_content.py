import numpy as np
import pytest

from lesionflow.io.layouts.pairs.mask_content import MAX_SHARED, is_mask_like, looks_like_mask, shared
from support.pictures import CORNER, DISC, GRAY, save, save_volume


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (DISC * 1, True),
        (DISC * 255, True),
        (DISC * 2 + CORNER, True),
        (GRAY, False),
        (GRAY % 7, False),
        (DISC * 0.5, False),
        (-1.0 * DISC, False),
        (DISC * 0, False),
    ],
)
def test_few_whole_numbers_mostly_one(array, expected):
    assert is_mask_like(array) == expected


def test_compressed_and_stored_ones(tmp_path):
    assert looks_like_mask(save(tmp_path / "a.jpg", DISC))
    assert not looks_like_mask(save(tmp_path / "b.jpg", GRAY))
    assert looks_like_mask(save_volume(tmp_path / "c.nii.gz", DISC[..., None].astype(np.int16)))
    (tmp_path / "d.nii.gz").write_bytes(b"nothing")
    assert not looks_like_mask(tmp_path / "d.nii.gz")


def test_two_outlines_of_one_thing_share_most_of_it():
    smaller = DISC & (np.indices(DISC.shape)[0] > 10)
    assert shared([DISC, smaller])[0] > MAX_SHARED
    assert shared([DISC, CORNER]) == (0, 0)
    assert shared([DISC, DISC.copy()]) == (0, 0)
    assert shared([DISC, CORNER | (DISC & (np.indices(DISC.shape)[0] > 28))])[0] < MAX_SHARED


def test_a_small_outline_within_a_large_one_is_wholly_shared():
    inner = np.zeros_like(DISC)
    inner[np.nonzero(DISC)[0][:40], np.nonzero(DISC)[1][:40]] = True
    dice, within = shared([inner, CORNER, DISC])
    assert (dice, within) == (2 * 40 / (40 + DISC.sum()), 1)
