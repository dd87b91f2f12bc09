"""The sheet of patches, as they are and as training sees them."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lesionflow.augmentation import build_augmentation
from lesionflow.training import CaseArrays, PatchShape
from lesionflow.training.batches.sampling import TrainingPatches
from lesionflow.training.pictures import check_sheet
from lesionflow.training.pictures.check_sheet import N_PATCHES, draw_check_sheet
from support.training_cases import CHANGES, PATCH, STILL, TARGETS, blob_case


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


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn."""
    figures = []
    monkeypatch.setattr(check_sheet, "Figure", lambda **how: figures.append(Figure(**how)) or figures[-1])
    return figures


def shown(axes):
    (picture,) = axes.images
    return np.asarray(picture.get_array())


@pytest.mark.parametrize(("patch", "middle"), [(PATCH, (1,)), (PatchShape((6, 24, 32), 3), (0, 3))])
def test_it_shows_the_middle_slice_of_the_first_channel_with_and_without_changes(drawn, patch, middle):
    mirror = build_augmentation(
        replace(STILL, flip_probability=1.0), spacing_mm=(3.0, 1.0, 0.8), n_image_slices=patch.size[0],
        n_mask_slices=patch.n_mask_slices,
    )  # fmt: skip
    case = blob_case(0)
    # A second channel, which must not be shown.
    image = np.concatenate([case.image, case.image * 0 - 99.0]).astype(np.float32)
    case = CaseArrays(case.case_id, image, case.mask, case.foreground)
    patches = TrainingPatches([case], TARGETS, patch, foreground_fraction=1.0, augmentation=mirror, seed=1)
    draw_check_sheet(patches)
    (figure,) = drawn
    above, below = figure.axes[:N_PATCHES], figure.axes[N_PATCHES:]
    assert [axes.get_title() for axes in above] == [f"patch {k}" for k in range(1, N_PATCHES + 1)]
    assert (above[0].get_ylabel(), below[0].get_ylabel()) == ("as it is", "as training sees it")
    for number in range(N_PATCHES):
        sample = patches.unchanged()[(0, number)][0]
        np.testing.assert_array_equal(shown(above[number]), sample[middle])
        # All of the volume is mirrored along some axes: another slice may be the middle one.
        slices = sample[: patch.size[0]] if patch.dimensions == 2 else sample[0]
        mirrored = [way for one in slices for way in (one, one[::-1], one[:, ::-1], one[::-1, ::-1])]
        assert any(np.allclose(shown(below[number]), way, atol=1e-4) for way in mirrored)
        assert not np.allclose(shown(below[number]), shown(above[number]))
        # Tumor and surroundings are told apart by a contour.
        assert above[number].collections


def test_a_patch_of_one_gray_and_a_mask_that_fills_it_can_be_drawn(drawn):
    full = CaseArrays(
        "c-1", np.zeros((1, 5, 40, 48), np.float32), np.ones((5, 40, 48), np.uint8), {1: np.array([[2, 9, 9]])}
    )
    patches = TrainingPatches([full], TARGETS, PATCH, foreground_fraction=1.0, augmentation=None, seed=1)
    draw_check_sheet(patches)
    assert not any(axes.collections for axes in drawn[0].axes)
