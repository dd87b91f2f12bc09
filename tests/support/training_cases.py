"""Small cases in model space, a small network and a recipe: what the tests of training train on."""

import numpy as np
import torch

from lesionflow.augmentation import Changes
from lesionflow.training import CaseArrays, CaseDataModule, PatchShape, Recipe
from lesionflow.training.batches.sampling import TrainingPatches
from lesionflow.training.batches.slabs import ValidationSlabs

RECIPE = Recipe(
    seed=3, max_epochs=4, max_minutes=5.0, loss="dice_bce", optimizer="adam", learning_rate=5e-3, weight_decay=0.0,
    scheduler="plateau", plateau_patience_epochs=2, plateau_factor=0.3, early_stopping_patience_epochs=5,
    gradient_clip_norm=12.0, probability_threshold=0.5, deterministic=True, precision="auto", compile=False,
    encoder="0\\.", frozen_epochs=0, encoder_learning_rate_fraction=1.0, averaging_decay=0.0, picture_every_epochs=0,
)  # fmt: skip
CHANGES = Changes(
    flip_probability=0.5, rotation_degrees=30.0, scale_fraction=0.2, affine_probability=0.5, elastic_probability=0.5,
    elastic_amplitude_mm=2.0, elastic_scale_mm=20.0, noise_probability=0.5, noise_std=0.2, blur_probability=0.5,
    blur_sigma_mm=1.5, inversion_probability=0.0, contrast_probability=0.5, contrast_fraction=0.3,
    gamma_probability=0.5, gamma_fraction=0.5, low_resolution_probability=0.3, low_resolution_factor=2.0,
)  # fmt: skip
STILL = Changes(
    flip_probability=0.0, rotation_degrees=0.0, scale_fraction=0.0, affine_probability=0.0, elastic_probability=0.0,
    elastic_amplitude_mm=0.0, elastic_scale_mm=24.0, noise_probability=0.0, noise_std=0.0, blur_probability=0.0,
    blur_sigma_mm=0.0, inversion_probability=0.0, contrast_probability=0.0, contrast_fraction=0.0,
    gamma_probability=0.0, gamma_fraction=0.0, low_resolution_probability=0.0, low_resolution_factor=2.0,
)  # fmt: skip
PATCH = PatchShape((3, 40, 48), 2)
TARGETS = ((1,),)


def blob_case(seed, shape=(9, 51, 67), *, contrast=1.0):
    """A noisy ellipsoid: 3 mm slices, 1.0 x 0.8 mm pixels; a single voxel is undecidable, its surroundings are not."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*map(np.arange, shape), indexing="ij")
    center = [rng.uniform(0.3, 0.7) * n for n in shape]
    mask = (((z - center[0]) * 3) ** 2 + (y - center[1]) ** 2 + ((x - center[2]) * 0.8) ** 2 < 11**2).astype(np.uint8)
    image = rng.normal(size=(1, *shape)).astype(np.float32) + contrast * mask
    return CaseArrays(f"c-{seed}", image, mask, {1: np.argwhere(mask)})


def empty_case(seed, shape=(5, 45, 50)):
    image = np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32)
    return CaseArrays(f"e-{seed}", image, np.zeros(shape, np.uint8), {})


def tiny_network():
    """With dropout, so that torch's own randomness matters."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 5, padding=2), torch.nn.ReLU(), torch.nn.Dropout2d(0.1),
        torch.nn.Conv2d(8, 1, 1),
    )  # fmt: skip


def blob_data(n_workers=0, batches_per_epoch=8):
    train, validation = [blob_case(0), blob_case(1)], [blob_case(2), blob_case(3)]
    patches = TrainingPatches(train, TARGETS, PATCH, foreground_fraction=0.5, augmentation=None, seed=RECIPE.seed)
    slabs = ValidationSlabs(validation, TARGETS, PATCH, max_slices=6, multiple=8)
    return CaseDataModule(patches, slabs, batch_size=4, batches_per_epoch=batches_per_epoch, n_workers=n_workers)
