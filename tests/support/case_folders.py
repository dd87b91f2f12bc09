"""Folders of cases as `ingest` writes them, images and outlines included."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.io.files import sha256_file
from lesionflow.io.images.nifti import write_mask, write_volume
from lesionflow.io.stores.cases import image_path, mask_path, write_dataset, write_table
from support.bundles import DATASET
from support.case_tables import case_table

SHAPE = (5, 40, 56)


def write_cases(
    folder: Path, n_cases: int = 8, seed: int = 11, *, contrast_hu: Sequence[float] = (100,), noise_hu: float = 20
) -> pd.DataFrame:
    """Write noisy CT cases, one a patient, each with a bright box of 3 x 24 x 30 voxels, by `contrast_hu` in turn; return their table."""
    rng = np.random.default_rng(seed)
    table = case_table(n_cases, DATASET)
    geometry = Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5), (10.0, -20.0, 5.0))
    for number, case_id in enumerate(table["case_id"]):
        labels = np.zeros(SHAPE, np.uint8)
        labels[1:4, 6 + number % 8 : 30 + number % 8, 10:40] = 1
        image = rng.normal(0, noise_hu, SHAPE).round() + float(contrast_hu[number % len(contrast_hu)]) * labels
        write_volume(image_path(folder, case_id, 0), Volume(image[None], geometry))
        write_mask(mask_path(folder, case_id), Mask(labels, geometry))
        table.loc[number, "image_sha256"] = sha256_file(image_path(folder, case_id, 0))
        table.loc[number, "mask_sha256"] = sha256_file(mask_path(folder, case_id))
    write_dataset(folder, DATASET, n_cases)
    write_table(folder, table)
    return table
