import time
from dataclasses import replace

import numpy as np
import pytest

from lesionflow.augmentation import build_augmentation
from lesionflow.augmentation.spatial import Warp, affine_mm, source_pixels
from support.training_cases import STILL

LIVELY = replace(
    STILL, flip_probability=0.5, rotation_degrees=30.0, scale_fraction=0.2, affine_probability=0.9,
    elastic_probability=0.5, elastic_amplitude_mm=4.0, noise_probability=0.5, noise_std=0.2, blur_probability=0.5,
    blur_sigma_mm=1.5, contrast_probability=0.5, contrast_fraction=0.3, gamma_probability=0.5, gamma_fraction=0.5,
)  # fmt: skip


def build(changes, spacing_mm=(0.8, 0.5), n_image_slices=3, n_mask_slices=1):
    return build_augmentation(
        changes, spacing_mm=(9.0, *spacing_mm), n_image_slices=n_image_slices, n_mask_slices=n_mask_slices
    )


def patch(shape=(2, 3, 41, 67), seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape).astype(np.float32)
    mask = (rng.random((1, 1, *shape[2:])) > 0.8).astype(np.uint8)
    return image, mask


def blob(shape, center, sigma_mm, spacing_mm):
    rows, columns = np.meshgrid(*map(np.arange, shape), indexing="ij")
    squared = ((rows - center[0]) * spacing_mm[0]) ** 2 + ((columns - center[1]) * spacing_mm[1]) ** 2
    return np.exp(-squared / (2 * sigma_mm**2)).astype(np.float32)


def test_nothing_changes_when_every_probability_is_zero():
    image, mask = patch()
    changed, changed_mask = build(STILL)(image, mask, (1, 2, 3))
    np.testing.assert_array_equal(changed, image)
    np.testing.assert_array_equal(changed_mask, mask)


def test_the_same_seed_gives_the_same_bits_in_any_order_and_another_seed_others():
    image, mask = patch()
    one, two = build(LIVELY), build(LIVELY)
    first = [one(image, mask, (7, 0, i)) for i in range(6)]
    again = [two(image, mask, (7, 0, i)) for i in reversed(range(6))][::-1]
    for (a, m), (b, n) in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(m, n)
    assert not np.array_equal(first[0][0], one(image, mask, (7, 1, 0))[0])


def test_shapes_and_types_stay_and_the_input_is_left_alone():
    image, mask = patch()
    kept, kept_mask = image.copy(), mask.copy()
    augmentation = build(LIVELY)
    for i in range(20):
        changed, changed_mask = augmentation(image, mask, (1, i))
        assert changed.shape == image.shape
        assert changed.dtype == np.float32
        assert changed_mask.shape == mask.shape
        assert set(np.unique(changed_mask)) <= {0, 1}
        assert np.isfinite(changed).all()
    np.testing.assert_array_equal(image, kept)
    np.testing.assert_array_equal(mask, kept_mask)


def test_transforms_fire_independently():
    # albumentations seeds each transform alike: then a row flip would always come with a column flip.
    image, mask = patch((1, 1, 5, 7))
    augmentation = build(replace(STILL, flip_probability=0.5), n_image_slices=1)
    seen = set()
    for i in range(40):
        changed, _ = augmentation(image, mask, (i,))
        rows = np.array_equal(changed[0, 0, ::-1, :], image[0, 0]), np.array_equal(changed[0, 0, :, ::-1], image[0, 0])
        seen.add((*rows, np.array_equal(changed, image)))
    assert len(seen) == 4


def test_flipping_slices_reverses_each_channel_and_keeps_the_channels():
    image, mask = patch((2, 3, 5, 7))
    augmentation = build(replace(STILL, flip_probability=1.0))
    changed, changed_mask = augmentation(image, mask, (0,))
    np.testing.assert_array_equal(changed, image[:, ::-1, ::-1, ::-1])
    np.testing.assert_array_equal(changed_mask, mask[:, :, ::-1, ::-1])


def test_a_mask_with_slices_is_reversed_too():
    image, mask = patch((2, 3, 5, 7))
    mask = np.random.default_rng(2).integers(0, 2, (2, 3, 5, 7)).astype(np.uint8)
    _, changed_mask = build(replace(STILL, flip_probability=1.0), n_mask_slices=3)(image, mask, (0,))
    np.testing.assert_array_equal(changed_mask, mask[:, ::-1, ::-1, ::-1])


def test_values_beyond_zero_to_one_survive():
    image, mask = patch()
    image *= 5
    changed, _ = build(replace(LIVELY, noise_probability=0.0))(image, mask, (3,))
    assert changed.min() < -3
    assert changed.max() > 3


def test_the_mask_follows_the_image():
    """A blob thresholded at half its height is its own mask; after any warp it must still be."""
    shape, spacing = (64, 96), (0.8, 0.5)
    picture = blob(shape, (30.0, 51.0), 7.0, spacing)
    image = np.stack([np.stack([picture] * 3)] * 2)
    mask = (picture > 0.5)[None, None].astype(np.uint8)
    changes = replace(
        STILL, flip_probability=0.5, rotation_degrees=40.0, scale_fraction=0.2, affine_probability=1.0,
        elastic_probability=1.0, elastic_amplitude_mm=4.0,
    )  # fmt: skip
    augmentation = build(changes, spacing)
    for i in range(10):
        changed, changed_mask = augmentation(image, mask, (i,))
        expected = changed[1, 2] > 0.5
        overlap = 2 * (expected & changed_mask[0, 0].astype(bool)).sum() / (expected.sum() + changed_mask.sum())
        # A shift by one column would give 0.96.
        assert overlap > 0.97
        np.testing.assert_array_equal(changed[0, 0], changed[1, 2])


def test_rotation_keeps_a_circle_of_tissue_a_circle_on_oblong_pixels():
    """Second moments in mm of a rotated ellipse: its axes keep their lengths and turn by the angle."""
    shape, spacing = (121, 181), (1.5, 1.0)
    rows, columns = np.meshgrid(*map(np.arange, shape), indexing="ij")
    y, x = (rows - 60) * spacing[0], (columns - 90) * spacing[1]
    ellipse = np.exp(-(y**2) / (2 * 16.0**2) - x**2 / (2 * 8.0**2)).astype(np.float32)
    angle = np.deg2rad(30.0)
    source = source_pixels(shape, spacing, affine_mm(angle, 1.25), None)
    turned = Warp.apply(None, ellipse[..., None], source)[..., 0]
    weights = turned / turned.sum()
    moments = np.array([[(weights * y * y).sum(), (weights * y * x).sum()], [0, (weights * x * x).sum()]])
    moments[1, 0] = moments[0, 1]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = turn @ np.diag([16.0**2, 8.0**2]) @ turn.T * 1.25**2
    # Linear interpolation widens a blob by less than a pixel squared.
    np.testing.assert_allclose(moments, expected, atol=1.0)


def test_elastic_displacement_stays_within_its_amplitude_in_mm():
    shape, spacing = (41, 67), (3.0, 0.5)
    ramp = np.broadcast_to(np.arange(41, dtype=np.float32)[:, None] * spacing[0], shape)
    image = np.ascontiguousarray(ramp[None, None])
    changes = replace(STILL, elastic_probability=1.0, elastic_amplitude_mm=5.0, elastic_scale_mm=30.0)
    moved = []
    for i in range(20):
        changed, _ = build(changes, spacing, n_image_slices=1)(image, np.zeros((1, 1, *shape), np.uint8), (i,))
        moved.append(np.abs(changed - image)[0, 0, 5:-5].max())
    # Cubic interpolation overshoots its control points a little.
    assert max(moved) < 5.0 * 1.3
    assert max(moved) > 1.5


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


def test_a_sample_is_changed_fast_enough_to_keep_ahead_of_the_network():
    image, mask = patch((2, 3, 96, 96))
    augmentation = build(LIVELY, (2.0, 2.0))
    augmentation(image, mask, (0,))
    started = time.process_time()
    for i in range(100):
        augmentation(image, mask, (i,))
    # Measured about 1 ms; the bound leaves room for a slow machine.
    assert (time.process_time() - started) / 100 < 0.010


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


def test_what_has_no_chance_does_not_move_the_chances_of_the_rest():
    image, mask = patch()
    without = build(LIVELY)(image, mask, (3,))[0]
    np.testing.assert_array_equal(build(replace(LIVELY, low_resolution_factor=9.0))(image, mask, (3,))[0], without)
