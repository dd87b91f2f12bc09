"""What tells a mask from every other one, whatever format it is stored in: a hash over its voxels by target, and its grid."""

import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lesionflow.data.dataset import Target
from lesionflow.data.geometry import Geometry, Shape
from lesionflow.data.volume import Mask

#: Digits of mm behind the point that a grid is told with: far below what any format stores.
GRID_DIGITS = 6


class Grid(BaseModel):
    """A grid as a passport tells it.

    Args:
        shape: Voxels along (slice, row, column).
        affine: The first three rows of the matrix from (slice, row, column, 1) to LPS mm, row by row: 12 numbers.
        spacing_known: False for a plain picture.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: Shape
    affine: tuple[float, ...]
    spacing_known: bool = True

    @classmethod
    def of(cls, geometry: Geometry) -> "Grid":
        """Tell a grid, rounded to what is hashed."""
        # Adding 0 makes of -0.0 the 0.0 that the same grid has elsewhere.
        told = np.round(geometry.affine[:3].ravel(), GRID_DIGITS) + 0.0
        return cls(shape=geometry.shape, affine=tuple(map(float, told)), spacing_known=geometry.spacing_known)

    def geometry(self) -> Geometry:
        """Return the grid.

        Raises:
            InputError: `invalid_geometry` when it is none.
        """
        rows = np.array(self.affine, dtype=np.float64).reshape(-1, 4) if len(self.affine) == 12 else np.zeros((3, 4))
        return Geometry(self.shape, np.vstack([rows, (0.0, 0.0, 0.0, 1.0)]), self.spacing_known)


class MaskIdentity(BaseModel):
    """A mask, told: `sha256` over grid and voxels, the grid, and the labels of each target in their order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    grid: Grid
    targets: dict[str, tuple[int, ...]]


def identify(mask: Mask, targets: Iterable[Target]) -> MaskIdentity:
    """Tell a mask.

    Args:
        mask: The mask.
        targets: Which labels are one finding; those that overlap count in each.
    """
    grid, labels = Grid.of(mask.geometry), {target.name: tuple(target.labels) for target in targets}
    regions = {name: mask.region(values) for name, values in labels.items()}
    return MaskIdentity(sha256=hash_regions(regions, grid), grid=grid, targets=labels)


def hash_regions(regions: Mapping[str, NDArray[np.bool_]], grid: Grid) -> str:
    """Hash the voxels of a mask by target, and its grid.

    Args:
        regions: A bool array (slice, row, column) a target, in the targets' order.
        grid: Where they lie.

    Returns:
        The sha256 over the grid as JSON, and for each target its name as JSON and its voxels, eight a byte, slice by slice.
    """
    digest = hashlib.sha256(grid.model_dump_json().encode())
    for name, region in regions.items():
        digest.update(json.dumps(name).encode())
        for plane in region:
            digest.update(np.packbits(plane).tobytes())
    return digest.hexdigest()
