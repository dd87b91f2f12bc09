from pathlib import Path

import pytest

from lesionflow.io.layouts.pairs.file_roles import name_files
from lesionflow.io.layouts.pairs.mask_homes import Images, find_home


def home(name, *images):
    (mask,) = name_files(Path("/d"), [Path("/d") / f"{name}.png"])
    return find_home(mask, Images(images))


@pytest.mark.parametrize(
    ("mask", "images", "found"),
    [
        ("a_mask", ["a", "a_mask"], "a"),
        ("A_MASK", ["a", "b"], "a"),
        ("benign (4)_mask_1", ["benign (4)", "benign (41)"], "benign (4)"),
        ("segmentation-0", ["volume-0", "volume-10"], "volume-0"),
        ("label0001", ["PANCREAS_0001", "PANCREAS_0002"], "PANCREAS_0001"),
        ("21_manual1", ["21_training"], "21_training"),
        ("tumor_seg_001", ["img_001", "img_002"], "img_001"),
        ("a_b_mask_tumor", ["a", "a_b"], "a_b"),
        ("FLARE_0001_seg", ["FLARE_0001_0000"], "FLARE_0001_0000"),
    ],
)
def test_the_image_of_a_mask(mask, images, found):
    assert home(mask, *images).names == (found,)


def test_a_mask_of_none_of_them_has_no_home():
    assert home("b_mask", "a") is None
    assert home("10035_10_mask", "10035_100") is None
    assert home("mask", "a", "b") is None


def test_a_number_behind_a_masks_word_counts_masks_and_another_may_count_images():
    assert not home("a_mask_2", "a").numbered
    assert home("a_2_mask", "a").numbered
    assert not home("a_2_mask", "a", "a_2").numbered


def test_channels_told_by_numbers_are_equally_near():
    assert home("x1_mask", "x1_0000", "x1_0001").names == ("x1_0000", "x1_0001")
