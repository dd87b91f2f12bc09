import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lesionflow.augmentation import build_augmentation
from lesionflow.training import PatchShape, fit
from lesionflow.training.batches.sampling import TrainingPatches
from lesionflow.training.pictures.check_sheet import draw_check_sheet
from lesionflow.training.pictures.samples import SampleSlice, draw_samples, fullest
from support.training_cases import CHANGES, PATCH, RECIPE, TARGETS, blob_case, blob_data, tiny_network


def train(recipe, on_pictures=None, should_stop=lambda: False):
    return fit(
        tiny_network, blob_data(batches_per_epoch=4), recipe, device="cpu", n_threads=1, on_epoch=lambda _: None,
        on_pictures=on_pictures, should_stop=should_stop,
    )  # fmt: skip


def test_pictures_come_when_the_recipe_says_and_change_nothing():
    seen = {}
    recipe = replace(RECIPE, picture_every_epochs=2)
    result = train(recipe, lambda epoch, slices: seen.update({epoch: slices}))
    assert list(seen) == [2, 4]
    plain = train(RECIPE)
    assert all(np.array_equal(result.weights[name], plain.weights[name]) for name in plain.weights)


def test_a_picture_shows_the_fullest_slice_and_what_is_found_there():
    seen = []
    train(replace(RECIPE, picture_every_epochs=4), lambda _, slices: seen.extend(slices))
    assert [found.case_id for found in seen] == ["c-2", "c-3"]
    for found, case in zip(seen, (blob_case(2), blob_case(3)), strict=True):
        (number,) = [k for k in range(len(case.mask)) if np.allclose(case.image[0, k], found.image, atol=1e-5)]
        np.testing.assert_array_equal(found.reference, case.mask[number] > 0)
        both = (found.reference & found.predicted).sum()
        assert found.dice == pytest.approx(2 * both / (found.reference.sum() + found.predicted.sum()))


def test_the_fullest_slab_and_slice_by_hand():
    mask = torch.zeros(2, 2, 3, 5, 7)
    mask[0, 0, 1, 2] = 1
    mask[1, 0, 2, 2, :4] = mask[1, 1, 2, 3, :4] = 1
    assert fullest(mask) == (1, 2)
    assert fullest(mask[:, :, 1]) == (0, 0)


def test_samples_are_drawn_a_row_a_case():
    mask = np.zeros((9, 11), bool)
    mask[2:5, 3:8] = True
    other = np.roll(mask, 3, axis=0)
    found = [
        SampleSlice(f"c-{k // 2}", k % 2, np.random.default_rng(k).normal(size=(9, 11)), mask, other, 0.0)
        for k in range(4)
    ]
    picture = draw_samples(found, ["liver", "tumor"], "epoch 3")
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    # Blue and orange contours are there.
    for color in ((0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00)):
        assert (np.abs(picture.astype(int) - color).sum(-1) < 30).any()


@pytest.mark.parametrize("patch", [PATCH, PatchShape((6, 24, 32), 3)])
def test_the_check_sheet_shows_patches_as_they_are_and_as_changed(patch):
    augmentation = build_augmentation(
        replace(CHANGES, flip_probability=1.0), spacing_mm=(3.0, 1.0, 0.8), n_image_slices=patch.size[0],
        n_mask_slices=patch.n_mask_slices,
    )  # fmt: skip
    patches = TrainingPatches(
        [blob_case(0)], TARGETS, patch, foreground_fraction=1.0, augmentation=augmentation, seed=1
    )
    plain = TrainingPatches([blob_case(0)], TARGETS, patch, foreground_fraction=1.0, augmentation=None, seed=1)
    np.testing.assert_array_equal(patches.unchanged()[(0, 3)][0], plain[(0, 3)][0])
    before = patches[(2, 1)][0]
    with Image.open(io.BytesIO(draw_check_sheet(patches))) as picture:
        assert picture.size[0] > 2 * picture.size[1]
    np.testing.assert_array_equal(patches[(2, 1)][0], before)


def test_who_asks_for_the_end_gets_a_validated_model():
    asked = []

    def after_six_batches():
        asked.append(1)
        return len(asked) >= 6

    result = train(replace(RECIPE, max_epochs=50), should_stop=after_six_batches)
    assert result.stopped_by == "request"
    assert result.epochs == 2
    assert len(asked) == 6
    assert result.validation_dice == max(row["val/dice"] for row in result.history)
