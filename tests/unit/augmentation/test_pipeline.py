from dataclasses import replace

import numpy as np

from lesionflow.augmentation import build_augmentation
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


def test_values_beyond_zero_to_one_survive():
    image, mask = patch()
    image *= 5
    changed, _ = build(replace(LIVELY, noise_probability=0.0))(image, mask, (3,))
    assert changed.min() < -3
    assert changed.max() > 3


def test_what_has_no_chance_does_not_move_the_chances_of_the_rest():
    image, mask = patch()
    without = build(LIVELY)(image, mask, (3,))[0]
    np.testing.assert_array_equal(build(replace(LIVELY, low_resolution_factor=9.0))(image, mask, (3,))[0], without)
