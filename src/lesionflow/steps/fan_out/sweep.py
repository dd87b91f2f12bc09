"""A sweep: trainings beside one another that differ in a few params. The best by its validation cases goes on; no test case is looked at."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lesionflow.config import TrainConfig
from lesionflow.config.loading import SectionValues, load_section, read_yaml_file, section_text, section_values
from lesionflow.errors import ConfigError
from lesionflow.io.files import replacing_folder
from lesionflow.io.stores.bundles import read_bundle
from lesionflow.steps import run_step

logger = logging.getLogger(__name__)
STEP = "train"


def changed_params(params: SectionValues, changes: SectionValues) -> dict[str, Any]:
    """Return the section `train` of a candidate.

    Args:
        params: The section that all candidates share.
        changes: Keys of it with the candidate's own values; of a key that holds keys, only those that are named change.

    Returns:
        The section as plain values.

    Raises:
        ConfigError: When one is no section, the section with the changes does not fit, or `folds` changes: of other folds the validation
            cases are others, and by them candidates are compared.

    Examples:
        >>> _merged({"loss": "dice", "transfer": {"source": "none", "frozen_epochs": 0}}, {"transfer": {"frozen_epochs": 2}})
        {'loss': 'dice', 'transfer': {'source': 'none', 'frozen_epochs': 2}}
    """
    shared = section_values(params, STEP)
    merged = _merged(shared, section_values(changes, STEP))
    if merged.get("folds") != shared.get("folds"):
        raise ConfigError(
            f"Expected train.folds {shared.get('folds')} in each candidate, found {merged.get('folds')}: they are compared by the same "
            "validation cases. Change it in the params, for all of them."
        )
    load_section(TrainConfig, merged, STEP)
    return merged


def read_candidates(path: Path, params: SectionValues) -> list[str]:
    """Read the candidates of a sweep.

    Args:
        path: A YAML file: a list whose entries are the keys of `train` that are a candidate's own.
        params: The section that they share.

    Returns:
        A text for each, as the pipeline takes them.

    Raises:
        ConfigError: When the file is none, or an entry does not fit; the message says which.
    """
    entries = read_yaml_file(path, "list of candidates", "Name one with --candidates.").values
    if not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"Expected a list of candidates in {path.name}, such as `- learning_rate: 0.001`, found none."
        )
    for number, entry in enumerate(entries, 1):
        try:
            changed_params(params, entry)
        except ConfigError as error:
            raise ConfigError(f"Candidate {number} of {path.name}: {error}") from error
    return [section_text(entry) for entry in entries]


def train_candidate(
    params: SectionValues, changes: SectionValues, inputs: Mapping[str, Path], bundle: Path
) -> Mapping[str, float]:
    """Train one candidate.

    Args:
        params: The section `train` that all share.
        changes: What is this candidate's own.
        inputs: Those of `train`.
        bundle: Where its bundle goes.

    Returns:
        The counts of `train`.

    Raises:
        ConfigError: When params, changes or paths do not fit.
    """
    return run_step(STEP, changed_params(params, changes), inputs, {"bundle": bundle})


def choose_candidate(candidates: Sequence[Path], bundle: Path) -> dict[str, float]:
    """Copy the bundle of the best candidate, as it was attested.

    Args:
        candidates: The bundles, in the order of the sweep; of equal ones the first is taken.
        bundle: Where the best goes.

    Returns:
        `candidate`, its number from 0, `n_candidates` and `validation_dice`.

    Raises:
        ConfigError: When there is no candidate, or they were not judged by the same validation cases.
        ArtifactError: When a bundle is broken.
    """
    cards = [read_bundle(candidate).card for candidate in candidates]
    if not cards:
        raise ConfigError("Expected trained candidates to choose from, found none. Name some by `candidates`.")
    if len({frozenset(card.validation_cases) for card in cards}) > 1:
        raise ConfigError(
            "Expected candidates that were judged by the same validation cases, found others: their Dice says nothing of which is better. "
            "Train all of them on one split with one train.folds."
        )
    scores = [card.validation_dice for card in cards]
    best = scores.index(max(scores))
    for number, score in enumerate(scores):
        logger.info(
            "candidate %d of %d: validation Dice %.4f%s",
            number + 1,
            len(scores),
            score,
            ", which goes on" * (number == best),
        )
    with replacing_folder(bundle) as partial:
        shutil.copytree(candidates[best], partial, dirs_exist_ok=True)
    return {"candidate": float(best), "n_candidates": float(len(scores)), "validation_dice": scores[best]}


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    own = {
        name: _merged(values[name], value)
        if isinstance(value, Mapping) and isinstance(values.get(name), Mapping)
        else value
        for name, value in changes.items()
    }
    return {**values, **own}
