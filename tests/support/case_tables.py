"""Case tables as `ingest` writes them, for rooms that only read tables."""

import base64

import numpy as np
import pandas as pd

from lesionflow.data.dataset import CASE_COLUMNS, CHANNEL_COLUMNS, Dataset

CT_PET = Dataset(name="knees", channels={"CT": "ct", "PET": "pet"}, labels={"tumor": 1}, regions={})


def case_table(n_cases: int = 12, dataset: Dataset = CT_PET, seed: int = 5) -> pd.DataFrame:
    """Plausible cases, one a patient, nothing wrong with any."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {
        "case_id": [f"c-{i:06d}" for i in range(n_cases)],
        "patient_id": [f"p-{i:06d}" for i in range(n_cases)],
        "source_format": "dicom",
        "n_slices": 40,
        "n_rows": 96,
        "n_columns": 112,
        "spacing_slice_mm": 3.0,
        "spacing_row_mm": 0.8,
        "spacing_column_mm": 0.5,
        "image_sha256": [f"{i:064x}" for i in range(1, n_cases + 1)],
        "mask_sha256": [f"{i:064x}" for i in range(1, n_cases + 1)],
        "has_mask": True,
        "labels_present": "1",
        "n_lesions": 1,
        "tumor_ml": rng.uniform(2.0, 200.0, n_cases),
        "inside_body_fraction": 1.0,
        "mirrored_inside_fraction": 1.0,
        "orientation": "SPL",
        "obliqueness_degrees": 0.0,
        "n_flat_slices": 0,
        "n_repeated_slices": 0,
        "coarse_grid": [rng.bytes(512).hex() for _ in range(n_cases)],
        "image_detail": [base64.b64encode(rng.bytes(2048)).decode() for _ in range(n_cases)],
        "modality": "+".join(dataset.channels),
        "site": [f"s-{i % 3:012d}" for i in range(n_cases)],
        "manufacturer": [("Kneebone Imaging", "Shin Systems")[i % 2] for i in range(n_cases)],
        "sex": "F",
        "age_years": 50.0,
    }
    for name in dataset.channels:
        figures = dict(zip(CHANNEL_COLUMNS, (-1000.0, -900.0, -3.0, 120.0, 150.0, 0, 1.5), strict=True))
        columns |= {f"{figure}__{name}": value for figure, value in figures.items()}
    table = pd.DataFrame(columns)
    missing = set(CASE_COLUMNS) - set(table)
    if missing:
        message = f"the table of the tests lacks {missing}"
        raise ValueError(message)
    return table
