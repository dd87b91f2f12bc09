from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from lesionflow.augmentation import build_augmentation
from lesionflow.augmentation.volume_warp import VolumeWarp, _read, affine_mm, displacement_mm, draw_points, source_grid
from support.training_cases import STILL

SPACING = (2.0, 0.8, 1.1)


def grids(shape, spacing=SPACING):
    """Millimeters from the center, along (slice, row, column)."""
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def ellipsoid(shape, sigmas_mm):
    return np.exp(-sum((g / s) ** 2 for g, s in zip(grids(shape), sigmas_mm, strict=True)) / 2).astype(np.float32)


def warp(**changes):
    given = {
        "spacing_mm": SPACING, "rotation_degrees": 0.0, "scale_fraction": 0.0, "affine_probability": 0.0,
        "elastic_amplitude_mm": 0.0, "elastic_scale_mm": 20.0, "elastic_probability": 0.0, **changes,
    }  # fmt: skip
    return VolumeWarp(**given)


def turned(image, matrix):
    grid = source_grid(image.shape, SPACING, torch.from_numpy(matrix.astype(np.float32))[None], None)
    return _read(torch.from_numpy(image)[None, None], grid)[0, 0].numpy()


def test_nothing_to_do_changes_nothing():
    image = np.random.default_rng(0).normal(size=(2, 5, 7, 11)).astype(np.float32)
    mask = (image[:1] > 0).astype(np.uint8)
    same, same_mask = warp()(image, mask, np.random.default_rng(1))
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(same_mask, mask)
    moved, moved_mask = warp(affine_probability=1.0, elastic_probability=1.0)(image, mask, np.random.default_rng(1))
    np.testing.assert_allclose(moved, image, atol=1e-4)
    np.testing.assert_array_equal(moved_mask, mask)


def test_a_turned_and_scaled_volume_is_scipys():
    """The same matrix in mm, given to scipy as one between voxels; its mirrored border differs, so the middle is compared."""
    shape = (21, 41, 35)
    image = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=shape), 2).astype(np.float32)
    matrix = affine_mm(np.array([20.0, -15.0, 10.0]), 1.1)
    in_voxels = matrix * np.asarray(SPACING) / np.asarray(SPACING)[:, None]
    center = (np.asarray(shape) - 1) / 2
    expected = ndimage.affine_transform(image, in_voxels, center - in_voxels @ center, order=1)
    found = turned(image, matrix)
    np.testing.assert_allclose(found[6:-6, 10:-10, 10:-10], expected[6:-6, 10:-10, 10:-10], atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_positive_angle_turns_about_the_axis_it_is_named_for(axis):
    degrees = np.zeros(3)
    degrees[axis] = 30.0
    matrix = affine_mm(degrees, 1.0)
    along = np.eye(3)[axis]
    np.testing.assert_allclose(matrix @ along, along, atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    assert np.trace(matrix) == pytest.approx(1 + 2 * np.cos(np.deg2rad(30.0)))


def test_a_ball_of_tissue_stays_a_ball_on_oblong_voxels():
    shape = (25, 61, 45)
    ball = ellipsoid(shape, (6.0, 6.0, 6.0))
    matrix = affine_mm(np.array([25.0, 35.0, -20.0]), 1.2)
    found = turned(ball, matrix)
    spreads = [np.sqrt((found * g**2).sum() / found.sum()) for g in grids(shape)]
    # Linear interpolation widens by less than half a voxel, cutting at the border narrows.
    assert spreads == pytest.approx([7.2] * 3, rel=0.05)


def test_the_mask_follows_the_image():
    shape = (24, 48, 40)
    picture = ellipsoid(shape, (9.0, 7.0, 8.0))
    image, mask = np.stack([picture] * 2), (picture > 0.5)[None].astype(np.uint8)
    moving = warp(rotation_degrees=30.0, scale_fraction=0.2, affine_probability=1.0, elastic_amplitude_mm=4.0,
                  elastic_probability=1.0)  # fmt: skip
    for seed in range(5):
        changed, changed_mask = moving(image, mask, np.random.default_rng(seed))
        expected = changed[1] > 0.5
        # A shift by one column would give 0.91.
        assert 2 * (expected & (changed_mask[0] > 0)).sum() / (expected.sum() + changed_mask.sum()) > 0.95
        assert (changed_mask.shape, changed_mask.dtype, changed.dtype) == (mask.shape, np.uint8, np.float32)
        assert not np.array_equal(changed[0], picture)


def test_a_batch_is_warped_as_each_patch_alone_would_be():
    shape = (12, 24, 20)
    rng = np.random.default_rng(7)
    images = rng.normal(size=(16, 2, *shape)).astype(np.float32)
    masks = (images[:, :1] > 0.5).astype(np.uint8)
    moving = warp(rotation_degrees=30.0, affine_probability=0.5, elastic_amplitude_mm=4.0, elastic_probability=0.5)
    drawn = [moving.draw(shape, np.random.default_rng((1, seed))) for seed in range(16)]
    kinds = {(np.array_equal(draw.matrix, np.eye(3)), not draw.points.any()) for draw in drawn}
    assert (True, True) in kinds
    assert len(kinds) > 2
    stacked = (torch.from_numpy(np.stack(parts)) for parts in zip(*drawn, strict=True))
    found, found_masks = moving.apply(torch.from_numpy(images), torch.from_numpy(masks), *stacked)
    for number, draw in enumerate(drawn):
        alone, alone_mask = moving(images[number], masks[number], np.random.default_rng((1, number)))
        np.testing.assert_allclose(found[number], alone, atol=1e-5)
        assert (found_masks[number].numpy() != alone_mask).mean() < 1e-3
        if np.array_equal(draw.matrix, np.eye(3)) and not draw.points.any():
            np.testing.assert_array_equal(found[number], images[number])


def test_elastic_displacement_is_smooth_and_within_its_amplitude():
    shape = (20, 50, 40)
    for seed in range(5):
        points = draw_points(shape, SPACING, 5.0, 20.0, np.random.default_rng(seed))
        field = displacement_mm(torch.from_numpy(points)[None], shape)[0].numpy()
        assert field.shape == (*shape, 3)
        assert np.abs(field).max() <= 5.0
        # Between control points 20 mm apart, no two neighbors move apart by more than the range over that distance.
        steps = [np.abs(np.diff(field, axis=k)).max() / s for k, s in enumerate(SPACING)]
        assert max(steps) <= 2 * 5.0 / 20.0 * 2


def test_volumes_are_turned_in_three_dimensions_unless_slices_are_thick():
    shape = (16, 40, 40)
    rod = ellipsoid(shape, (30.0, 3.0, 3.0))[None]
    changes = replace(STILL, rotation_degrees=30.0, affine_probability=1.0)
    leaning = []
    for slice_mm in (1.0, 9.0):
        augmentation = build_augmentation(changes, spacing_mm=(slice_mm, 0.8, 1.1), n_image_slices=16, n_mask_slices=16)
        changed = np.mean([_finished(augmentation, rod, seed)[0] for seed in range(4)], axis=0)
        rows = np.arange(40)
        tops = [(changed[k].sum(1) * rows).sum() / changed[k].sum() for k in (2, 13)]
        leaning.append(abs(tops[0] - tops[1]))
    assert leaning[0] > 0.5
    assert leaning[1] == pytest.approx(0.0, abs=0.05)


def _finished(augmentation, image, seed):
    """What the loader makes of a patch, and then its batch."""
    changed = augmentation(image, (image > 0.5).astype(np.uint8), (seed,))
    drawn = augmentation.draw_warp(image.shape[1:], (seed,))
    if drawn is None:
        return changed[0]
    return augmentation.warp.apply(*(torch.from_numpy(part)[None] for part in (*changed, *drawn)))[0][0].numpy()
