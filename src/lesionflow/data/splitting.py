"""Dividing patients: a locked test set, and folds of all the others.

The order in which patients are drawn comes from their images alone, so the same data give the same split whatever the
pseudonyms are.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError, ConfigError, InputError


class SplitCase(NamedTuple):
    """What the split looks at in one case."""

    case_id: str
    patient_id: str
    tumor_ml: float
    image_sha256: str


@dataclass(frozen=True)
class SplitRules:
    """How to divide; the names of params section `split`."""

    seed: int
    test_fraction: float
    n_folds: int
    fold: int
    n_volume_strata: int


class _Patient(NamedTuple):
    patient_id: str
    case_ids: tuple[str, ...]
    stratum: int
    draw: str


def make_split(cases: Iterable[SplitCase], rules: SplitRules, *, previous: Split | None = None) -> Split:
    """Divide cases by patient.

    A patient of the previous test set stays in it, and one who was outside stays outside, also when none of the
    patient's cases is given this time. New patients fill the test set up to its fraction, from the tumor-volume strata
    that lack most. A patient keeps the previous fold where the number of folds is the same.

    Args:
        cases: Everything that may be used; quarantined cases left out.
        rules: Fractions, folds, strata and seed.
        previous: The split to honor.

    Returns:
        The split; equal to `previous` when nothing has changed.

    Raises:
        ConfigError: When `fold` is not below `n_folds`, or the previous split shares no patient with the cases.
        InputError: `too_few_patients` when a fold would be empty, or nobody would be left to test on.
    """
    if rules.fold >= rules.n_folds:
        raise ConfigError(f"Expected split.fold below split.n_folds = {rules.n_folds}, found {rules.fold}.")
    patients = _group(list(cases), rules)
    _require_common_patients(patients, previous)
    locked_test = set(previous.test_patients) if previous else set()
    locked_others = set(previous.other_patients) if previous else set()
    test = locked_test | _draw_test(patients, rules, locked_test, locked_others)
    others = [patient for patient in patients if patient.patient_id not in test]
    _require_enough(patients, others, rules)
    folds = _assign_folds(others, rules, previous)
    return Split(
        seed=rules.seed,
        fold=rules.fold,
        folds=tuple(_fold(others, folds, number) for number in range(rules.n_folds)),
        test=tuple(sorted(c for p in patients if p.patient_id in test for c in p.case_ids)),
        test_patients=tuple(sorted(test)),
        other_patients=tuple(sorted(locked_others | {patient.patient_id for patient in others})),
    )


def _group(cases: Sequence[SplitCase], rules: SplitRules) -> list[_Patient]:
    """Return the patients in the order of drawing."""
    grouped: dict[str, list[SplitCase]] = {}
    for case in cases:
        grouped.setdefault(case.patient_id, []).append(case)
    draws = {name: _draw(rules.seed, own) for name, own in grouped.items()}
    by_volume = sorted(grouped, key=lambda name: (_volume_ml(grouped[name]), draws[name]))
    n_strata = min(rules.n_volume_strata, len(grouped))
    strata = {name: rank * n_strata // len(grouped) for rank, name in enumerate(by_volume)}
    patients = (_Patient(n, tuple(sorted(c.case_id for c in own)), strata[n], draws[n]) for n, own in grouped.items())
    return sorted(patients, key=lambda patient: patient.draw)


def _draw(seed: int, cases: Sequence[SplitCase]) -> str:
    content = "\n".join([str(seed), *sorted(case.image_sha256 for case in cases)])
    return hashlib.sha256(content.encode()).hexdigest()


def _volume_ml(cases: Sequence[SplitCase]) -> float:
    return max((case.tumor_ml for case in cases if math.isfinite(case.tumor_ml)), default=0.0)


def _draw_test(patients: Sequence[_Patient], rules: SplitRules, tested: set[str], others: set[str]) -> set[str]:
    """Return the new patients for the test set: one by one from the stratum that lacks most."""
    total = math.floor(rules.test_fraction * len(patients) + 0.5) if patients else 0
    total = max(total, 1) if rules.test_fraction > 0 else 0
    total = min(total, len(patients) - rules.n_folds)
    lacking = dict.fromkeys((patient.stratum for patient in patients), 0.0)
    waiting: dict[int, list[str]] = {}
    decided = tested | others
    for patient in patients:
        lacking[patient.stratum] += rules.test_fraction - (patient.patient_id in tested)
        if patient.patient_id not in decided:
            waiting.setdefault(patient.stratum, []).append(patient.patient_id)
    drawn: set[str] = set()
    n_wanted = total - sum(patient.patient_id in tested for patient in patients)
    while len(drawn) < n_wanted and waiting:
        stratum = max(waiting, key=lambda number: (lacking[number], number))
        lacking[stratum] -= 1
        drawn.add(waiting[stratum].pop())
        if not waiting[stratum]:
            del waiting[stratum]
    return drawn


def _assign_folds(others: Sequence[_Patient], rules: SplitRules, previous: Split | None) -> dict[str, int]:
    """Return each patient's fold: the previous one, or the one with fewest patients of the stratum, then of all."""
    old_folds = previous.folds if previous and len(previous.folds) == rules.n_folds else ()
    old = {case_id: number for number, fold in enumerate(old_folds) for case_id in fold.validation}
    folds: dict[str, int] = {}
    in_stratum = {(patient.stratum, number): 0 for patient in others for number in range(rules.n_folds)}
    in_fold = [0] * rules.n_folds

    def put(patient: _Patient, number: int) -> None:
        folds[patient.patient_id] = number
        in_stratum[patient.stratum, number] += 1
        in_fold[number] += 1

    for patient in others:
        known = [old[case_id] for case_id in patient.case_ids if case_id in old]
        if known:
            put(patient, known[0])
    for patient in others:
        if patient.patient_id not in folds:
            emptiest = min((in_stratum[patient.stratum, n], in_fold[n], n) for n in range(rules.n_folds))
            put(patient, emptiest[2])
    _fill_empty(folds, rules.n_folds, [patient.patient_id for patient in others])
    return folds


def _fill_empty(folds: dict[str, int], n_folds: int, drawn: Sequence[str]) -> None:
    """Move a patient from the largest fold to each empty one: patients may have left since the last split."""
    for number in range(n_folds):
        members = [[name for name in drawn if folds[name] == n] for n in range(n_folds)]
        if not members[number]:
            folds[max(members, key=len)[-1]] = number


def _fold(others: Sequence[_Patient], folds: dict[str, int], number: int) -> Fold:
    validation = sorted(c for p in others if folds[p.patient_id] == number for c in p.case_ids)
    train = sorted(c for p in others if folds[p.patient_id] != number for c in p.case_ids)
    return Fold(train=tuple(train), validation=tuple(validation))


def _require_enough(patients: Sequence[_Patient], others: Sequence[_Patient], rules: SplitRules) -> None:
    wanted = rules.n_folds + (1 if rules.test_fraction > 0 else 0)
    if len(others) < rules.n_folds or len(patients) < wanted:
        message = (
            f"Expected at least {rules.n_folds} patients outside the test set, one a fold"
            f"{', and one to test on' if rules.test_fraction > 0 else ''}; found {len(others)} outside it and "
            f"{len(patients) - len(others)} in it. Add studies, lower split.n_folds, or release cases from quarantine."
        )
        raise InputError(message, reason="too_few_patients")


def _require_common_patients(patients: Sequence[_Patient], previous: Split | None) -> None:
    if previous is None or not patients:
        return
    known = {*previous.test_patients, *previous.other_patients}
    if known and not known & {patient.patient_id for patient in patients}:
        message = (
            f"Expected the cases to share patients with the previous split, found none of its {len(known)}: these are "
            "other data, or their pseudonyms were made with another key, and the test set can't be kept apart. Restore "
            "the key, or remove the split's file to start a new test set."
        )
        raise ConfigError(message)


def digest_of_test_set(split: Split, hashes: Mapping[str, tuple[str, str]]) -> str:
    """Return the sha256 that names a test set: its cases, their images and their outlines.

    Two scores are comparable only when they were taken on test sets of one digest.

    Args:
        split: Whose test cases.
        hashes: By case id, `image_sha256` and `mask_sha256` of the case table.

    Raises:
        ArtifactError: When a test case is not in the case table.
    """
    missing = [case_id for case_id in split.test if case_id not in hashes]
    if missing:
        raise ArtifactError(
            f"Expected the test cases {', '.join(missing[:5])} in the case table, found none. Run split."
        )
    lines = sorted(f"{case_id} {hashes[case_id][0]} {hashes[case_id][1]}" for case_id in split.test)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
