"""Dividing patients: a locked test set, and folds of all the others.

Patients who share an image, or nearly, are one unit: they are drawn together. The order in which units are drawn comes from
their images alone, so the same data give the same split whatever the pseudonyms are.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError, ConfigError, InputError


class SplitCase(NamedTuple):
    """What the split looks at in one case.

    `traits` are what every part should have its share of: site, scanner, modality. `twins` names the group of cases that
    hold nearly the same image; empty for a case like no other.
    """

    case_id: str
    patient_id: str
    tumor_ml: float
    image_sha256: str
    traits: tuple[str, ...] = ()
    twins: str = ""


@dataclass(frozen=True)
class SplitRules:
    """How to divide; the names of params section `split`."""

    seed: int
    test_fraction: float
    n_folds: int
    fold: int
    n_volume_strata: int


class _Unit(NamedTuple):
    """Patients that stay together; `strata` says for each factor (tumor volume, site ...) where the unit belongs."""

    patient_ids: tuple[str, ...]
    case_ids: tuple[str, ...]
    strata: tuple[int, ...]
    draw: str


def make_split(cases: Iterable[SplitCase], rules: SplitRules, *, previous: Split | None = None) -> Split:
    """Divide cases by patient.

    A patient of the previous test set stays in it, and one who was outside stays outside, also when none of the
    patient's cases is given this time. The lock holds cases too, as a patient may be called otherwise now (names joined, a
    rule mended): whose case was trained on is outside, also where another of the cases was tested on.

    A new patient who shares an image with one of the test set joins it. New patients fill the test set up to its fraction,
    from the strata (tumor volume, and each trait) that lack most. A patient keeps the previous fold where the number of
    folds is the same.

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
    given = list(cases)
    locked_test, locked_others = _lock(given, previous)
    units = _make_units(given, rules, locked_test, locked_others)
    _require_common_patients(units, locked_test | locked_others)
    test = locked_test | _draw_test(units, rules, locked_test, locked_others)
    others = [unit for unit in units if not test.intersection(unit.patient_ids)]
    _require_enough(units, others, rules)
    folds = _assign_folds(others, rules, previous)
    return Split(
        seed=rules.seed,
        fold=rules.fold,
        folds=tuple(_fold(others, folds, number) for number in range(rules.n_folds)),
        test=tuple(sorted(c for u in units if test.intersection(u.patient_ids) for c in u.case_ids)),
        test_patients=tuple(sorted(test)),
        other_patients=tuple(sorted(locked_others | {name for unit in others for name in unit.patient_ids})),
    )


def _lock(cases: Sequence[SplitCase], previous: Split | None) -> tuple[set[str], set[str]]:
    """Return the patients of the test set, and those outside it, by name and by their cases."""
    if previous is None:
        return set(), set()
    learned = {case_id for fold in previous.folds for case_id in (*fold.train, *fold.validation)}
    learned_from = {case.patient_id for case in cases if case.case_id in learned}
    locked = set(previous.test)
    tested = {case.patient_id for case in cases if case.case_id in locked}
    test = ({*previous.test_patients} | tested) - learned_from
    return test, ({*previous.other_patients} | learned_from) - test


def _make_units(
    cases: Sequence[SplitCase], rules: SplitRules, locked_test: set[str], locked_others: set[str]
) -> list[_Unit]:
    """Return the units in the order of drawing."""
    grouped: dict[str, list[SplitCase]] = {}
    for case in cases:
        grouped.setdefault(case.patient_id, []).append(case)
    members = _unite_twins(grouped, locked_test, locked_others)
    own = [[case for name in names for case in grouped[name]] for names in members]
    draws = [_draw(rules.seed, cases_of) for cases_of in own]
    strata = _strata(own, draws, rules.n_volume_strata)
    units = (
        _Unit(names, tuple(sorted(case.case_id for case in cases_of)), stratum, draw)
        for names, cases_of, stratum, draw in zip(members, own, strata, draws, strict=True)
    )
    return sorted(units, key=lambda unit: unit.draw)


def _unite_twins(
    grouped: Mapping[str, Sequence[SplitCase]], locked_test: set[str], locked_others: set[str]
) -> list[tuple[str, ...]]:
    """Return the patients of each unit. Whom the lock holds apart already stays apart; who is new goes outside then."""
    leader = {name: name for name in grouped}

    def find(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    first: dict[str, str] = {}
    for name, cases in grouped.items():
        for twins in {case.twins for case in cases if case.twins}:
            leader[find(name)] = find(first.setdefault(twins, name))
    united: dict[str, list[str]] = {}
    for name in grouped:
        united.setdefault(find(name), []).append(name)
    units = []
    for names in united.values():
        tested = [name for name in names if name in locked_test]
        rest = [name for name in names if name not in locked_test]
        apart = tested and any(name in locked_others for name in rest)
        units += [tuple(sorted(part)) for part in ((tested, rest) if apart else (names,))]
    return units


def _strata(own: Sequence[Sequence[SplitCase]], draws: Sequence[str], n_volume_strata: int) -> list[tuple[int, ...]]:
    """Number each unit's stratum by factor: volumes by rank; traits in the order of drawing, as names may be pseudonyms."""
    by_volume = sorted(range(len(own)), key=lambda unit: (_volume_ml(own[unit]), draws[unit]))
    n_strata = min(n_volume_strata, len(own))
    columns = [[0] * len(own)]
    for rank, unit in enumerate(by_volume):
        columns[0][unit] = rank * n_strata // len(own)
    in_order = sorted(range(len(own)), key=lambda unit: draws[unit])
    for factor in range(max((len(cases[0].traits) for cases in own), default=0)):
        values = [min(case.traits[factor] for case in cases) for cases in own]
        numbers = {value: number for number, value in enumerate(dict.fromkeys(values[unit] for unit in in_order))}
        if len(numbers) > 1:
            columns.append([numbers[value] for value in values])
    return list(zip(*columns, strict=True))


def _draw(seed: int, cases: Sequence[SplitCase]) -> str:
    content = "\n".join([str(seed), *sorted(case.image_sha256 for case in cases)])
    return hashlib.sha256(content.encode()).hexdigest()


def _volume_ml(cases: Sequence[SplitCase]) -> float:
    return max((case.tumor_ml for case in cases if math.isfinite(case.tumor_ml)), default=0.0)


def _draw_test(units: Sequence[_Unit], rules: SplitRules, tested: set[str], others: set[str]) -> set[str]:
    """Return the new patients for the test set: unit by unit from the strata that lack most."""
    n_patients = sum(len(unit.patient_ids) for unit in units)
    total = math.floor(rules.test_fraction * n_patients + 0.5) if units else 0
    total = max(total, 1) if rules.test_fraction > 0 else 0
    total = min(total, n_patients - rules.n_folds)
    lacking: dict[tuple[int, int], float] = {}
    waiting: dict[tuple[int, ...], list[_Unit]] = {}
    drawn = {name for unit in units if tested.intersection(unit.patient_ids) for name in unit.patient_ids} - tested
    for unit in units:
        n_own, in_test = len(unit.patient_ids), bool(tested.intersection(unit.patient_ids))
        for stratum in enumerate(unit.strata):
            lacking[stratum] = lacking.get(stratum, 0.0) + n_own * (rules.test_fraction - in_test)
        if not in_test and not others.intersection(unit.patient_ids):
            waiting.setdefault(unit.strata, []).append(unit)
    n_wanted = total - sum(name in tested or name in drawn for unit in units for name in unit.patient_ids)
    while n_wanted > 0 and waiting:
        strata = max(waiting, key=lambda cell: (sum(lacking[stratum] for stratum in enumerate(cell)), cell))
        unit = waiting[strata].pop()
        if len(unit.patient_ids) <= n_wanted:
            n_wanted -= len(unit.patient_ids)
            drawn.update(unit.patient_ids)
            for stratum in enumerate(strata):
                lacking[stratum] -= len(unit.patient_ids)
        if not waiting[strata]:
            del waiting[strata]
    return drawn


def _assign_folds(others: Sequence[_Unit], rules: SplitRules, previous: Split | None) -> dict[_Unit, int]:
    """Return each unit's fold: the previous one, or the one with fewest of the unit's strata, then of all."""
    old_folds = previous.folds if previous and len(previous.folds) == rules.n_folds else ()
    old = {case_id: number for number, fold in enumerate(old_folds) for case_id in fold.validation}
    folds: dict[_Unit, int] = {}
    counts: dict[tuple[int, int, int], int] = {}
    in_fold = [0] * rules.n_folds

    def put(unit: _Unit, number: int) -> None:
        folds[unit] = number
        in_fold[number] += len(unit.patient_ids)
        for factor, stratum in enumerate(unit.strata):
            counts[factor, stratum, number] = counts.get((factor, stratum, number), 0) + len(unit.patient_ids)

    def fullness(unit: _Unit, number: int) -> tuple[int, int, int]:
        own = sum(counts.get((factor, stratum, number), 0) for factor, stratum in enumerate(unit.strata))
        return own, in_fold[number], number

    for unit in others:
        known = [old[case_id] for case_id in unit.case_ids if case_id in old]
        if known:
            put(unit, known[0])
    for unit in others:
        if unit not in folds:
            put(unit, min(fullness(unit, number) for number in range(rules.n_folds))[2])
    _fill_empty(folds, rules.n_folds, others)
    return folds


def _fill_empty(folds: dict[_Unit, int], n_folds: int, drawn: Sequence[_Unit]) -> None:
    """Move a patient from the largest fold to each empty one: patients may have left since the last split."""
    for number in range(n_folds):
        members = [[unit for unit in drawn if folds[unit] == n] for n in range(n_folds)]
        if not members[number]:
            folds[max(members, key=len)[-1]] = number


def _fold(others: Sequence[_Unit], folds: Mapping[_Unit, int], number: int) -> Fold:
    validation = sorted(c for unit in others if folds[unit] == number for c in unit.case_ids)
    train = sorted(c for unit in others if folds[unit] != number for c in unit.case_ids)
    return Fold(train=tuple(train), validation=tuple(validation))


def _require_enough(patients: Sequence[_Unit], others: Sequence[_Unit], rules: SplitRules) -> None:
    wanted = rules.n_folds + (1 if rules.test_fraction > 0 else 0)
    if len(others) < rules.n_folds or len(patients) < wanted:
        message = (
            f"Expected at least {rules.n_folds} patients outside the test set, one a fold"
            f"{', and one to test on' if rules.test_fraction > 0 else ''}; found {len(others)} outside it and "
            f"{len(patients) - len(others)} in it. Add studies, lower split.n_folds, or release cases from quarantine."
        )
        raise InputError(message, reason="too_few_patients")


def _require_common_patients(units: Sequence[_Unit], known: set[str]) -> None:
    if units and known and not known & {name for unit in units for name in unit.patient_ids}:
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
