"""Move arrays between grids in patient space: linear for intensities, by label for masks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.geometry import Geometry, SpacingMm
from lesionflow.data.volume import Mask, Volume
from lesionflow.errors import InputError

#: A voxel reaches half its width beyond its center: there the outermost value is repeated, beyond it the fill stands.
HALF_VOXEL = 0.5
#: Index steps and offsets below this are rounding of affines.
SAME_INDEX = 1e-6


def spacing_geometry(geometry: Geometry, spacing_mm: SpacingMm) -> Geometry:
    """Return a grid of another spacing that starts at the same voxel center and covers all of the old one.

    Args:
        geometry: The grid to cover.
        spacing_mm: New (slice, row, column) spacing, each > 0.

    Returns:
        The new grid; along each axis its last voxel lies at or less than one new voxel beyond the old last one.
    """
    shape = []
    for n, old, new in zip(geometry.shape, geometry.spacing_mm, spacing_mm, strict=True):
        steps = (n - 1) * old / new
        shape.append(int(np.ceil(steps - SAME_INDEX)) + 1)
    return Geometry.from_parts(
        (shape[0], shape[1], shape[2]),
        spacing_mm,
        geometry.origin_mm,
        geometry.direction,
        spacing_known=geometry.spacing_known,
    )


def resample_array(
    array: NDArray[np.float32], source: Geometry, target: Geometry, *, order: int, fill: float, smooth: bool = True
) -> NDArray[np.float32]:
    """Resample the last three axes of an array from one grid to another, in patient space.

    Grids whose axes are parallel, in any order and sense, are resampled axis by axis; others by one affine transform.
    Where the target is coarser along an axis, the source is smoothed first (sigma = sqrt(factor^2 - 1) / 2 voxels), so
    that nothing between the target's voxels is skipped.

    Args:
        array: (channel, slice, row, column) on `source`.
        source: Its grid.
        target: The grid wanted.
        order: 0 nearest, 1 linear.
        fill: Value outside the source.
        smooth: Smooth before making coarser.

    Returns:
        (channel, slice, row, column) on `target`.
    """
    if source.same_grid(target):
        return array
    matrix = np.linalg.inv(source.affine) @ target.affine
    linear, offset = matrix[:3, :3], matrix[:3, 3]
    axes = np.abs(linear).argmax(axis=1)
    parallel = len(set(axes)) == 3 and _off_axis(linear, axes, target.shape) < SAME_INDEX * max(target.shape)
    if order == 1 and smooth:
        array = _smooth(array, np.abs(linear).max(axis=1))
    if not parallel:
        channels = [
            ndimage.affine_transform(c, linear, offset, target.shape, order=order, mode="constant", cval=fill)
            for c in array
        ]
        return np.stack(channels).astype(np.float32)
    # Source axis i is walked by target axis axes[i].
    for axis in range(3):
        positions = offset[axis] + linear[axis, axes[axis]] * np.arange(target.shape[axes[axis]])
        array = _interpolate_axis(array, axis + 1, positions, order, fill)
    return np.ascontiguousarray(array.transpose(0, *(1 + int(i) for i in np.argsort(axes))))


def resample_to_grid(volume: Volume, geometry: Geometry, *, order: int = 1, fill: float = 0.0) -> Volume:
    """Resample a volume to another grid in patient space.

    Args:
        volume: What to resample.
        geometry: The grid wanted.
        order: 0 nearest, 1 linear.
        fill: Value outside the volume.

    Returns:
        The volume on `geometry`.
    """
    return Volume(resample_array(volume.array, volume.geometry, geometry, order=order, fill=fill), geometry)


def resample_mask_to_grid(mask: Mask, geometry: Geometry) -> Mask:
    """Resample a mask to another grid: each label's share of a voxel by linear interpolation, the largest share wins.

    Args:
        mask: What to resample.
        geometry: The grid wanted.

    Returns:
        The mask on `geometry`; background outside the old grid.
    """
    if mask.geometry.same_grid(geometry):
        return Mask(mask.labels, geometry)
    best = np.full(geometry.shape, 0.5, dtype=np.float32)
    labels = np.zeros(geometry.shape, dtype=np.uint8)
    for label in (int(value) for value in np.unique(mask.labels) if value):
        indicator = (mask.labels == label).astype(np.float32)[None]
        share = resample_array(indicator, mask.geometry, geometry, order=1, fill=0.0, smooth=False)[0]
        wins = share >= best
        labels[wins] = label
        best = np.where(wins, share, best)
    return Mask(labels, geometry)


def require_overlap(source: Geometry, target: Geometry, minimum_fraction: float, what: str) -> None:
    """Refuse two grids of which one hardly covers the other.

    Args:
        source: The grid that shall be resampled.
        target: The grid that it must cover.
        minimum_fraction: Smallest share of the target's voxels that must lie in the source.
        what: What is compared and in which case, for the message.

    Raises:
        InputError: `channels_do_not_overlap`.
    """
    steps = [np.linspace(0, n - 1, min(n, 16)) for n in target.shape]
    points = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    index = source.to_index(target.to_lps(points))
    inside = ((index >= -HALF_VOXEL) & (index <= np.asarray(source.shape) - HALF_VOXEL)).all(axis=1)
    covered = float(inside.mean())
    if covered < minimum_fraction:
        raise InputError(
            f"{what}: expected at least {minimum_fraction:.0%} of the reference grid covered, found {covered:.0%}. "
            "Do the two series belong to one examination?",
            reason="channels_do_not_overlap",
        )


def _off_axis(linear: NDArray[np.float64], axes: NDArray[np.intp], shape: tuple[int, int, int]) -> float:
    rest = np.abs(linear).copy()
    rest[np.arange(3), axes] = 0.0
    return float((rest @ np.asarray(shape, dtype=float)).max())


def _smooth(array: NDArray[np.float32], factors: NDArray[np.float64]) -> NDArray[np.float32]:
    for axis, factor in enumerate(factors):
        if factor > 1.0 + SAME_INDEX and array.shape[axis + 1] > 1:
            sigma = float(np.sqrt(factor**2 - 1.0)) / 2.0
            array = ndimage.gaussian_filter1d(array, sigma, axis=axis + 1, mode="nearest", truncate=3.0)
    return array


def _interpolate_axis(
    array: NDArray[Any], axis: int, positions: NDArray[np.float64], order: int, fill: float
) -> NDArray[Any]:
    n = array.shape[axis]
    nearest = np.rint(positions)
    positions = np.where(np.abs(positions - nearest) < SAME_INDEX, nearest, positions)
    outside = (positions < -HALF_VOXEL) | (positions > n - HALF_VOXEL)
    inside = np.clip(positions, 0, n - 1)
    if order == 0:
        result = np.take(array, np.rint(inside).astype(np.intp), axis=axis)
    elif np.array_equal(inside, np.rint(inside)):
        result = np.take(array, inside.astype(np.intp), axis=axis)
    else:
        low = np.floor(inside).astype(np.intp)
        high = np.minimum(low + 1, n - 1)
        shape = [1] * array.ndim
        shape[axis] = -1
        weight = (inside - low).astype(np.float32).reshape(shape)
        result = np.take(array, low, axis=axis) * (1.0 - weight) + np.take(array, high, axis=axis) * weight
    if outside.any():
        block: list[Any] = [slice(None)] * array.ndim
        block[axis] = outside
        result[tuple(block)] = fill
    return result
