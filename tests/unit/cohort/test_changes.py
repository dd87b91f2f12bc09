import pytest

from lesionflow.cohort.changes import describe_changes
from support.case_tables import CT_PET, case_table


def test_nothing_changed_says_nothing():
    assert describe_changes(case_table(4), case_table(4).iloc[::-1], CT_PET) == ()


def test_cases_patients_labels_and_scanners_are_spoken_of():
    before, now = case_table(4), case_table(7)
    now = now.drop(index=1)  # c-000001, the only case of p-000001
    now.loc[6, "patient_id"] = "p-000000"
    now.loc[5, "manufacturer"] = "Tibia Inc"
    now.loc[4, "labels_present"] = ""
    assert describe_changes(before, now, CT_PET) == (
        "3 cases added, of 2 new patients, of 1 patient known already: c-000004, c-000005, c-000006",
        "1 case gone, of 1 patient who have none left: c-000001",
        "labels: tumor in 4 cases, now 5",
        "scanners: Kneebone Imaging in 2 cases, now 4; Shin Systems in 2 cases, now 1; Tibia Inc (new) in 0 cases, now 1",
    )


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("image_sha256", "ff", "another image"),
        ("mask_sha256", "ff", "another outline of 7.00 ml as before"),
        ("patient_id", "p-9", "another patient"),
    ],
)
def test_each_change_of_a_case_alone_is_named(column, value, words):
    before = case_table(4).assign(tumor_ml=7.0)
    now = before.copy()
    now.loc[2, column] = value
    assert describe_changes(before, now, CT_PET) == (f"case c-000002 changed: {words}",)


def test_another_outline_says_both_volumes():
    before = case_table(4).assign(tumor_ml=7.0)
    now = before.copy()
    now.loc[2, ["mask_sha256", "tumor_ml"]] = ["ff", 9.5]
    assert describe_changes(before, now, CT_PET) == ("case c-000002 changed: outline of 7.00 ml now 9.50 ml",)


def test_many_cases_are_counted():
    (added, *_) = describe_changes(case_table(2), case_table(40), CT_PET)
    assert added.startswith("38 cases added, of 38 new patients: c-000002,")
    assert added.endswith("c-000009 and 30 more")


def test_a_change_of_a_locked_test_case_says_what_it_means():
    before = case_table(4).assign(tumor_ml=7.0)
    now = before.copy()
    now.loc[2, ["mask_sha256", "tumor_ml"]] = ["ff", 9.5]
    now.loc[3, "image_sha256"] = "ff"
    locked, other = describe_changes(before, now, CT_PET, {"c-000002"})
    assert locked.startswith(
        "case c-000002 changed: outline of 7.00 ml now 9.50 ml; it is a locked test patient's: the test set has another digest"
    )
    assert other == "case c-000003 changed: another image"
