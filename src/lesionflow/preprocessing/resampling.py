"""Move arrays between grids in patient space: linear for intensities, by label for masks."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.geometry import Geometry, SpacingMm
from lesionflow.data.volume import IGNORED, Mask, Volume
from lesionflow.errors import InputError

#: A voxel reaches half its width beyond its center: there the outermost value is repeated, beyond it the fill stands.
HALF_VOXEL = 0.5
#: Index steps and offsets below this are rounding of affines.
SAME_INDEX = 1e-6
#: Smoothing reaches this many standard deviations.
SMOOTHING_REACH = 3.0
#: Target voxels made at a time: what is held beside source and target stays below some ten megabytes.
VOXELS_AT_A_TIME = 2_000_000


class _Axis(NamedTuple):
    """Where the voxels of one target axis lie between the voxels of a source axis."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    weight: NDArray[np.float32] | None
    outside: NDArray[np.bool_]

    @property
    def is_run(self) -> bool:
        """Whether target voxels are neighboring source voxels in turn: then nothing is to be computed."""
        steps = bool(len(self.low)) and bool((np.diff(self.low) == 1).all())
        return steps and self.weight is None and not self.outside.any()

    def part(self, block: slice, first: int) -> "_Axis":
        """Return the walk of some target voxels, over a source axis of which only what follows `first` is given."""
        weight = None if self.weight is None else self.weight[block]
        return _Axis(self.low[block] - first, self.high[block] - first, weight, self.outside[block])


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
    walks = [
        _walk(
            offset[axis] + linear[axis, axes[axis]] * np.arange(target.shape[axes[axis]]), array.shape[axis + 1], order
        )
        for axis in range(3)
    ]
    for axis, walk in enumerate(walks):
        array = _interpolate_axis(array, axis + 1, walk, fill)
    return np.ascontiguousarray(array.transpose(0, *(1 + int(i) for i in np.argsort(axes))))


def resample_slabs(
    array: NDArray[np.float32], source: Geometry, target: Geometry, *, first: int = 0, last: int | None = None
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Resample linearly as `resample_array` does, bit for bit, a few target slices at a time.

    Args:
        array: (channel, slice, row, column) on `source`; a view will do, nothing of it is copied whole.
        source: Its grid.
        target: The grid wanted; its axes run as the source's do.
        first: First target slice wanted.
        last: Slice after the last wanted; without it, all.

    Yields:
        Target slices and their voxels (channel, slices, row, column); 0 outside the source.

    Raises:
        ValueError: When the axes of the grids do not run alike.
    """
    last = target.shape[0] if last is None else last
    step = max(1, VOXELS_AT_A_TIME // (target.shape[1] * target.shape[2]))
    blocks = [slice(start, min(start + step, last)) for start in range(first, last, step)]
    if source.same_grid(target):
        yield from ((block, np.ascontiguousarray(array[:, block])) for block in blocks)
        return
    matrix = np.linalg.inv(source.affine) @ target.affine
    linear, offset = matrix[:3, :3], matrix[:3, 3]
    if _off_axis(linear, np.arange(3), target.shape) >= SAME_INDEX * max(target.shape):
        raise ValueError("Expected two grids whose axes run alike, found others.")
    walks = [
        _walk(offset[axis] + linear[axis, axis] * np.arange(target.shape[axis]), array.shape[axis + 1], 1)
        for axis in range(3)
    ]
    factors = np.abs(linear).max(axis=1)
    reach = int(SMOOTHING_REACH * _sigma(factors[0]) + 0.5)
    for block in blocks:
        low = max(int(walks[0].low[block].min()) - reach, 0)
        part = _smooth(array[:, low : int(walks[0].high[block].max()) + reach + 1], factors)
        part = _interpolate_axis(part, 1, walks[0].part(block, low), 0.0)
        for axis in (1, 2):
            part = _interpolate_axis(part, axis + 1, walks[axis], 0.0)
        yield block, np.ascontiguousarray(part)


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
    # What is not known goes last: where it and a label have half of a voxel each, nobody is judged by it.
    for label in (*mask.present, *([IGNORED] if mask.ignored is not None else [])):
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


def _sigma(factor: float) -> float:
    return float(np.sqrt(factor**2 - 1.0)) / 2.0 if factor > 1.0 + SAME_INDEX else 0.0


def _smooth(array: NDArray[np.float32], factors: NDArray[np.float64]) -> NDArray[np.float32]:
    for axis, factor in enumerate(factors):
        sigma = _sigma(factor)
        # A kernel of one voxel is that voxel.
        if int(SMOOTHING_REACH * sigma + 0.5) > 0 and array.shape[axis + 1] > 1:
            array = ndimage.gaussian_filter1d(array, sigma, axis=axis + 1, mode="nearest", truncate=SMOOTHING_REACH)
    return array


def _walk(positions: NDArray[np.float64], n: int, order: int) -> _Axis:
    nearest = np.rint(positions)
    positions = np.where(np.abs(positions - nearest) < SAME_INDEX, nearest, positions)
    outside = (positions < -HALF_VOXEL) | (positions > n - HALF_VOXEL)
    inside = np.clip(positions, 0, n - 1)
    if order == 0 or np.array_equal(inside, np.rint(inside)):
        whole = np.rint(inside).astype(np.intp)
        return _Axis(whole, whole, None, outside)
    low = np.floor(inside).astype(np.intp)
    return _Axis(low, np.minimum(low + 1, n - 1), (inside - low).astype(np.float32), outside)


def _interpolate_axis(array: NDArray[Any], axis: int, walk: _Axis, fill: float) -> NDArray[Any]:
    if walk.is_run:
        first = int(walk.low[0])
        return array[(slice(None),) * axis + (slice(first, first + len(walk.low)),)]
    result = np.take(array, walk.low, axis=axis)
    if walk.weight is not None:
        shape = [1] * array.ndim
        shape[axis] = -1
        weight = walk.weight.reshape(shape)
        result *= 1.0 - weight
        above = np.take(array, walk.high, axis=axis)
        above *= weight
        result += above
    if walk.outside.any():
        block: list[Any] = [slice(None)] * array.ndim
        block[axis] = walk.outside
        result[tuple(block)] = fill
    return result
