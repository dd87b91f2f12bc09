"""Where a NIfTI header says that its voxels lie: by sform, by qform, or by both, which need not agree."""

from typing import Any, NoReturn

import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import NDArray

from lesionflow.data.geometry import Geometry
from lesionflow.errors import NiftiError
from lesionflow.io.notes import note

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Both forms are float32, and the qform's voxel sizes are rounded apart from the sform's.
SIZE_TOLERANCE_FRACTION = 0.01
#: How far the forms may put a corner from one another, in voxels, before anything is said.
FORM_TOLERANCE_VOXELS = 0.1
FORMS = ("sform", "qform")
#: By how much 1 less the squares of a quaternion's parts may lie below 0 by rounding; nibabel allows a third of what files have.
Nifti1Header.quaternion_threshold = -1e-6


def geometry_of(image: Any, *, spacing_known: bool = True, name: str) -> Geometry:
    """Return the grid of a NIfTI image by its sform, else by its qform (NIfTI-1, methods 3 and 2).

    Args:
        image: nibabel's image.
        spacing_known: False for a plain picture.
        name: What to call it in messages.

    Returns:
        The grid (slice, row, column) in LPS mm.

    Raises:
        NiftiError: `missing_geometry` where no form is coded; `contradictory_geometry` where the two give voxels other
            sizes; `invalid_geometry`.
    """
    found = forms(image, spacing_known=spacing_known, name=name)
    if not found:
        _refuse_none(image, name)
    first = next(iter(found.values()))
    _compare_with_sizes(image, first, name)
    if len(found) > 1:
        _compare(first, found["qform"], name)
    elif "qform" in found and _code(image, "sform"):
        note(
            "sform_without_matrix",
            f"The sform of {name} says that it is set and holds no matrix: its voxels were placed by the qform.",
        )
    elif "sform" in found and _code(image, "qform"):
        note(
            "qform_without_rotation",
            f"The qform of {name} says that it is set and holds no rotation: its voxels were placed by the sform.",
        )
    return first


def forms(image: Any, *, spacing_known: bool = True, name: str) -> dict[str, Geometry]:
    """Return the grid by each form that is coded and holds a matrix, sform first.

    Args:
        image: nibabel's image.
        spacing_known: False for a plain picture.
        name: What to call it in messages.

    Returns:
        Grids by `sform` and `qform`.

    Raises:
        NiftiError: `invalid_geometry`.
    """
    if "sform_code" not in image.header:
        return {}
    grids = {}
    for form in FORMS:
        if not _code(image, form):
            continue
        affine = np.asarray(image.header.get_sform(), dtype=float) if form == "sform" else _qform(image)
        if np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0:
            grids[form] = _grid(image, affine, spacing_known=spacing_known, name=name)
    return grids


def _qform(image: Any) -> NDArray[np.float64]:
    """Return the qform's matrix; zeros where no rotation has its quaternion."""
    try:
        return np.asarray(image.header.get_qform(), dtype=float)
    except ValueError:
        return np.zeros((4, 4))


def _grid(image: Any, affine: NDArray[np.float64], *, spacing_known: bool, name: str) -> Geometry:
    # (x, y, z) RAS -> (slice=z, row=y, column=x) LPS
    in_mm = np.diag([*3 * [_mm(image)], 1.0]) @ affine
    shape = (*image.shape[:3], 1, 1, 1)[:3]
    try:
        return Geometry((shape[2], shape[1], shape[0]), (RAS_TO_LPS @ in_mm)[:, [2, 1, 0, 3]], spacing_known)
    except ValueError as error:
        raise NiftiError(f"{error} Found in {name}.", reason="invalid_geometry") from error


def _mm(image: Any) -> float:
    """Return what a unit of the header is in mm; most files leave it unknown and mean mm (NIfTI-1, xyzt_units)."""
    unit = image.header.get_xyzt_units()[0] if "xyzt_units" in image.header else "unknown"
    return {"meter": 1000.0, "micron": 0.001}.get(unit, 1.0)


def _code(image: Any, form: str) -> int:
    return int(image.header[f"{form}_code"])


def _compare(sform: Geometry, qform: Geometry, name: str) -> None:
    sizes = np.array([sform.spacing_mm, qform.spacing_mm])
    if (np.abs(sizes[0] - sizes[1]) > SIZE_TOLERANCE_FRACTION * sizes[1]).any():
        raise NiftiError(
            f"Expected voxels of one size in the NIfTI header of {name}, found {_mm_text(sizes[0])} by its sform and "
            f"{_mm_text(sizes[1])} by its qform. Which is true can't be known: convert the image again.",
            reason="contradictory_geometry",
        )
    corners = sform.to_index(qform.corners_mm()) - qform.to_index(qform.corners_mm())
    if (apart := float(np.abs(corners).max())) > FORM_TOLERANCE_VOXELS:
        note(
            "sform_and_qform_differ",
            f"The sform and qform of {name} place its voxels up to {apart:.1f} voxels apart: the sform was taken.",
        )


def _compare_with_sizes(image: Any, grid: Geometry, name: str) -> None:
    """Say it when the header's own voxel sizes are others than its sform's: many programs read those alone."""
    told = np.abs(np.asarray(image.header["pixdim"][1:4], dtype=float))[::-1] * _mm(image)
    sizes = np.asarray(grid.spacing_mm)
    if np.isfinite(told).all() and (told > 0).all() and (np.abs(told - sizes) > SIZE_TOLERANCE_FRACTION * sizes).any():
        note(
            "voxel_sizes_differ",
            f"The header of {name} tells voxels of {_mm_text(told)} and places them {_mm_text(sizes)} apart: the latter was taken.",
        )


def _mm_text(spacing: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.3f}" for value in spacing) + " mm"


def _refuse_none(image: Any, name: str) -> NoReturn:
    if "sform_code" in image.header and (_code(image, "sform") or _code(image, "qform")):
        raise NiftiError(
            f"Expected a matrix in the sform or qform of {name}, found zeros or no numbers. Convert the image again.",
            reason="invalid_geometry",
        )
    raise NiftiError(
        f"Expected a sform or qform in the NIfTI header of {name}, found neither: where its voxels lie is unknown. "
        "Convert the image again with a tool that keeps the geometry.",
        reason="missing_geometry",
    )
