from dataclasses import replace

import numpy as np
import pytest

from lesionflow.augmentation import build_augmentation
from support.training_cases import STILL


def build(changes, spacing_mm=(0.8, 0.5), n_image_slices=3, n_mask_slices=1):
    return build_augmentation(
        changes, spacing_mm=(9.0, *spacing_mm), n_image_slices=n_image_slices, n_mask_slices=n_mask_slices
    )


def patch(shape=(2, 3, 41, 67), seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape).astype(np.float32)
    mask = (rng.random((1, 1, *shape[2:])) > 0.8).astype(np.uint8)
    return image, mask


def test_contrast_and_gamma_keep_the_range_of_each_channel():
    image, mask = patch()
    image[1] = image[1] * 3 + 10
    changes = replace(STILL, contrast_probability=1.0, contrast_fraction=0.5, gamma_probability=1.0, gamma_fraction=0.5)
    changed, _ = build(changes)(image, mask, (5,))
    for before, after in zip(image, changed, strict=True):
        assert after.min() >= before.min() - 1e-4
        assert after.max() <= before.max() + 1e-4
        assert not np.allclose(after, before)


def test_inversion_turns_light_to_dark_in_about_as_many_samples_as_asked_for():
    image, mask = patch()
    augmentation = build(replace(STILL, inversion_probability=0.3))
    n_turned = 0
    for seed in range(200):
        changed, kept = augmentation(image, mask, (seed,))
        turned = bool(changed[0, 0, 0, 0] != image[0, 0, 0, 0])
        np.testing.assert_array_equal(changed, -image if turned else image)
        np.testing.assert_array_equal(kept, mask)
        n_turned += turned
    assert 40 < n_turned < 80


def test_gamma_leaves_a_constant_channel_alone():
    image = np.full((1, 3, 8, 9), 2.5, np.float32)
    changed, _ = build(replace(STILL, gamma_probability=1.0, gamma_fraction=0.5))(
        image, np.zeros((1, 1, 8, 9), np.uint8), (5,)
    )
    np.testing.assert_array_equal(changed, image)


def test_blur_is_as_wide_in_mm_along_rows_as_along_columns():
    spacing = (2.0, 0.5)
    image = np.zeros((1, 1, 41, 161), np.float32)
    image[0, 0, 20, 80] = 1.0
    changes = replace(STILL, blur_probability=1.0, blur_sigma_mm=6.0)
    blurred = build(changes, spacing, n_image_slices=1)(image, np.zeros((1, 1, 41, 161), np.uint8), (5,))[0][0, 0]
    y, x = (np.arange(41) - 20) * spacing[0], (np.arange(161) - 80) * spacing[1]
    sigma_y = np.sqrt((blurred.sum(1) * y**2).sum() / blurred.sum())
    sigma_x = np.sqrt((blurred.sum(0) * x**2).sum() / blurred.sum())
    assert sigma_y > 1.0
    assert sigma_y == pytest.approx(sigma_x, rel=0.05)


def test_noise_has_at_most_the_given_spread_and_differs_between_slices():
    image = np.zeros((1, 3, 64, 64), np.float32)
    changes = replace(STILL, noise_probability=1.0, noise_std=0.3)
    spreads = []
    for i in range(10):
        changed = build(changes)(image, np.zeros((1, 1, 64, 64), np.uint8), (i,))[0]
        spreads.append(changed.std())
        assert not np.array_equal(changed[0, 0], changed[0, 1])
    assert 0.15 < max(spreads) < 0.32


def test_low_resolution_loses_what_a_coarse_scan_would_not_show_and_keeps_the_rest():
    rows, columns = np.indices((41, 67))
    fine = np.where((rows + columns) % 2, 3.0, -3.0)
    image = np.stack([np.stack([fine] * 3), np.stack([rows * 1.0] * 3)]).astype(np.float32)
    changes = replace(STILL, low_resolution_probability=1.0, low_resolution_factor=4.0)
    contrasts = []
    for i in range(20):
        changed, _ = build(changes)(image, np.zeros((1, 1, 41, 67), np.uint8), (i,))
        contrasts.append(changed[0].std() / 3)
        # A slope is the same at any resolution, away from the border.
        np.testing.assert_allclose(changed[1][:, 6:-6], image[1][:, 6:-6], atol=0.6)
    assert min(contrasts) < 0.2
    assert max(contrasts) <= 1.0
