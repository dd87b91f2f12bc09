"""The step `split`: divide patients into a locked test set and folds."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lesionflow.cohort.near_duplicates import SIGNATURE_COLUMNS, find_near_duplicates, group_near_duplicates
from lesionflow.cohort.splitting import SplitCase, SplitRules, make_split
from lesionflow.config import Settings, SplitConfig
from lesionflow.data.split import Split
from lesionflow.errors import InputError
from lesionflow.io.stores.cases import read_table
from lesionflow.io.stores.splits import read_split, write_split
from lesionflow.io.stores.validations import read_quarantine
from lesionflow.steps.shared_state import fetch_shared, push_shared, require_lock

#: Columns that every part of the split has its share of.
TRAITS = ("site", "manufacturer", "modality")
#: Source format of cases whose files tell nothing of where they came from.
PICTURES = "pictures"
#: Of so many patients who are all better, the sign-flip test gives p = 2 / 2**6 = 0.03; of one fewer 0.06.
FEW_TEST_PATIENTS = 6
#: Patients named in a message, by their pseudonyms.
MAX_NAMED = 8
logger = logging.getLogger(__name__)


class LockedPatients(NamedTuple):
    """Patients of the locked test set: who is in the data, who is in quarantine or without an outline, who is in it no longer."""

    present: tuple[str, ...]
    held_back: tuple[str, ...]
    gone: tuple[str, ...]


def run(
    config: SplitConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Divide the cases that are not in quarantine.

    A split that lies at the output already is the lock: who was tested on stays tested on. So is the one that the registered model shares,
    wherever it was drawn: it is fetched first, and what is drawn here is shared before anybody learns from it.

    Args:
        config: Fractions, folds, strata and seed; the model whose split it is.
        inputs: `cases` and `validation`.
        outputs: `splits`, a JSON file.
        settings: The tracking URI.

    Returns:
        `n_train`, `n_validation` and `n_test` cases, `n_test_patients` who are locked, how many of them are `n_test_patients_held_back` or
        `n_test_patients_gone`, and `n_new_patients`.

    Raises:
        ConfigError: When the params or the previous split do not fit the cases.
        InputError: When there are too few patients, or none of the test set is left.
        ArtifactError: When an input or the previous split can't be read, or it and the shared one disagree, or the model has a champion
            and no split is left.
        ServiceError: When the store of the shared one can't be reached.
    """
    path = outputs["splits"]
    fetch_shared(path, config.model_name, settings.tracking_uri)
    require_lock(path, config.model_name, settings.tracking_uri)
    previous = read_split(path) if path.exists() else None
    cases = usable_cases(inputs["cases"], read_quarantine(inputs["validation"]))
    rules = SplitRules(**config.model_dump(exclude={"model_name"}))
    split = make_split(cases, rules, previous=previous).model_copy(update={"model_name": config.model_name})
    known = {*previous.test_patients, *previous.other_patients} if previous else set()
    n_new = len({case.patient_id for case in cases} - known)
    if previous:
        logger.info("%d patients are new; the %d tested on before stay so", n_new, len(previous.test_patients))
    if previous and (left := sorted({*previous.test} & {case.case_id for case in cases} - {*split.test})):
        logger.warning(
            "%d cases leave the test set, as their patient, told otherwise now, has been learned from: %s. Figures of before "
            "can't be compared.",
            len(left),
            _some(left),
        )
    locked = count_locked(split, cases, read_table(inputs["cases"])["patient_id"])
    _say_locked(locked, config.test_fraction)
    write_split(path, split)
    push_shared(path, config.model_name, settings.tracking_uri)
    logger.info(
        "%d cases to train, %d to validate, %d to test on", *map(len, (split.train, split.validation, split.test))
    )
    return {
        "n_train": float(len(split.train)),
        "n_validation": float(len(split.validation)),
        "n_test": float(len(split.test)),
        "n_test_patients": float(len(split.test_patients)),
        "n_test_patients_held_back": float(len(locked.held_back)),
        "n_test_patients_gone": float(len(locked.gone)),
        "n_new_patients": float(n_new),
    }


def count_locked(split: Split, cases: Sequence[SplitCase], known: Iterable[str]) -> LockedPatients:
    """Tell which patients of the locked test set are still there: the file names them for ever, the data may not hold them.

    Args:
        split: Whose test patients.
        cases: Those that may be used.
        known: Patients of all cases, also of those in quarantine or without an outline.
    """
    usable, all_known = {case.patient_id for case in cases}, set(known)
    absent = [name for name in split.test_patients if name not in usable]
    return LockedPatients(
        present=tuple(name for name in split.test_patients if name in usable),
        held_back=tuple(name for name in absent if name in all_known),
        gone=tuple(name for name in absent if name not in all_known),
    )


def _say_locked(locked: LockedPatients, test_fraction: float) -> None:
    n_locked = sum(map(len, locked))
    said = f"Locked test set of {n_locked} patients: {len(locked.present)} are in the data"
    said += (
        f", {len(locked.held_back)} in quarantine or without an outline ({_some(locked.held_back)})"
        if locked.held_back
        else ""
    )
    said += f", {len(locked.gone)} gone ({_some(locked.gone)})" if locked.gone else ""
    if test_fraction > 0 and not locked.present:
        raise InputError(
            f"{said}. Expected at least one to test on. Bring their studies back, or remove the split's file to start a new test set.",
            reason="too_few_patients",
        )
    if len(locked.present) < n_locked:
        logger.warning("%s. A model's figures on what is left are not those of the whole test set.", said)
    elif n_locked:
        logger.info("%s.", said)
    if 0 < len(locked.present) < FEW_TEST_PATIENTS:
        logger.warning(
            "Only %d patients are tested on: with fewer than %d no difference between two models can reach p < 0.05.",
            len(locked.present),
            FEW_TEST_PATIENTS,
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def usable_cases(folder: Path, quarantine: Mapping[str, object]) -> list[SplitCase]:
    """Return the cases that may be trained or tested on: outlined, and not in quarantine."""
    table = read_table(folder)
    without_mask = ~table["has_mask"].fillna(value=False).astype(bool)
    quarantined = table["case_id"].isin(list(quarantine))
    if quarantined.any():
        logger.warning("%d cases in quarantine are left out: %s", quarantined.sum(), ", ".join(sorted(quarantine)))
    if (without_mask & ~quarantined).any():
        logger.warning("%d cases without an outline are left out", (without_mask & ~quarantined).sum())
    usable = table[~quarantined & ~without_mask]
    twins = _twins(usable)
    traits = zip(*(usable[name].fillna("").astype(str) for name in TRAITS), _frames(usable), strict=True)
    columns = (usable["case_id"], usable["patient_id"], usable["tumor_ml"].astype(float), usable["image_sha256"])
    return [SplitCase(*row) for row in zip(*columns, traits, twins, strict=True)]


def _frames(table: pd.DataFrame) -> list[str]:
    """Name the frame of each picture, empty for other cases: it alone tells which microscope or camera it came from."""
    frames = table["n_rows"].astype(str) + " x " + table["n_columns"].astype(str)
    return frames.where(table["source_format"] == PICTURES, "").tolist()


def _twins(table: pd.DataFrame) -> list[str]:
    """Name the group of each case that holds nearly the same image as another: they must not be parted."""
    pairs = find_near_duplicates(*(table[column].fillna("").array for column in SIGNATURE_COLUMNS))
    groups = group_near_duplicates(len(table), pairs)
    twins = {position for pair in pairs for position in pair[:2]}
    if pairs:
        names = sorted(table["case_id"].iloc[position] for position in twins)
        logger.warning(
            "%d cases hold nearly the same images and are kept together: %s", len(names), ", ".join(names[:8])
        )
    return [str(group) if position in twins else "" for position, group in enumerate(groups)]
