import pandas as pd

from lesionflow.evaluation.cards.cohort_description import describe_cohort


def test_patients_are_counted_by_what_is_known_of_them_and_follow_ups_once():
    cases = pd.DataFrame(
        {
            "case_id": ["a", "b", "c", "d", "e"],
            "patient_id": ["p1", "p1", "p2", "p3", "p4"],
            "site": ["North", "South", "North", None, "North"],
            "manufacturer": ["K"] * 5,
            "sex": ["F", "F", "M", "", "F"],
            "age_years": [39.0, 41.0, 17.0, None, 90.0],
        }
    )
    found = describe_cohort(cases, ["a", "b", "c", "d", "gone"])
    assert (found["n_cases"], found["n_patients"]) == (4, 3)
    assert found["groups"] == {
        "site": {"North": 2, "South": 1, "unknown": 1},
        "scanner": {"K": 3},
        "sex": {"F": 1, "M": 1, "unknown": 1},
        "age (years)": {"over 18 to 40": 1, "over 40 to 65": 1, "up to 18": 1, "unknown": 1},
    }
    assert describe_cohort(cases, []) == {"n_cases": 0, "n_patients": 0, "groups": {}}
