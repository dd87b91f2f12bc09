"""Whether what a mask's header says of its place may be believed, and the mask put there: on its image's voxels, or nowhere."""

import numpy as np

from lesionflow.data.geometry import SAME_GRID_TOLERANCE_VOXELS, Geometry
from lesionflow.data.lattice import Extent, extent_on, reordered
from lesionflow.data.volume import Mask, require_same_grid
from lesionflow.errors import GeometryMismatchError
from lesionflow.io.notes import note

#: Nearer to 0 than any scanner tells where it began.
NO_ORIGIN_MM = 1e-3


def put_on(mask: Mask, grid: Geometry, *, name: str, what: str = "mask") -> Mask:
    """Bring a mask to the grid of its image where its own header puts it, and say what was done.

    Args:
        mask: On its own grid, another than the image's.
        grid: Of the image.
        name: What to call the case in messages.
        what: What the mask is called in messages; a part alone is said of masks, since programs that name their segments save
            them cut to what was drawn.

    Returns:
        The mask on `grid`, background where it says nothing.

    Raises:
        GeometryMismatchError: When its voxels are not those of the image, labels lie beyond it, or its place may be one that a
            program wrote that knew none.
    """
    extent = extent_on(mask.geometry, grid)
    if extent is None or not _is_believed(mask.geometry, grid, extent):
        require_same_grid(grid, mask.geometry, f"Image and {what} of {name}")
        return mask
    placed = reordered(mask, grid)
    if placed is None:
        raise GeometryMismatchError(
            f"Expected the labels of the {what} of {name} within the image, found some beyond it: it was drawn on another image, "
            "or the image was cut. Give the image that it was drawn on."
        )
    _tell(grid, extent, name, what)
    return placed


def _is_believed(mask: Geometry, grid: Geometry, extent: Extent) -> bool:
    """Tell whether a place is one that only a program writes that knew it.

    An origin of 0, or the image's own under another size, is what stays when a mask is cut or resized without its header; unit
    voxels along the axes of the patient are what a program writes that was told no place at all. A picture has no place.
    """
    if not (mask.spacing_known and grid.spacing_known):
        return False
    if extent.is_whole:
        return not _is_default(mask)
    if np.abs(mask.origin_mm).max() < NO_ORIGIN_MM:
        return False
    kept_origin = np.abs(grid.to_index(mask.origin_mm)).max() <= SAME_GRID_TOLERANCE_VOXELS
    return not (kept_origin and extent.n_other_axes > 1)


def _is_default(found: Geometry) -> bool:
    """Tell an identity matrix, in DICOM's coordinates or in NIfTI's, which turn x and y round."""
    identity = np.eye(4)[[2, 1, 0, 3]]
    return any(np.array_equal(found.affine, np.diag([sign, sign, 1.0, 1.0]) @ identity) for sign in (1.0, -1.0))


def _tell(grid: Geometry, extent: Extent, name: str, what: str) -> None:
    sizes = [" x ".join(map(str, shape)) for shape in (extent.high - extent.low + 1, grid.shape)]
    if extent.reaches_beyond:
        note(
            "mask_beyond_image",
            f"The {what} of {name} covers {sizes[0]} voxels, the image {sizes[1]}: what lies beyond the image is empty and was cut "
            "off.",
        )
    elif what == "mask" and extent.is_whole:
        note(
            "mask_reordered",
            f"The mask of {name} has its axes in another order than the image: it was turned to match.",
        )
    elif what == "mask":
        note(
            "mask_of_a_part",
            f"The mask of {name} covers {sizes[0]} voxels of the image's {sizes[1]}: all others were taken for background.",
        )
