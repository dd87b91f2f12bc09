"""What a DICOM series would cost, told from the headers of its files before their pixels are decoded."""

import math
from typing import Any

from lesionflow.data.geometry import Geometry
from lesionflow.io.dicom.multiframe import is_multiframe
from lesionflow.machine.study_budget import current_budget
from lesionflow.machine.volume_cost import require_position, require_spacing, require_volume

#: Bits of a pixel where a header does not say.
USUAL_BITS = 16
BITS = 8


def require_affordable(data: Any, *, n_files: int, file_bytes: int, name: str) -> None:
    """Refuse a series by what one of its files claims.

    Args:
        data: The data set of one file.
        n_files: Files of the series; each is like it where it holds one slice.
        file_bytes: What they take together.
        name: What to call the study in messages.

    Raises:
        InputError: `implausible_spacing`, `oversized_image`, `memory_budget`.
    """
    n_slices = int(data.get("NumberOfFrames") or 1) if is_multiframe(data) else n_files
    shape = (n_slices, int(data.get("Rows") or 0), int(data.get("Columns") or 0))
    itemsize = max(int(data.get("BitsAllocated") or USUAL_BITS), BITS) // BITS
    require_volume(shape, None, name=name, itemsize=itemsize, file_bytes=file_bytes if _is_packed(data) else None)
    limits = current_budget().limits
    for spacing in _pixel_spacings(data):
        require_spacing(shape[1:], spacing, limits, name=name)


def require_grid_affordable(geometry: Geometry, *, name: str) -> None:
    """Refuse a series by the grid that its slices make, before they are put on it.

    Raises:
        InputError: As `machine.study_budget.require_volume`; `invalid_geometry`.
    """
    require_position(geometry.origin_mm.tolist(), name=name)
    require_volume(geometry.shape, geometry.spacing_mm, name=name, itemsize=0)


def _pixel_spacings(data: Any) -> list[tuple[float, float]]:
    """Return the pixel spacings that a file says: its own, or those of its frames; what is none is refused elsewhere."""
    groups = [
        *(data.get("SharedFunctionalGroupsSequence") or ()),
        *(data.get("PerFrameFunctionalGroupsSequence") or ()),
    ]
    items = [item for group in groups for item in group.get("PixelMeasuresSequence") or ()]
    spacings = [holder.get("PixelSpacing") for holder in (data, *items)]
    pairs = [tuple(float(v) for v in s) for s in spacings if s is not None and not isinstance(s, str) and len(s) == 2]
    return [(pair[0], pair[1]) for pair in pairs if min(pair) > 0 and math.isfinite(sum(pair))]


def _is_packed(data: Any) -> bool:
    meta = getattr(data, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    return syntax is not None and syntax.is_encapsulated
