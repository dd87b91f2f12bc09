"""One row of facts a case: what the case table holds, with nothing that identifies anybody."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import outlined

CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)
#: An outline's rim reaches this far, in plane: a slice further up may be a centimetre away.
RIM_VOXELS = 4
#: Median absolute deviation to standard deviation, for normal values.
MAD_TO_DEVIATION = 1.4826
IN_PLANE = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], dtype=bool)
#: Columns that `case_row` is given.
MEASURED = (
    "inside_body_fraction",
    "mirrored_inside_fraction",
    "orientation",
    "obliqueness_degrees",
    "coarse_grid",
    "image_detail",
    "modality",
)
#: Every n-th voxel is enough for percentiles.
PERCENTILE_STEP = 7


def case_row(case: Case, *, source_format: str, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Measure a case.

    Args:
        case: The case.
        source_format: The layout it came in.
        measured: What takes more than the arrays as they lie: `MEASURED`.

    Returns:
        A value for each of `data.dataset.CASE_COLUMNS` and, by channel, `CHANNEL_COLUMNS`.
    """
    geometry, mask = case.volume.geometry, case.reference_mask
    labels = mask.labels if mask is not None else np.zeros(geometry.shape, np.uint8)
    present = () if mask is None else mask.present
    row: dict[str, Any] = {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "source_format": source_format,
        **dict(zip(("n_slices", "n_rows", "n_columns"), geometry.shape, strict=True)),
        **dict(zip(("spacing_slice_mm", "spacing_row_mm", "spacing_column_mm"), geometry.spacing_mm, strict=True)),
        "image_sha256": content_sha256(case.volume.array, geometry),
        "mask_sha256": content_sha256(labels, geometry),
        "has_mask": mask is not None,
        "labels_present": ",".join(map(str, present)),
        "n_lesions": int(ndimage.label(outlined(labels), CONNECTIVITY)[1]),
        "tumor_ml": float(np.count_nonzero(outlined(labels))) * geometry.voxel_volume_ml,
        **{name: measured[name] for name in MEASURED},
        **_slice_facts(case.volume.array),
        **{name: case.attributes.get(name, "") for name in ("manufacturer", "site", "sex")},
        "age_years": float(case.attributes.get("age_years", "nan")),
    }
    for name, channel in zip(case.channels, case.volume.array, strict=True):
        facts = {**_channel_facts(channel), "outline_contrast": outline_contrast(channel, labels)}
        row |= {f"{column}__{name}": value for column, value in facts.items()}
    return row


def outline_contrast(channel: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    """Tell how much an outline sets apart: difference of the medians inside and in a rim around it, by the rim's spread.

    Medians, as a rim may hold bone or air that the tumor borders on.

    Args:
        channel: (slice, row, column).
        labels: The outline, on the same grid.

    Returns:
        At least 0; about 0 where the outline follows nothing that is seen; NaN without an outline.
    """
    found = ndimage.find_objects(outlined(labels).astype(np.uint8))
    if not found:
        return math.nan
    box = tuple(slice(max(axis.start - RIM_VOXELS, 0), axis.stop + RIM_VOXELS) for axis in found[0])
    inside, image = outlined(labels[box]), channel[box]
    # What is neither inside nor ignored: there may be tumor in what is.
    rim = image[ndimage.binary_dilation(inside, IN_PLANE, iterations=RIM_VOXELS) & (labels[box] == 0)]
    if not rim.size:
        return math.nan
    middle = float(np.median(rim))
    spread = MAD_TO_DEVIATION * float(np.median(np.abs(rim - middle)))
    return abs(float(np.median(image[inside])) - middle) / max(spread, 1e-6)


def _slice_facts(array: NDArray[np.float32]) -> dict[str, int]:
    """Count slices that hold one value alone between others that do not, and slices that repeat the one before."""
    reference = array[0]
    flat = np.array([float(plane.min()) == float(plane.max()) for plane in reference])
    inner = np.flatnonzero(~flat)
    n_flat = int(flat[inner[0] : inner[-1]].sum()) if len(inner) else 0
    pairs = zip(reference[:-1], reference[1:], flat[1:], strict=True)
    n_repeated = sum(1 for one, other, is_flat in pairs if not is_flat and np.array_equal(one, other))
    return {"n_flat_slices": n_flat, "n_repeated_slices": n_repeated}


def content_sha256(array: NDArray[Any], geometry: Geometry) -> str:
    """Return the sha256 of an array and of where it lies."""
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes())
    digest.update(np.ascontiguousarray(geometry.affine).tobytes() + repr(geometry.shape).encode())
    return digest.hexdigest()


def _channel_facts(channel: NDArray[np.float32]) -> dict[str, float]:
    low, high = np.percentile(channel.ravel()[::PERCENTILE_STEP], (1, 99))
    return {
        "min": float(channel.min()),
        "p01": float(low),
        "mean": float(channel.mean(dtype=np.float64)),
        "p99": float(high),
        "max": float(channel.max()),
        "n_nan": float(np.count_nonzero(~np.isfinite(channel))),
    }
