"""Bytes behind the voxels that a header tells of: a slice or more of them is no padding, but voxels of another type or size."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

from lesionflow.io.images.packing.packed_voxels import voxels_begin


def require_few_left(n_left: int, shape: Sequence[int], itemsize: int) -> None:
    """Refuse voxels that are others than their header says, by the bytes that would be left.

    Args:
        n_left: Bytes behind the last voxel.
        shape: Sizes of all axes, the fastest first.
        itemsize: Bytes of a voxel.

    Raises:
        ValueError: When a slice or more is left.
    """
    slice_bytes = prod(shape[:2]) * itemsize
    if n_left >= slice_bytes > 0:
        message = (
            f"{n_left} bytes behind the voxels that its header tells of, where a slice of them takes {slice_bytes}"
        )
        raise ValueError(message)


def require_few_left_in_itk(path: Path, data: Path | None, shape: Sequence[int], itemsize: int) -> None:
    """Refuse NRRD and MetaImage likewise, where their voxels are not packed and begin at a known place.

    Args:
        path: The file.
        data: The file beside it that holds its voxels, if it is not the file itself.
        shape: Sizes of all axes, the fastest first.
        itemsize: Bytes of a voxel, all its numbers together.

    Raises:
        ValueError: As `require_few_left`.
    """
    start = voxels_begin(path, data)
    if start is not None:
        require_few_left((data or path).stat().st_size - start - prod(shape) * itemsize, shape, itemsize)
