"""Of whom the data are, counted: patients by site, scanner, sex and age, in training and in the test."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lesionflow.evaluation.subgroups import BY_BOUNDS, BY_VALUE, groups_of

#: Columns that say who a patient is or where the study was made, by what people call them.
DESCRIBED = {**BY_VALUE, "age_years": BY_BOUNDS["age_years"][0]}


def describe_cohort(cases: pd.DataFrame, case_ids: Sequence[str]) -> dict[str, Any]:
    """Count the patients of some cases by what is known of them.

    Args:
        cases: The case table.
        case_ids: Whose; those that the table no longer holds are passed over.

    Returns:
        `n_cases`, `n_patients`, and `groups`: by property, patients by group. A patient of two sites counts in both.
    """
    table = cases[cases["case_id"].isin(list(case_ids))]
    groups = {}
    for column, name in DESCRIBED.items():
        if column in table and len(table):
            counts = table.groupby(groups_of(table[column], column))["patient_id"].nunique()
            groups[name] = {str(group): int(n) for group, n in counts.items()}
    return {"n_cases": len(table), "n_patients": int(table["patient_id"].nunique()), "groups": groups}
