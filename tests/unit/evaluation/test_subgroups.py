import numpy as np
import pandas as pd

from lesionflow.evaluation.subgroups import estimate_subgroups, groups_of

SETTINGS = {"n_bootstrap": 400, "confidence_level": 0.9, "seed": 3}


def _groups(cases: pd.DataFrame, **columns):
    n = len(cases)
    scores = pd.DataFrame(
        {
            "case_id": cases["case_id"],
            "patient_id": [f"p{i}" for i in range(n)],
            "reference_ml": [0.0, 0.5, 5.0, 50.0, 500.0, 7.0][:n],
            "dice": [1.0, 0.2, 0.4, 0.6, 0.8, 0.6][:n],
            **columns,
        }
    )
    return estimate_subgroups(scores, cases, ("dice",), **SETTINGS)


def _cases(**columns) -> pd.DataFrame:
    return pd.DataFrame({"case_id": [f"c{i}" for i in range(6)], **columns})


def test_groups_have_their_number_and_mean() -> None:
    cases = _cases(
        manufacturer=["A", "B", "A", "A", "B", ""], sex=["F"] * 6, spacing_slice_mm=[1.0, 1.5, 3.0, 5.0, 5.0, 8.0]
    )
    found = _groups(cases)
    seen = [(g.by, g.group, g.n_cases, round(g.estimates["dice"].mean, 6)) for g in found]
    assert seen == [
        ("scanner", "A", 3, round(2.0 / 3, 6)),
        ("scanner", "B", 2, 0.5),
        ("scanner", "unknown", 1, 0.6),
        ("slice spacing (mm)", "up to 1.5", 2, 0.6),
        ("slice spacing (mm)", "over 1.5 to 3", 1, 0.4),
        ("slice spacing (mm)", "over 3 to 5", 2, 0.7),
        ("slice spacing (mm)", "over 5", 1, 0.6),
        ("tumor size (ml)", "none", 1, 1.0),
        ("tumor size (ml)", "over 0 to 1", 1, 0.2),
        ("tumor size (ml)", "over 1 to 10", 2, 0.5),
        ("tumor size (ml)", "over 10 to 100", 1, 0.6),
        ("tumor size (ml)", "over 100", 1, 0.8),
    ]
    # Three patients of scanner A have an interval, two of B are too few for one; all women are no group.
    assert found[0].estimates["dice"].low < 2 / 3 < found[0].estimates["dice"].high
    assert np.isnan(found[1].estimates["dice"].low)


def test_an_unknown_age_is_a_group_of_its_own() -> None:
    found = _groups(_cases(age_years=[17.0, 18.0, 30.0, np.nan, 66.0, 65.0]), reference_ml=5.0)
    assert [(g.group, g.n_cases) for g in found] == [
        ("up to 18", 2), ("over 18 to 40", 1), ("over 40 to 65", 1), ("over 65", 1), ("unknown", 1),
    ]  # fmt: skip


def test_two_cases_of_one_patient_are_one_patient() -> None:
    found = _groups(
        _cases(sex=["F", "F", "M", "M", "M", "M"]), patient_id=["a", "a", "b", "c", "d", "e"], reference_ml=5.0
    )
    assert [(g.n_cases, g.n_patients) for g in found] == [(2, 1), (4, 4)]


def test_a_group_is_one_however_its_cases_spell_it():
    makers = pd.Series(["SIEMENS", "Siemens Healthineers", "GE MEDICAL SYSTEMS", "n/a", None, ""], index=list("abcdef"))
    assert groups_of(makers, "manufacturer").to_dict() == dict(
        zip("abcdef", ["Siemens", "Siemens", "GE", "unknown", "unknown", "unknown"], strict=True)
    )
    sites = pd.Series(["Hosp A", "HOSP A", "Hosp  A", "Hosp A", "Hosp B", "Unknown"])
    assert groups_of(sites, "site").tolist() == ["Hosp A"] * 4 + ["Hosp B", "unknown"]
