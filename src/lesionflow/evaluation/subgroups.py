"""For whom a model works: scores by group of cases, each with its number and interval."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from lesionflow.cohort.group_names import UNKNOWN, group_names
from lesionflow.evaluation.statistics import Estimate, estimate_means

#: Columns of the case table whose values are groups, by what people call them.
BY_VALUE: Mapping[str, str] = {"site": "site", "manufacturer": "scanner", "sex": "sex"}
#: Columns cut at bounds, by what people call them: the first bound at or above a value names its group.
BY_BOUNDS: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "spacing_slice_mm": ("slice spacing (mm)", (1.5, 3.0, 5.0)),
    "reference_ml": ("tumor size (ml)", (0.0, 1.0, 10.0, 100.0)),
    "age_years": ("age (years)", (18.0, 40.0, 65.0)),
}
#: With fewer patients a group is shown, its interval is not: it would say less than it seems to.
MIN_PATIENTS = 3
#: The column of makers, whose names `cohort.group_names` knows.
MAKER = "manufacturer"


class Subgroup(NamedTuple):
    """One group of cases and its scores by metric."""

    by: str
    group: str
    n_cases: int
    n_patients: int
    estimates: Mapping[str, Estimate]


def estimate_subgroups(
    scores: pd.DataFrame,
    cases: pd.DataFrame,
    metrics: tuple[str, ...],
    *,
    n_bootstrap: int,
    confidence_level: float,
    seed: int,
) -> tuple[Subgroup, ...]:
    """Estimate the means of each group.

    Args:
        scores: One row a case of one target: `case_id`, `patient_id`, `reference_ml` and the metrics.
        cases: The case table; groups are made by those of its columns that `BY_VALUE` and `BY_BOUNDS` name.
        metrics: What is estimated.
        n_bootstrap: Draws of patients.
        confidence_level: Of the intervals.
        seed: Of the draws.

    Returns:
        The groups, those of one property together; a property that is alike in all cases makes none.
    """
    known = [name for name in (*BY_VALUE, *BY_BOUNDS) if name in cases and name not in scores]
    table = scores.merge(cases[["case_id", *known]], on="case_id", how="left")
    found: list[Subgroup] = []
    for column in (*BY_VALUE, *BY_BOUNDS):
        if column not in table:
            continue
        groups = groups_of(table[column], column)
        if groups.nunique() < 2:
            continue
        name = BY_VALUE.get(column) or BY_BOUNDS[column][0]
        for group in sorted(groups.unique(), key=lambda g: (g == UNKNOWN, _place(g, column), g)):
            rows = table[groups == group]
            n_patients = rows["patient_id"].nunique()
            estimates = estimate_means(
                rows, metrics, n_bootstrap=n_bootstrap, confidence_level=confidence_level, seed=seed
            )
            if n_patients < MIN_PATIENTS:
                estimates = {m: e._replace(low=float("nan"), high=float("nan")) for m, e in estimates.items()}
            found.append(Subgroup(name, group, len(rows), n_patients, estimates))
    return tuple(found)


def groups_of(values: pd.Series, column: str) -> pd.Series:
    """Return the group of each value of a column: its bin where `BY_BOUNDS` names the column, else the value, of whose spellings one stands for all.

    Args:
        values: Of any index.
        column: Its name.

    Returns:
        Names of the same index; `unknown` where there is no value.
    """
    if column not in BY_BOUNDS:
        return pd.Series(group_names(values, makers=column == MAKER), values.index, dtype=object)
    bounds = BY_BOUNDS[column][1]
    names = _names(bounds)
    numbers = pd.to_numeric(values, errors="coerce")
    places = np.searchsorted(bounds, numbers.to_numpy(dtype=float), side="left")
    return pd.Series([UNKNOWN if np.isnan(v) else names[p] for v, p in zip(numbers, places, strict=True)], values.index)


def _names(bounds: tuple[float, ...]) -> list[str]:
    inner = [f"over {low:g} to {high:g}" for low, high in pairwise(bounds)]
    first = "none" if bounds[0] == 0 else f"up to {bounds[0]:g}"
    return [first, *inner, f"over {bounds[-1]:g}"]


def _place(group: str, column: str) -> int:
    if column in BY_VALUE or group == UNKNOWN:
        return 0
    return _names(BY_BOUNDS[column][1]).index(group)
