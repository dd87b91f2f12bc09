from dataclasses import replace

import numpy as np

from lesionflow.augmentation import build_augmentation
from lesionflow.augmentation.spatial import Warp, in_plane_affine_mm, source_pixels
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


def blob(shape, center, sigma_mm, spacing_mm):
    rows, columns = np.meshgrid(*map(np.arange, shape), indexing="ij")
    squared = ((rows - center[0]) * spacing_mm[0]) ** 2 + ((columns - center[1]) * spacing_mm[1]) ** 2
    return np.exp(-squared / (2 * sigma_mm**2)).astype(np.float32)


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
    source = source_pixels(shape, spacing, in_plane_affine_mm(angle, 1.25), None)
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
