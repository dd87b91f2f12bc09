"""What the case table says of a case beyond its arrays: where the body is, how it is turned, what it looks like."""

from typing import Any

import numpy as np

from lesionflow.cohort.image_signature import sign_image
from lesionflow.data.case import Case
from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import outlined
from lesionflow.preprocessing.crop import body_mask
from lesionflow.preprocessing.orientation import CANONICAL_LPS_AXES, find_orientation, reorient

#: Letters of the patient's axes, by LPS axis: towards which side an array axis grows.
POSITIVE, NEGATIVE = "LPS", "RAI"
#: What is saved through a window is saved at least through this one.
SOFT_TISSUE_HU = (-160.0, 240.0)


def measure_case(case: Case, dataset: Dataset) -> dict[str, Any]:
    """Measure a case.

    Args:
        case: The case.
        dataset: Declares the kinds of its channels.

    Returns:
        A value for each name of `cohort.case_table.MEASURED`.
    """
    orientation = find_orientation(case.volume.geometry)
    body = reorient(body_mask(case.volume.array, tuple(dataset.channels.values())), orientation)
    image, first = reorient(case.volume.array[0], orientation), next(iter(dataset.channels.values()))
    inside = mirrored = 1.0
    if case.reference_mask is not None and case.reference_mask.present:
        tumor = outlined(reorient(case.reference_mask.labels, orientation))
        inside = float(body[tumor].mean())
        mirrored = max(float(body[np.flip(tumor, axis)].mean()) for axis in range(3))
    coarse_grid, detail = sign_image(image, SOFT_TISSUE_HU if first == "ct" else None)
    letters, degrees = describe_orientation(case.volume.geometry)
    return {
        "inside_body_fraction": inside,
        "mirrored_inside_fraction": mirrored,
        "orientation": letters,
        "obliqueness_degrees": degrees,
        "coarse_grid": coarse_grid,
        "image_detail": detail,
        "modality": "+".join(dataset.channels),
    }


def describe_orientation(geometry: Geometry) -> tuple[str, float]:
    """Say how a grid lies in the patient.

    Args:
        geometry: The grid.

    Returns:
        For each array axis the side it grows towards (`SPL`: head, back, left), and by how many degrees the grid is
        turned against the patient's axes.
    """
    # Each axis by itself would, on a grid turned by half a right angle, find the same side twice.
    axes = np.zeros(3, int)
    axes[list(find_orientation(geometry).order)] = CANONICAL_LPS_AXES
    cosines = geometry.direction[axes, range(3)]
    letters = "".join(
        POSITIVE[axis] if cosine > 0 else NEGATIVE[axis] for axis, cosine in zip(axes, cosines, strict=True)
    )
    return letters, float(np.degrees(np.arccos(min(float(np.abs(cosines).min()), 1.0))))
