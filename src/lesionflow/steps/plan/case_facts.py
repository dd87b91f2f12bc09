"""Facts of one case; in a module of its own, so that worker processes load no network library, and their step none of theirs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionflow.data.dataset import Dataset
from lesionflow.data.fingerprint import CaseFacts
from lesionflow.data.volume import outlined
from lesionflow.io.stores.cases import read_case

#: Intensities kept of each case; percentiles of all cases together need no more.
SAMPLES_A_CASE = 20_000


def measure_facts(folder: Path, dataset: Dataset, case_id: str) -> CaseFacts:
    """Measure what the plan is decided from.

    Args:
        folder: What `ingest` wrote.
        dataset: Its declaration.
        case_id: The case.

    Returns:
        Its facts.

    Raises:
        InputError: When the case can't be read.
    """
    from lesionflow.preprocessing.crop import body_mask
    from lesionflow.preprocessing.orientation import find_orientation, reorient, reorient_geometry

    case = read_case(folder, case_id)
    orientation = find_orientation(case.volume.geometry)
    image = reorient(case.volume.array, orientation)
    body = body_mask(image, tuple(dataset.channels.values()))
    mask = np.zeros(body.shape, bool)
    if case.reference_mask is not None:
        mask = outlined(reorient(case.reference_mask.labels, orientation))
    geometry = reorient_geometry(case.volume.geometry, orientation)
    extent = [np.flatnonzero(body.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
    shape = [int(e[-1] - e[0]) + 1 if e.size else n for e, n in zip(extent, body.shape, strict=True)]
    return CaseFacts(
        case_id=case_id,
        spacing_mm=geometry.spacing_mm,
        body_shape=(shape[0], shape[1], shape[2]),
        tumor_ml=float(mask.sum()) * geometry.voxel_volume_ml,
        body=_sample(image, body),
        tumor=_sample(image, mask),
    )


def _sample(image: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    # Places first, then values: taking all values of a body out of a volume takes ten times as long.
    places = np.flatnonzero(where)
    step = max(len(places) // SAMPLES_A_CASE, 1)
    return np.ascontiguousarray(image.reshape(len(image), -1)[:, places[::step]])
