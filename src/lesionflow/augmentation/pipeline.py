"""Put the transforms in order and seed them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

from lesionflow.augmentation.intensity import Blur, ByChannel, Contrast, Gamma, Inversion, LowResolution, Noise
from lesionflow.augmentation.spatial import FlipSlices, Warp
from lesionflow.augmentation.volume_warp import VolumeWarp, WarpDraw
from lesionflow.data.geometry import SpacingMm

#: Beyond this ratio of slice to in-plane spacing, slices are changed one by one.
ANISOTROPIC = 3.0
#: Tells the random stream of the warp from that of the other changes of a patch.
WARPING = 1


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What may change in a sample; each probability is by sample.

    Args:
        flip_probability: By axis (slice, row, column).
        rotation_degrees: Largest in-plane rotation either way.
        scale_fraction: Sizes change by a factor in 1 / (1 + f) .. 1 + f.
        affine_probability: Of rotation and scale, together.
        elastic_probability: Of a smooth deformation.
        elastic_amplitude_mm: Its largest displacement along an axis.
        elastic_scale_mm: Distance over which it varies.
        noise_probability: Of added noise.
        noise_std: Its largest standard deviation, in z-scores.
        blur_probability: Of a Gaussian blur.
        blur_sigma_mm: Its largest sigma.
        inversion_probability: Of light turned to dark and dark to light: for pictures alone.
        contrast_probability: Of a change of contrast.
        contrast_fraction: Contrast changes by a factor in 1 / (1 + f) .. 1 + f.
        gamma_probability: Of a gamma curve.
        gamma_fraction: Gamma lies in 1 / (1 + f) .. 1 + f.
        low_resolution_probability: Of being shrunk and enlarged again.
        low_resolution_factor: Largest factor of that.
    """

    flip_probability: float
    rotation_degrees: float
    scale_fraction: float
    affine_probability: float
    elastic_probability: float
    elastic_amplitude_mm: float
    elastic_scale_mm: float
    noise_probability: float
    noise_std: float
    blur_probability: float
    blur_sigma_mm: float
    inversion_probability: float
    contrast_probability: float
    contrast_fraction: float
    gamma_probability: float
    gamma_fraction: float
    low_resolution_probability: float
    low_resolution_factor: float


class Augmentation:
    """A seeded chain of random changes of one patch and its mask.

    Args:
        transforms: albumentations transforms on (row, column, plane) arrays.
        warp: Of volumes, after them and by whole batches; None where planes are warped by the transforms.
    """

    def __init__(self, transforms: Sequence[albumentations.BasicTransform], warp: VolumeWarp | None = None) -> None:
        self.warp = warp
        # OpenCV's own threads would fight with the network's for the cores.
        cv2.setNumThreads(0)
        self._chain = albumentations.Compose(list(transforms))

    def __call__(
        self, image: NDArray[np.float32], mask: NDArray[np.uint8], seed: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Change a patch; the warp of a volume, which `draw_warp` draws, is left to the batch.

        Args:
            image: Float32 (channel, slice, row, column), z-scored.
            mask: 0/1 (target, slice, row, column); the slice axis may be shorter than the image's.
            seed: Whole numbers >= 0, such as (seed, epoch, sample): the same give the same result, bit for bit, in
                whatever process and order.

        Returns:
            The changed image and mask, of the same shapes and types.
        """
        rng = np.random.default_rng(tuple(seed))
        # One shared generator: albumentations' own seeding gives each transform the same seed, so all fire at once.
        self._chain.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        changed = self._chain(image=_to_planes(image), mask=_to_planes(mask))
        return _from_planes(changed["image"], image.shape), _from_planes(changed["mask"], mask.shape)

    def draw_warp(self, shape: tuple[int, ...], seed: Sequence[int]) -> WarpDraw | None:
        """Draw how a volume (slice, row, column) is warped by its batch; None where volumes are not.

        Args:
            shape: (slice, row, column).
            seed: As the patch's.
        """
        return self.warp.draw(shape, np.random.default_rng((*seed, WARPING))) if self.warp else None


def build_augmentation(
    changes: Changes, *, spacing_mm: SpacingMm, n_image_slices: int, n_mask_slices: int, n_coarse_predictions: int = 0
) -> Augmentation:
    """Build the augmentation of training patches.

    Patches whose slices are all predicted are turned, scaled and deformed in three dimensions, or, where slices are much
    thicker than pixels, slice by slice: turned thick slices would be torn.

    Args:
        changes: What may change, how much and how often.
        spacing_mm: (slice, row, column) spacing of model space; 1 where it is unknown.
        n_image_slices: Slices of an image patch.
        n_mask_slices: Slices of a mask patch: 1 when only the middle slice is predicted.
        n_coarse_predictions: Channels at the end that are probabilities: moved as the others are, their values left alone.

    Returns:
        The augmentation.
    """
    in_plane = (spacing_mm[1], spacing_mm[2])
    shape: dict[str, float] = {
        "rotation_degrees": changes.rotation_degrees,
        "scale_fraction": changes.scale_fraction,
        "affine_probability": changes.affine_probability,
        "elastic_amplitude_mm": changes.elastic_amplitude_mm,
        "elastic_scale_mm": changes.elastic_scale_mm,
        "elastic_probability": changes.elastic_probability,
    }
    in_volume = n_mask_slices > 1 and spacing_mm[0] <= ANISOTROPIC * max(in_plane)
    transforms: list[albumentations.BasicTransform] = [
        albumentations.HorizontalFlip(p=changes.flip_probability),
        albumentations.VerticalFlip(p=changes.flip_probability),
        FlipSlices(n_image_slices, n_mask_slices, p=changes.flip_probability),
        *([] if in_volume else [Warp(spacing_mm=in_plane, **shape)]),
        Noise(changes.noise_std, n_image_slices, p=changes.noise_probability),
        Blur(changes.blur_sigma_mm, in_plane, n_image_slices, p=changes.blur_probability),
        Contrast(changes.contrast_fraction, n_image_slices, p=changes.contrast_probability),
        Gamma(changes.gamma_fraction, n_image_slices, p=changes.gamma_probability),
    ]
    if changes.inversion_probability:
        transforms.append(Inversion(n_image_slices, p=changes.inversion_probability))
    if changes.low_resolution_probability:
        factor = changes.low_resolution_factor
        transforms.append(LowResolution(factor, n_image_slices, p=changes.low_resolution_probability))
    for transform in transforms:
        if isinstance(transform, ByChannel):
            transform.n_coarse_predictions = n_coarse_predictions
    return Augmentation(transforms, VolumeWarp(spacing_mm=spacing_mm, **shape) if in_volume else None)


def _to_planes(array: NDArray[Any]) -> NDArray[Any]:
    """(channel, slice, row, column) -> (row, column, channel x slice)."""
    rows, columns = array.shape[2:]
    return np.ascontiguousarray(array.reshape(-1, rows, columns).transpose(1, 2, 0))


def _from_planes(planes: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """(row, column, channel x slice) -> (channel, slice, row, column)."""
    return np.ascontiguousarray(planes.transpose(2, 0, 1)).reshape(shape)
