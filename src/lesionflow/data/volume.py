"""Arrays that know where they lie: `Volume` (intensities) and `Mask` (labels)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.errors import GeometryMismatchError, InputError

#: The value of voxels that nobody learns from or is judged by (nnU-Net's `ignore`): outlined as "not known".
IGNORED = 255


def outlined(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell of each voxel whether it is one of the labels, and neither background nor `IGNORED`.

    Args:
        labels: Of any shape.
    """
    return np.asarray((labels > 0) & (labels != IGNORED))


@dataclass(frozen=True, eq=False)
class Volume:
    """Intensities of one or more channels on one grid.

    Args:
        array: float32 (channel, slice, row, column); converted and made read-only.
        geometry: The grid of the last three axes.

    Raises:
        InputError: `invalid_array` when the array does not fit the grid.

    Examples:
        >>> grid = Geometry.from_parts((2, 3, 4), (3.0, 0.8, 0.5))
        >>> volume = Volume(np.zeros((2, 2, 3, 4)), grid)
        >>> volume.n_channels, volume.array.dtype.name, volume.array.flags.writeable
        (2, 'float32', False)
    """

    array: NDArray[np.float32]
    geometry: Geometry

    def __post_init__(self) -> None:
        array = np.asarray(self.array, dtype=np.float32)
        if array.ndim != 4 or array.shape[0] < 1 or array.shape[1:] != self.geometry.shape:
            message = (
                f"Expected (channel, {', '.join(map(str, self.geometry.shape))}), found an array of {array.shape}."
            )
            raise InputError(message, reason="invalid_array")
        object.__setattr__(self, "array", _read_only(array))

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.array.shape[0])


@dataclass(frozen=True, eq=False)
class Mask:
    """Labels on a grid: 0 is background, `IGNORED` is not known.

    Args:
        labels: uint8 (slice, row, column); whole numbers 0..255, converted and made read-only.
        geometry: The grid.

    Raises:
        InputError: `invalid_array` when the labels do not fit the grid or are not whole numbers 0..255.

    Examples:
        >>> grid = Geometry.from_parts((1, 2, 3), (3.0, 0.8, 0.5))
        >>> mask = Mask(np.array([[[0, 1, 3], [3, 0, 0]]]), grid)
        >>> mask.present
        (1, 3)
        >>> mask.region((1, 2)).tolist()
        [[[False, True, False], [False, False, False]]]
    """

    labels: NDArray[np.uint8]
    geometry: Geometry

    def __post_init__(self) -> None:
        given = np.asarray(self.labels)
        if given.shape != self.geometry.shape:
            raise InputError(f"Expected labels of {self.geometry.shape}, found {given.shape}.", reason="invalid_array")
        labels = given.astype(np.uint8) if given.dtype != np.uint8 else given
        if labels is not given and not np.array_equal(labels, given):
            raise InputError("Expected whole labels 0..255, found other values.", reason="invalid_array")
        object.__setattr__(self, "labels", _read_only(labels))

    @property
    def present(self) -> tuple[int, ...]:
        """Labels that some voxel has, background and what is ignored apart, in ascending order."""
        counts = np.zeros(256, dtype=np.int64)
        for plane in self.labels:
            counts += np.bincount(plane[plane > 0], minlength=256)
        return tuple(int(label) for label in np.flatnonzero(counts[:IGNORED]))

    @property
    def ignored(self) -> NDArray[np.bool_] | None:
        """A bool array (slice, row, column) of the voxels that are not known, None when there are none."""
        found = self.labels == IGNORED
        return found if found.any() else None

    def region(self, labels: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return a bool array (slice, row, column), True where the label is one of `labels`."""
        # A comparison a label takes a fifth of `numpy.isin`.
        if not labels:
            return np.zeros(self.labels.shape, dtype=bool)
        inside: NDArray[np.bool_] = self.labels == labels[0]
        for label in labels[1:]:
            inside |= self.labels == label
        return inside


def require_same_grid(one: Geometry, other: Geometry, what: str) -> None:
    """Refuse two grids that differ.

    Args:
        one: First grid.
        other: Second grid.
        what: What is compared and in which case, for the message.

    Raises:
        GeometryMismatchError: When they differ.
    """
    if not one.same_grid(other):
        message = (
            f"{what}: expected one grid, found shape {one.shape}, spacing {_short(one.spacing_mm)} mm, origin "
            f"{_short(one.origin_mm)} and shape {other.shape}, spacing {_short(other.spacing_mm)} mm, origin "
            f"{_short(other.origin_mm)}. Resample one to the other in patient space first."
        )
        raise GeometryMismatchError(message)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view


def _short(values: Any) -> str:
    return "(" + ", ".join(f"{float(v):.3f}" for v in values) + ")"
