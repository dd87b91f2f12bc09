"""Whether a model has learned from the patients that shall judge it."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import pandas as pd

from lesionflow.cohort.near_duplicates import SIGNATURE_COLUMNS, find_near_duplicates

How = Literal["the same case", "the same patient", "nearly the same image"]


class Leak(NamedTuple):
    """A test case that a model knows: which case it learned from instead, and how the two belong together."""

    test_case: str
    learned_case: str
    how: How


def find_leaks(
    learned: Collection[str], test: Sequence[str], table: pd.DataFrame, *, learned_patients: Collection[str] = ()
) -> tuple[Leak, ...]:
    """Find the test cases that a model has learned from, by themselves, by their patient, or by an image that is nearly theirs.

    A patient is known as a whole: who learned from one study of a patient knows the others, and so does who learned from a
    near-duplicate of any of them.

    Args:
        learned: Cases that the model, or one that it started from, was trained or fitted on.
        test: The locked test cases.
        table: The case table: `case_id`, `patient_id` and, for near-duplicates, `SIGNATURE_COLUMNS`. Cases that are no longer in
            it are compared by their id alone.
        learned_patients: Patients that it learned from, by pseudonym, where a card names them.

    Returns:
        One leak a test case that is known, in the order of the test cases.

    Examples:
        >>> table = pd.DataFrame({"case_id": ["c-1", "c-2", "c-3"], "patient_id": ["p-1", "p-1", "p-2"]})
        >>> find_leaks({"c-2"}, ["c-1", "c-3"], table)
        (Leak(test_case='c-1', learned_case='c-2', how='the same patient'),)
    """
    patient_of = dict(zip(table["case_id"].astype(str), table["patient_id"].astype(str), strict=True))
    known_by: dict[str, str] = dict.fromkeys(learned_patients, "")
    known_by |= {patient_of[case_id]: case_id for case_id in sorted(learned) if case_id in patient_of}
    twins = _twins(table, patient_of, set(known_by))
    found = []
    for case_id in test:
        patient = patient_of.get(case_id, "")
        if case_id in learned:
            found.append(Leak(case_id, case_id, "the same case"))
        elif patient in known_by:
            found.append(Leak(case_id, known_by[patient], "the same patient"))
        elif patient in twins:
            found.append(Leak(case_id, twins[patient], "nearly the same image"))
    return tuple(found)


def _twins(table: pd.DataFrame, patient_of: dict[str, str], known: set[str]) -> dict[str, str]:
    """Return patients of whom a case is nearly the image of one of a known patient, each with that one's case."""
    if not known or not set(SIGNATURE_COLUMNS) <= set(table):
        return {}
    ids = table["case_id"].astype(str).tolist()
    grids, details = (table[column].fillna("").astype(str).tolist() for column in SIGNATURE_COLUMNS)
    twins: dict[str, str] = {}
    for pair in find_near_duplicates(grids, details):
        for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if patient_of[ids[other]] in known:
                twins.setdefault(patient_of[ids[one]], ids[other])
    return twins
