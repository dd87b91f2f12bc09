"""Who has learned from a test patient: by the case, the patient, or a near-duplicate."""

import numpy as np
import pandas as pd

from lesionflow.cohort.image_signature import sign_image
from lesionflow.cohort.leaks import Leak, find_leaks


def _table(*rows):
    """A row a case: id, patient, and the seed of its image; the same seed is nearly the same image."""
    signed = []
    for number, (case_id, patient, seed) in enumerate(rows):
        image = np.random.default_rng(seed).normal(size=(12, 40, 44)).cumsum(axis=1).cumsum(axis=2).astype(np.float32)
        noise = np.random.default_rng(1000 + number).normal(size=image.shape).astype(np.float32)
        grid, detail = sign_image(image + 0.001 * noise)
        signed.append({"case_id": case_id, "patient_id": patient, "coarse_grid": grid, "image_detail": detail})
    return pd.DataFrame(signed)


TABLE = _table(
    ("c-1", "p-1", 1), ("c-2", "p-1", 2), ("c-3", "p-2", 3), ("c-4", "p-3", 4), ("c-5", "p-4", 3), ("c-6", "p-4", 6)
)


def test_nothing_in_common_is_no_leak():
    assert find_leaks({"c-1", "c-2"}, ["c-4"], TABLE) == ()


def test_each_way_of_knowing_a_patient_is_told_and_the_nearest_one_first():
    assert find_leaks({"c-1"}, ["c-1", "c-2"], TABLE) == (
        Leak("c-1", "c-1", "the same case"),
        Leak("c-2", "c-1", "the same patient"),
    )
    # c-3 and c-5 show the same; who learned from c-5 knows the patient of c-3.
    assert find_leaks({"c-5"}, ["c-3", "c-4"], TABLE) == (Leak("c-3", "c-5", "nearly the same image"),)


def test_a_near_duplicate_counts_for_all_studies_of_either_patient():
    # Learned from c-6, another study of the patient whose c-5 is nearly c-3.
    assert find_leaks({"c-6"}, ["c-3"], TABLE) == (Leak("c-3", "c-5", "nearly the same image"),)


def test_cases_that_are_gone_count_by_their_id_and_patients_by_their_name():
    assert find_leaks({"c-gone"}, ["c-gone", "c-4"], TABLE) == (Leak("c-gone", "c-gone", "the same case"),)
    assert find_leaks(set(), ["c-4"], TABLE, learned_patients=["p-3"]) == (Leak("c-4", "", "the same patient"),)


def test_a_table_without_signatures_is_compared_by_patients():
    bare = TABLE[["case_id", "patient_id"]]
    assert find_leaks({"c-5"}, ["c-3"], bare) == ()
    assert find_leaks({"c-5"}, ["c-6"], bare) == (Leak("c-6", "c-5", "the same patient"),)
