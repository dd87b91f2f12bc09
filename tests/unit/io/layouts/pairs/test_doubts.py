"""Pairs whose names say that the mask may lie otherwise than the image, or be another's."""

from pathlib import Path

import pytest

from lesionflow.io.layouts.pairs.doubts import ONE_OFF, TURNED, doubted
from lesionflow.io.layouts.pairs.pairing import pair


def faults(*names):
    """Return what each file's pair is doubted for, by the pair's key."""
    folder = Path("/d")
    return {found.key: found.fault for found in doubted(pair(folder, [folder / name for name in names]))}


@pytest.mark.parametrize("word", ["flip", "hflipped", "mirrored", "rot90", "rotated", "transposed", "aug"])
def test_a_mask_that_says_it_was_turned_fits_no_image_that_does_not(word):
    assert faults("images/p1.png", f"masks/p1_{word}_mask.png") == {"p1": TURNED}
    assert faults(f"images/p1_{word}.png", f"masks/p1_{word}.png") == {f"p1_{word}": None}
    assert faults(f"{word}/p1.png", f"{word}/p1_mask.png") == {f"{word}/p1": None}


def test_a_turned_mask_beside_its_turned_image_spoils_nothing():
    assert set(faults("images/p1.png", "masks/p1.png", "images/p1_flip.png", "masks/p1_flip.png").values()) == {None}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["img_0", "img_1"], ["mask_1", "mask_2"]),
        (["img_5", "img_6", "img_7"], ["mask_4", "mask_5", "mask_6"]),
        (["p1_0", "p1_1", "p2_3"], ["p1_1", "p1_2", "p2_3"]),
    ],
)
def test_numbers_that_are_all_one_off_pair_nothing(images, masks):
    found = faults(*(f"images/{name}.png" for name in images), *(f"masks/{name}.png" for name in masks))
    off = {fault for key, fault in found.items() if not key.startswith("p2")}
    assert off == {ONE_OFF}
    assert found.get("p2_3") is None


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["img_0", "img_1"], ["mask_0", "mask_1"]),
        (["img_1"], ["mask_2"]),
        (["img_1", "img_2", "img_3"], ["mask_2", "mask_3"]),
        (["img_1", "img_2"], ["mask_2", "mask_4"]),
    ],
)
def test_equal_numbers_missing_masks_and_one_pair_are_no_such_case(images, masks):
    found = faults(*(f"images/{name}.png" for name in images), *(f"masks/{name}.png" for name in masks))
    assert ONE_OFF not in found.values()
