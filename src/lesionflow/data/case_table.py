"""One row of facts a case: what the case table holds, with nothing that identifies anybody."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry

CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)
#: Every n-th voxel is enough for percentiles.
PERCENTILE_STEP = 7


def case_row(case: Case, *, source_format: str, inside_body_fraction: float) -> dict[str, Any]:
    """Measure a case.

    Args:
        case: The case.
        source_format: The layout it came in.
        inside_body_fraction: Share of its labelled voxels that lie in the body.

    Returns:
        A value for each of `data.dataset.CASE_COLUMNS` and, by channel, `CHANNEL_COLUMNS`.
    """
    geometry, mask = case.volume.geometry, case.reference_mask
    labels = mask.labels if mask is not None else np.zeros(geometry.shape, np.uint8)
    present = [int(value) for value in np.unique(labels) if value]
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
        "n_lesions": int(ndimage.label(labels > 0, CONNECTIVITY)[1]),
        "tumor_ml": float(np.count_nonzero(labels)) * geometry.voxel_volume_ml,
        "inside_body_fraction": inside_body_fraction,
        "manufacturer": case.attributes.get("manufacturer", ""),
        "sex": case.attributes.get("sex", ""),
    }
    for name, channel in zip(case.channels, case.volume.array, strict=True):
        row |= {f"{column}__{name}": value for column, value in _channel_facts(channel).items()}
    return row


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
