"""Two made models on the same twelve patients: one misses four tumors and is fine on the others, one finds all, a little off."""

import numpy as np
import pandas as pd

from lesionflow.metrics import score_masks
from support.masks import boxes

SHAPE, SPACING_MM = (9, 40, 40), (1.0, 1.0, 1.0)
#: Of 9 x 40 x 40 mm.
DIAGONAL_MM = (81 + 1600 + 1600) ** 0.5
N_PATIENTS, N_MISSED = 12, 4
NOTHING = np.zeros(SHAPE, bool)
TUMOR = boxes(((2, 10, 10), (7, 20, 20)), shape=SHAPE)
#: One row, and four rows, too far: HD95 of 1 and of 4 mm.
NEAR, FAR = (boxes(((2, 10 + n, 10), (7, 20 + n, 20)), shape=SHAPE) for n in (1, 4))


def scores(predicted, references=None) -> pd.DataFrame:
    """Return the table of cases of a model, a patient a mask; the reference is the tumor unless given."""
    rows = []
    for number, mask in enumerate(predicted):
        reference = TUMOR if references is None else references[number]
        about = {"case_id": f"c-{number:02}", "patient_id": f"p-{number:02}", "target": "tumor"}
        rows.append(about | score_masks(reference, mask, SPACING_MM).figures)
    return pd.DataFrame(rows)


def misses_four() -> pd.DataFrame:
    return scores([NEAR] * (N_PATIENTS - N_MISSED) + [NOTHING] * N_MISSED)


def finds_all() -> pd.DataFrame:
    return scores([FAR] * N_PATIENTS)


def as_of_version_0_1(table: pd.DataFrame) -> pd.DataFrame:
    """Return scores as version 0.1 wrote them: undefined where a mask was empty, and no diagonal."""
    one_empty = (table["reference_ml"] > 0) != (table["predicted_ml"] > 0)
    old = table.drop(columns="image_diagonal_mm")
    names = [n for n in table if n.startswith(("hd", "assd", "surface_dice"))]
    old.loc[one_empty, names] = np.nan
    old.loc[one_empty & (old["predicted_ml"] == 0), "lesion_precision"] = np.nan
    old.loc[one_empty & (old["reference_ml"] == 0), ["lesion_recall", "lesion_dice", "relative_volume_error"]] = np.nan
    return old
