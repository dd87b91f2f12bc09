import pytest

from lesionflow.cohort.shared_lock import join_locks, leave_out
from lesionflow.cohort.splitting import SplitCase, SplitRules, make_split
from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError


def _split(test, others):
    """Patients by name; each has one case, `c-NAME`."""
    cases = [f"c-{name}" for name in others]
    folds = tuple(
        Fold(train=tuple(c for i, c in enumerate(cases) if i % 2 != n), validation=tuple(cases[n::2])) for n in (0, 1)
    )
    return Split(
        seed=1,
        fold=0,
        folds=folds,
        test=tuple(f"c-{n}" for n in test),
        test_patients=tuple(test),
        other_patients=tuple(others),
    )


def test_the_one_that_knows_more_is_taken_as_it_is():
    less, more = _split("ab", "cdef"), _split("abx", "cdefyz")
    assert join_locks(less, more) == more
    assert join_locks(more, less) == more
    assert join_locks(less, less) == less


def test_who_was_withdrawn_is_in_no_lock_and_in_no_fold():
    left = leave_out(_split("abx", "cdef"), ("x", "c-x", "d", "c-d"))
    assert left == _split("ab", "cdef").model_copy(
        update={
            "folds": (Fold(train=("c-f",), validation=("c-c", "c-e")), Fold(train=("c-c", "c-e"), validation=("c-f",))),
            "other_patients": ("c", "e", "f"),
        }
    )
    assert leave_out(left, ("x", "c-x")) == left


def test_new_patients_of_both_are_locked_as_each_has_them():
    joined = join_locks(_split("abx", "cdef"), _split("ab", "cdefyz"))
    assert joined.test_patients == ("a", "b", "x")
    assert joined.other_patients == ("c", "d", "e", "f", "y", "z")
    assert joined.test == ("c-a", "c-b", "c-x")
    assert all({"c-y", "c-z"} <= set(fold.train) for fold in joined.folds)
    # Whoever is drawn next is drawn by this lock.
    cases = [SplitCase(f"c-{n}", n, 1.0, n) for n in "abcdefxyzuvw"]
    rules = SplitRules(seed=3, test_fraction=0.4, n_folds=2, fold=0, n_volume_strata=1)
    split = make_split(cases, rules, previous=joined)
    assert {"a", "b", "x"} <= set(split.test_patients)
    assert not {"c", "d", "e", "f", "y", "z"} & set(split.test_patients)


@pytest.mark.parametrize(("here", "shared"), [("abx", "cde"), ("ab", "cdex")])
def test_a_patient_tested_on_here_and_learned_from_there_is_refused_by_name(here, shared):
    theirs = _split("ab", "cdex") if here == "abx" else _split("abx", "cde")
    with pytest.raises(
        ArtifactError,
        match=r"1 patients tested on in one and learned from in the other: x\..*split\.model_name|: x\. Figures",
    ):
        join_locks(_split(here, shared), theirs)


def test_a_case_of_a_patient_called_otherwise_is_seen_too():
    here = _split("ab", "cde")
    there = _split("ax", "cde").model_copy(update={"test": ("c-a", "c-c")})
    with pytest.raises(ArtifactError, match=r"cases tested on in one and learned from in the other: c-c\."):
        join_locks(here, there.model_copy(update={"folds": (Fold(train=("c-d",), validation=("c-e",)),)}))


def test_other_data_or_another_key_is_no_test_set_of_this_model():
    with pytest.raises(ArtifactError, match="no patient in common: 5 here, 4 there"):
        join_locks(_split("ab", "cde"), _split("p", "qrs"))
