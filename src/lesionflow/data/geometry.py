"""Where voxels lie: array index (slice, row, column) -> patient position in mm, LPS."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesionflow.errors import InputError

SpacingMm = tuple[float, float, float]
Shape = tuple[int, int, int]

#: Cosine error allowed between two axes that must be perpendicular; scanners write cosines with about 6 digits.
ORTHOGONALITY_TOLERANCE = 1e-3
#: Two grids are the same when no corner of one lies further than this from the other's, in voxels of the first.
SAME_GRID_TOLERANCE_VOXELS = 1e-2


@dataclass(frozen=True, eq=False)
class Geometry:
    """The grid of a volume.

    Args:
        shape: Voxels along (slice, row, column), each >= 1.
        affine: 4 x 4 matrix from homogeneous array index (slice, row, column) to LPS mm; right- or left-handed,
            axes perpendicular. LPS is DICOM's patient coordinate system (PS3.3 C.7.6.2.1.1).
        spacing_known: False for a plain picture, whose unit is the pixel.

    Raises:
        InputError: `invalid_geometry` when the shape or the affine can't be a grid.

    Examples:
        Slices 3 mm apart run to the head (z), rows to the back (y), columns to the left (x); the first voxel lies at
        (10, -20, 5) mm. Index (2, 1, 4) lies 4 x 0.5 mm further left, 0.8 mm further back, 2 x 3 mm further up.

        >>> grid = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))
        >>> grid.to_lps((2, 1, 4)).round(6).tolist()
        [12.0, -19.2, 11.0]
        >>> grid.to_index((12.0, -19.2, 11.0)).round(6).tolist()
        [2.0, 1.0, 4.0]
        >>> round(grid.voxel_volume_ml, 6)
        0.0012

        A box of its voxels is a grid of its own, whose first voxel stays where it was.

        >>> box = grid.cut((slice(2, 4), slice(1, 6), slice(4, 11)))
        >>> box.shape, box.origin_mm.round(6).tolist()
        ((2, 5, 7), [12.0, -19.2, 11.0])
        >>> box.same_grid(grid)
        False
    """

    shape: Shape
    affine: NDArray[np.float64]
    spacing_known: bool = True

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if len(self.shape) != 3 or any(int(n) != n or n < 1 for n in self.shape):
            _refuse(f"Expected three axis lengths >= 1, found {self.shape}.")
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
            _refuse(f"Expected a finite 4 x 4 affine with last row 0 0 0 1, found {affine.tolist()}.")
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        if (spacing <= 0).any():
            _refuse(f"Expected every voxel spacing > 0, found {spacing.tolist()} mm.")
        cosines = affine[:3, :3] / spacing
        if np.abs(cosines.T @ cosines - np.eye(3)).max() > ORTHOGONALITY_TOLERANCE:
            _refuse(
                "Expected perpendicular axes, found a sheared grid (a tilted gantry?). Resample it to a straight grid."
            )
        affine.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_parts(
        cls,
        shape: Shape,
        spacing_mm: SpacingMm,
        origin_mm: ArrayLike = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
        *,
        spacing_known: bool = True,
    ) -> "Geometry":
        """Build a grid from its parts.

        Args:
            shape: Voxels along (slice, row, column).
            spacing_mm: Distance between voxel centers along (slice, row, column).
            origin_mm: LPS position of the center of voxel (0, 0, 0).
            direction: 3 x 3; column i is the unit LPS direction in which array axis i grows. Without it, slices grow
                towards the head, rows towards the back, columns towards the patient's left.
            spacing_known: False for a plain picture.

        Returns:
            The grid.
        """
        columns = (
            np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float) if direction is None else np.asarray(direction)
        )
        affine = np.eye(4)
        affine[:3, :3] = columns * np.asarray(spacing_mm, dtype=float)
        affine[:3, 3] = np.asarray(origin_mm, dtype=float)
        return cls(shape, affine, spacing_known)

    @property
    def spacing_mm(self) -> SpacingMm:
        """Distance between voxel centers along (slice, row, column), in mm."""
        a, b, c = (float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0))
        return (a, b, c)

    @property
    def origin_mm(self) -> NDArray[np.float64]:
        """LPS position of the center of voxel (0, 0, 0), in mm."""
        return np.asarray(self.affine[:3, 3])

    @property
    def direction(self) -> NDArray[np.float64]:
        """3 x 3; column i is the unit LPS direction in which array axis i grows."""
        return np.asarray(self.affine[:3, :3] / np.asarray(self.spacing_mm))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in ml."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def to_lps(self, index: ArrayLike) -> NDArray[np.float64]:
        """Map array indices (..., 3) in (slice, row, column), fractions allowed, to LPS mm (..., 3)."""
        points = np.asarray(index, dtype=np.float64)
        return np.asarray(points @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_index(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Map LPS positions (..., 3) in mm to fractional array indices (..., 3) in (slice, row, column)."""
        offset = np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        return np.asarray(offset @ np.linalg.inv(self.affine[:3, :3]).T)

    def cut(self, box: tuple[slice, slice, slice]) -> "Geometry":
        """Return the grid of a box of voxels: every voxel stays where it is.

        Args:
            box: Slices with start and stop, without steps.
        """
        affine = self.affine.copy()
        affine[:3, 3] = self.to_lps([side.start for side in box])
        a, b, c = (side.stop - side.start for side in box)
        return Geometry((a, b, c), affine, self.spacing_known)

    def corners_mm(self) -> NDArray[np.float64]:
        """LPS positions (8, 3) of the centers of the eight corner voxels."""
        return self.to_lps(list(product(*((0, n - 1) for n in self.shape))))

    def same_grid(self, other: "Geometry", tolerance_voxels: float = SAME_GRID_TOLERANCE_VOXELS) -> bool:
        """Tell whether two grids have equal shapes and put every voxel at the same place.

        Args:
            other: The grid to compare with.
            tolerance_voxels: Largest distance between corresponding corners, in voxels of this grid.

        Returns:
            True when every corner of `other` has the index it has here.
        """
        if self.shape != other.shape:
            return False
        index = np.array(list(product(*((0, n - 1) for n in self.shape))), dtype=float)
        # One-voxel axes have coinciding corners; step one voxel beyond them so that spacing and direction count too.
        beyond = np.eye(3) * np.asarray(self.shape)
        probe = np.concatenate([index, beyond])
        return bool(np.abs(self.to_index(other.to_lps(probe)) - probe).max() <= tolerance_voxels)


def _refuse(message: str) -> None:
    raise InputError(message, reason="invalid_geometry")
