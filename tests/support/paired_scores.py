"""Tables of scores for the gate: one target, one case a patient, nothing but Dice where nothing else is asked for."""

import pandas as pd


def scores_of(dice, target="tumor", **columns) -> pd.DataFrame:
    """Return a row a patient."""
    n = len(dice)
    about = {"case_id": [f"c{i}" for i in range(n)], "patient_id": [f"p{i}" for i in range(n)], "target": target}
    return pd.DataFrame({**about, "dice": [float(value) for value in dice], **columns})
