"""Pictures of what is found in validation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lesionflow.training import CaseArrays, PatchShape, fit
from lesionflow.training.batches.slabs import ValidationSlabs
from lesionflow.training.pictures import sample_slices
from lesionflow.training.pictures.sample_slices import SampleSlice, choose, draw_samples, fullest
from support.training_cases import RECIPE, blob_case, blob_data, tiny_network


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


def spotted_case(case_id, spots, shape=(9, 11, 13)):
    """So many voxels of tumor in each slice named."""
    mask = np.zeros(shape, np.uint8)
    for number, n_voxels in spots.items():
        mask[number].flat[:n_voxels] = 1
    return CaseArrays(case_id, np.zeros((1, *shape), np.float32), mask, {1: np.argwhere(mask)})


def test_of_each_of_the_first_cases_the_batch_with_the_fullest_slice_is_shown():
    # Slices are dealt like cards: 0 3 6, 1 4 7, 2 5 8. The second batch of the first case has more tumor in all, not in one.
    cases = [
        spotted_case(f"c-{k}", spots) for k, spots in enumerate([{1: 20, 4: 20, 5: 30}, {3: 1}, {7: 9, 8: 8}, {0: 99}])
    ]
    slabs = ValidationSlabs(cases, ((1,),), PatchShape((1, 8, 8), 2), max_slices=99, multiple=1)
    chosen = choose(slabs)
    assert [batch.case for batch in chosen] == [0, 1, 2]
    assert [batch.mask.flatten(1).sum(1).tolist() for batch in chosen] == [[0, 30, 0], [0, 1, 0], [0, 0, 9]]


def test_what_is_empty_or_full_has_no_contour_and_titles_say_case_target_and_dice(monkeypatch):
    figures = []
    monkeypatch.setattr(sample_slices, "Figure", lambda **how: figures.append(Figure(**how)) or figures[-1])
    image, empty, full = np.zeros((9, 11), np.float32), np.zeros((9, 11), bool), np.ones((9, 11), bool)
    found = [SampleSlice("c-1", target, image, empty, full, 0.125) for target in (0, 1)]
    draw_samples(found, ["liver", "tumor"], "epoch 3")
    axes = figures[0].axes[1]
    assert not axes.collections
    assert axes.get_title() == "c-1, tumor: Dice 0.125"
    assert figures[0].get_suptitle().startswith("epoch 3\n")


def test_what_is_not_known_is_no_tumor_to_be_shown() -> None:
    case = spotted_case("c-1", {2: 5})
    mask = case.mask.copy()
    mask[6] = 255
    case = CaseArrays("c-1", case.image, mask, case.foreground | {255: np.argwhere(mask == 255)})
    slabs = ValidationSlabs([case], ((1,),), PatchShape((1, 8, 8), 2), max_slices=99, multiple=1)
    (chosen,) = choose(slabs)
    assert chosen.mask[:, 0].flatten(1).sum(1).max() == 5
