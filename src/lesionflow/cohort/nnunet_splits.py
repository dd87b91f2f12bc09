"""nnU-Net's `splits_final.json`: a list of folds, each `{"train": [...], "val": [...]}` of case names (nnU-Net v2)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lesionflow.cohort.splitting import SplitCase
from lesionflow.data.split import Fold, Split
from lesionflow.errors import ConfigError
from lesionflow.machine.error_words import plain_words

MAX_NAMED = 5


def to_nnunet(split: Split) -> list[dict[str, list[str]]]:
    """Return a split's folds as nnU-Net reads them. The test set is in none of them."""
    return [{"train": list(fold.train), "val": list(fold.validation)} for fold in split.folds]


def from_nnunet(
    content: Any, cases: Sequence[SplitCase], *, seed: int, fold: int, n_folds: int, previous: Split | None
) -> Split:
    """Take over nnU-Net's folds.

    Args:
        content: What `splits_final.json` holds.
        cases: Every case that may be used. Those in no fold are the test set.
        seed: `split.seed`.
        fold: `split.fold`.
        n_folds: `split.n_folds`.
        previous: The split that lies there; its test set stays locked.

    Returns:
        The split.

    Raises:
        ConfigError: When the file is no such list, names unknown cases, parts a patient, has a case in no fold's or several
            folds' `val`, holds another number of folds, or trains on a locked test case.
    """
    folds = _folds(content)
    if len(folds) != n_folds or fold >= n_folds:
        raise ConfigError(
            f"Expected split.n_folds = {n_folds} folds in splits_final.json, found {len(folds)}. Set it so."
        )
    patient = {case.case_id: case.patient_id for case in cases}
    named = {case_id for one in folds for case_id in (*one.train, *one.validation)}
    _refuse(sorted(named - set(patient)), "cases of the case table", "are not in it")
    times = Counter(case_id for one in folds for case_id in one.validation)
    _refuse(sorted(c for c in named if times[c] != 1), "each case in `val` of one fold", "are in none or in several")
    for number, one in enumerate(folds):
        both = {patient[c] for c in one.train} & {patient[c] for c in one.validation}
        parted = sorted(c for c in (*one.train, *one.validation) if patient[c] in both)
        _refuse(parted, f"each patient on one side of fold {number}", "are of patients on both")
    test_patients = {patient[c] for c in patient if c not in named}
    inside = {patient[c] for c in named}
    _refuse(
        sorted(c for c in named if patient[c] in test_patients),
        "each patient in the folds or outside",
        "are of patients in both",
    )
    if previous is not None:
        locked, out = set(previous.test_patients), set(previous.other_patients)
        _refuse(sorted(c for c in named if patient[c] in locked), "no locked test case in a fold", "are locked")
        freed = sorted(c for c in patient if c not in named and patient[c] in out)
        _refuse(freed, "nobody in the test set who was trained on", "were outside it")
        test_patients, inside = test_patients | locked, inside | out
    return Split(
        seed=seed,
        fold=fold,
        folds=tuple(folds),
        test=tuple(sorted(c for c in patient if c not in named)),
        test_patients=tuple(sorted(test_patients)),
        other_patients=tuple(sorted(inside)),
    )


def _folds(content: Any) -> list[Fold]:
    try:
        return [Fold(train=tuple(sorted(one["train"])), validation=tuple(sorted(one["val"]))) for one in content]
    except (TypeError, KeyError, ValueError) as error:
        raise ConfigError(
            f"Expected a list of folds with `train` and `val` in splits_final.json, found: {plain_words(error, length=200)}."
        ) from error


def _refuse(case_ids: Sequence[str], expected: str, found: str) -> None:
    if case_ids:
        more = f" and {len(case_ids) - MAX_NAMED} more" if len(case_ids) > MAX_NAMED else ""
        raise ConfigError(
            f"Expected {expected} in splits_final.json, found {len(case_ids)} that {found}: "
            f"{', '.join(case_ids[:MAX_NAMED])}{more}."
        )
