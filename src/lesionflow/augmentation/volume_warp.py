"""Rotation, scale and elastic deformation of volumes in three dimensions, in millimeters, with one interpolation.

What is drawn is small and made where patches are read; what is done takes a batch at a time, on whatever device it lies.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from lesionflow.data.geometry import SpacingMm

#: A voxel belongs when at least half of it does.
HALF = 0.5
#: Control points along an axis, at least: fewer can't bend.
LEAST_POINTS = 4


class WarpDraw(NamedTuple):
    """How one patch is warped; stacked, how a batch is.

    Args:
        matrix: Float32 (3, 3), see `affine_mm`; the unit matrix where nothing is turned or scaled.
        points: Float32 (3, slice, row, column) displacement of control points in mm; 0 where nothing is deformed.
    """

    matrix: NDArray[np.float32]
    points: NDArray[np.float32]


class VolumeWarp:
    """Turns, scales and deforms a patch; what lies beyond it is its mirror image, in the image and in the mask alike.

    Args:
        spacing_mm: (slice, row, column) distance of voxel centers: a ball of tissue stays a ball on oblong voxels.
        rotation_degrees: Largest rotation about each of the three axes, either way.
        scale_fraction: Sizes are multiplied by a factor between 1 / (1 + f) and 1 + f.
        affine_probability: How likely a sample is turned and scaled.
        elastic_amplitude_mm: Largest displacement of a control point along an axis.
        elastic_scale_mm: Distance of the control points, between which the displacement varies smoothly.
        elastic_probability: How likely a sample is deformed.
    """

    def __init__(
        self,
        *,
        spacing_mm: SpacingMm,
        rotation_degrees: float,
        scale_fraction: float,
        affine_probability: float,
        elastic_amplitude_mm: float,
        elastic_scale_mm: float,
        elastic_probability: float,
    ) -> None:
        self.spacing_mm = spacing_mm
        self.rotation_degrees = rotation_degrees
        self.scale_fraction = scale_fraction
        self.affine_probability = affine_probability
        self.elastic_amplitude_mm = elastic_amplitude_mm
        self.elastic_scale_mm = elastic_scale_mm
        self.elastic_probability = elastic_probability

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> WarpDraw:
        """Draw how a patch is warped.

        Args:
            shape: (slice, row, column) of the patch.
            rng: Source of randomness.
        """
        matrix = np.eye(3)
        if rng.random() < self.affine_probability:
            degrees = rng.uniform(-self.rotation_degrees, self.rotation_degrees, 3)
            limit = np.log1p(self.scale_fraction)
            matrix = affine_mm(degrees, float(np.exp(rng.uniform(-limit, limit))))
        points = draw_points(shape, self.spacing_mm, self.elastic_amplitude_mm, self.elastic_scale_mm, rng)
        if rng.random() >= self.elastic_probability:
            points[:] = 0.0
        return WarpDraw(matrix.astype(np.float32), points)

    def apply(self, images: Tensor, masks: Tensor, matrices: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Warp a batch of patches where it lies.

        Args:
            images: Float32 (batch, channel, slice, row, column).
            masks: 0/1 uint8 (batch, target, slice, row, column).
            matrices: Of each, (batch, 3, 3).
            points: Of each, (batch, 3, slice, row, column).

        Returns:
            Images and masks, of the same shapes and types; what is not warped is as it was.
        """
        deformed = points.flatten(1).any(1)
        changed = deformed | (matrices != torch.eye(3, device=matrices.device)).flatten(1).any(1)
        if not changed.any():
            return images, masks
        moved = None
        if deformed.any():
            moved = displacement_mm(points[changed], tuple(images.shape[2:]))
        grid = source_grid(tuple(images.shape[2:]), self.spacing_mm, matrices[changed], moved)
        images, masks = images.clone(), masks.clone()
        images[changed] = _read(images[changed], grid)
        masks[changed] = (_read(masks[changed].float(), grid) >= HALF).to(masks.dtype)
        return images, masks

    def __call__(
        self, image: NDArray[np.float32], mask: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw and warp one patch.

        Args:
            image: (channel, slice, row, column).
            mask: 0/1 (target, slice, row, column), as many slices.
            rng: Source of randomness.

        Returns:
            Image and mask, of the same shapes and types.
        """
        drawn = self.draw(image.shape[1:], rng)
        found = self.apply(*(torch.from_numpy(np.ascontiguousarray(part))[None] for part in (image, mask, *drawn)))
        return found[0][0].numpy(), found[1][0].numpy()


def affine_mm(degrees: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the 3 x 3 matrix from a (slice, row, column) offset in mm in the result to the one it is read at.

    Args:
        degrees: Angles about the slice, row and column axis, in this order, about fixed axes.
        scale: Factor by which the content grows, > 0.

    Returns:
        The inverse of scale x rotation.
    """
    return np.asarray(Rotation.from_euler("xyz", degrees, degrees=True).inv().as_matrix()) / scale


def draw_points(
    shape: tuple[int, ...], spacing_mm: SpacingMm, amplitude_mm: float, scale_mm: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the displacement of control points: uniform noise whose largest size is drawn too.

    Args:
        shape: (slice, row, column) voxels.
        spacing_mm: Their distances.
        amplitude_mm: Largest displacement of a control point along an axis.
        scale_mm: Distance of the control points.
        rng: Source of randomness.

    Returns:
        (3, slice, row, column): mm along (slice, row, column) of each control point.
    """
    n_points = [max(LEAST_POINTS, int(np.ceil(n * s / scale_mm)) + 1) for n, s in zip(shape, spacing_mm, strict=True)]
    return (rng.uniform(-1.0, 1.0, (3, *n_points)) * rng.uniform(0.0, amplitude_mm)).astype(np.float32)


def displacement_mm(points: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Make a smooth displacement field of control points, linearly interpolated twice over.

    Args:
        points: (batch, 3, slice, row, column), see `draw_points`.
        shape: (slice, row, column) voxels.

    Returns:
        (batch, slice, row, column, 3) displacement in mm along (slice, row, column).
    """
    # Linear interpolation alone has edges at the control points; once more through points twice as dense it has hardly any.
    size = [2 * n - 1 for n in points.shape[2:]]
    dense = functional.interpolate(points, size=size, mode="trilinear", align_corners=True)
    smooth = functional.avg_pool3d(functional.pad(dense, (1,) * 6, mode="replicate"), 3, stride=1)
    field = functional.interpolate(smooth, size=list(shape), mode="trilinear", align_corners=True)
    return field.permute(0, 2, 3, 4, 1)


def source_grid(shape: tuple[int, ...], spacing_mm: SpacingMm, matrices: Tensor, moved: Tensor | None) -> Tensor:
    """Say for each voxel of the result where in its patch it is read.

    Args:
        shape: (slice, row, column) voxels.
        spacing_mm: Their distances.
        matrices: (batch, 3, 3), see `affine_mm`.
        moved: Displacement in mm (batch, slice, row, column, 3); None does nothing.

    Returns:
        Float32 (batch, slice, row, column, 3) for torch's `grid_sample` with `align_corners`: (column, row, slice), each -1 at
        the first voxel's center and 1 at the last's.
    """
    device = matrices.device
    half_mm = [max(n - 1, 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True)]
    axes = [torch.arange(n, device=device) * s - (n - 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True)]
    centered = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).float()
    offsets = (centered.reshape(1, -1, 3) @ matrices.transpose(1, 2)).reshape(-1, *shape, 3)
    if moved is not None:
        offsets = offsets + moved
    return (offsets / torch.tensor(half_mm, dtype=torch.float32, device=device)).flip(-1)


def _read(arrays: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(arrays, grid, mode="bilinear", padding_mode="reflection", align_corners=True)
