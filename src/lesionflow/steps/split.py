"""The step `split`: divide patients into a locked test set and folds."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lesionflow.cohort.near_duplicates import SIGNATURE_COLUMNS, find_near_duplicates, group_near_duplicates
from lesionflow.cohort.splitting import SplitCase, SplitRules, make_split
from lesionflow.config import Settings, SplitConfig
from lesionflow.io.stores.cases import read_table
from lesionflow.io.stores.splits import read_split, write_split
from lesionflow.io.stores.validations import read_quarantine

#: Columns that every part of the split has its share of.
TRAITS = ("site", "manufacturer", "modality")
#: Source format of cases whose files tell nothing of where they came from.
PICTURES = "pictures"
logger = logging.getLogger(__name__)


def run(
    config: SplitConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Divide the cases that are not in quarantine.

    A split that lies at the output already is the lock: who was tested on stays tested on.

    Args:
        config: Fractions, folds, strata and seed.
        inputs: `cases` and `validation`.
        outputs: `splits`, a JSON file.
        settings: Not used.

    Returns:
        `n_train`, `n_validation` and `n_test` cases, `n_test_patients` and `n_new_patients`.

    Raises:
        ConfigError: When the params or the previous split do not fit the cases.
        InputError: When there are too few patients.
        ArtifactError: When an input or the previous split can't be read.
    """
    del settings
    path = outputs["splits"]
    previous = read_split(path) if path.exists() else None
    cases = usable_cases(inputs["cases"], read_quarantine(inputs["validation"]))
    split = make_split(cases, SplitRules(**config.model_dump()), previous=previous)
    known = {*previous.test_patients, *previous.other_patients} if previous else set()
    n_new = len({case.patient_id for case in cases} - known)
    if previous:
        logger.info("%d patients are new; the %d tested on before stay so", n_new, len(previous.test_patients))
    write_split(path, split)
    logger.info(
        "%d cases to train, %d to validate, %d to test on", *map(len, (split.train, split.validation, split.test))
    )
    return {
        "n_train": float(len(split.train)),
        "n_validation": float(len(split.validation)),
        "n_test": float(len(split.test)),
        "n_test_patients": float(len(split.test_patients)),
        "n_new_patients": float(n_new),
    }


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
