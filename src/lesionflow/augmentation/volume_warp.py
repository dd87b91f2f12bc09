"""Rotation, scale and elastic deformation of volumes in three dimensions, in millimeters, with one interpolation."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch.nn import functional

from lesionflow.data.geometry import SpacingMm

#: A voxel belongs when at least half of it does.
HALF = 0.5
#: Control points along an axis, at least: fewer can't bend.
LEAST_POINTS = 4


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

    def __call__(
        self, image: NDArray[np.float32], mask: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Warp a patch.

        Args:
            image: (channel, slice, row, column).
            mask: 0/1 (target, slice, row, column), as many slices.
            rng: Source of randomness.

        Returns:
            Image and mask, of the same shapes and types.
        """
        matrix = elastic = None
        if rng.random() < self.affine_probability:
            degrees = rng.uniform(-self.rotation_degrees, self.rotation_degrees, 3)
            limit = np.log1p(self.scale_fraction)
            matrix = affine_mm(degrees, float(np.exp(rng.uniform(-limit, limit))))
        shape = image.shape[1:]
        if rng.random() < self.elastic_probability:
            elastic = displacement_mm(shape, self.spacing_mm, self.elastic_amplitude_mm, self.elastic_scale_mm, rng)
        if matrix is None and elastic is None:
            return image, mask
        grid = source_grid(shape, self.spacing_mm, matrix, elastic)
        return _read(image, grid).numpy(), (_read(mask, grid) >= HALF).to(torch.uint8).numpy()


def affine_mm(degrees: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Return the 3 x 3 matrix from a (slice, row, column) offset in mm in the result to the one it is read at.

    Args:
        degrees: Angles about the slice, row and column axis, in this order, about fixed axes.
        scale: Factor by which the content grows, > 0.

    Returns:
        The inverse of scale x rotation.
    """
    return np.asarray(Rotation.from_euler("xyz", degrees, degrees=True).inv().as_matrix()) / scale


def displacement_mm(
    shape: tuple[int, ...], spacing_mm: SpacingMm, amplitude_mm: float, scale_mm: float, rng: np.random.Generator
) -> torch.Tensor:
    """Draw a smooth random displacement field: uniform noise on control points, linearly interpolated twice over.

    Args:
        shape: (slice, row, column) voxels.
        spacing_mm: Their distances.
        amplitude_mm: Largest displacement of a control point along an axis.
        scale_mm: Distance of the control points.
        rng: Source of randomness.

    Returns:
        Float32 (slice, row, column, 3) displacement in mm along (slice, row, column).
    """
    n_points = [max(LEAST_POINTS, int(np.ceil(n * s / scale_mm)) + 1) for n, s in zip(shape, spacing_mm, strict=True)]
    points = rng.uniform(-1.0, 1.0, (1, 3, *n_points)) * rng.uniform(0.0, amplitude_mm)
    coarse = torch.from_numpy(points.astype(np.float32))
    # Linear interpolation alone has edges at the control points; once more through points twice as dense it has hardly any.
    dense = functional.interpolate(coarse, size=[2 * n - 1 for n in n_points], mode="trilinear", align_corners=True)
    smooth = functional.avg_pool3d(functional.pad(dense, (1,) * 6, mode="replicate"), 3, stride=1)
    field = functional.interpolate(smooth, size=list(shape), mode="trilinear", align_corners=True)
    return field[0].permute(1, 2, 3, 0)


def source_grid(
    shape: tuple[int, ...],
    spacing_mm: SpacingMm,
    matrix: NDArray[np.float64] | None,
    elastic: torch.Tensor | None,
) -> torch.Tensor:
    """Say for each voxel of the result where in the patch it is read.

    Args:
        shape: (slice, row, column) voxels.
        spacing_mm: Their distances.
        matrix: 3 x 3, see `affine_mm`; None does nothing.
        elastic: Displacement in mm (slice, row, column, 3); None does nothing.

    Returns:
        Float32 (1, slice, row, column, 3) for torch's `grid_sample` with `align_corners`: (column, row, slice), each -1 at
        the first voxel's center and 1 at the last's.
    """
    half_mm = [max(n - 1, 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True)]
    axes = [torch.arange(n) * s - (n - 1) / 2 * s for n, s in zip(shape, spacing_mm, strict=True)]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).float()
    if matrix is not None:
        offsets = offsets @ torch.from_numpy(matrix.T.astype(np.float32))
    if elastic is not None:
        offsets = offsets + elastic
    relative = offsets / torch.tensor(half_mm, dtype=torch.float32)
    return relative.flip(-1)[None]


def _read(array: NDArray[Any], grid: torch.Tensor) -> torch.Tensor:
    values = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))[None]
    return functional.grid_sample(values, grid, mode="bilinear", padding_mode="reflection", align_corners=True)[0]
