"""Two evaluated models, by run, registered version or folder: is the second better, by how much, how sure."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lesionflow.config import Settings
from lesionflow.data.bundle import Bundle
from lesionflow.errors import ArtifactError
from lesionflow.evaluation.comparison import (
    MetricDifference,
    SeedNoise,
    compare_tables,
    measure_seed_noise,
    of_shared_targets,
    require_comparable,
)
from lesionflow.io.stores.evaluations import StoredEvaluation, read_evaluation
from lesionflow.io.stores.splits import read_split
from lesionflow.metrics import HEADLINE
from lesionflow.registry.evaluations import fetch_evaluation, find_run
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.versions import list_models, list_versions
from lesionflow.steps.promote.test_set_scoring import open_test_set, score_on


class Comparison(NamedTuple):
    """What both are called, and how the second differs in each headline metric of each target.

    `seed_noise` is empty where no repeated trainings were named. `scored_anew`: who had no scores of the present test set, and was scored.
    `of_one_alone`: targets that only one of them finds, of which nothing is said.
    """

    first: str
    second: str
    differences: tuple[MetricDifference, ...]
    seed_noise: tuple[SeedNoise, ...]
    scored_anew: tuple[str, ...] = ()
    of_one_alone: tuple[str, ...] = ()


class Workspace(NamedTuple):
    """Where the present test set lies, and what scores on it."""

    cases: Path
    splits: Path
    settings: Settings


def compare_models(
    first: str,
    second: str,
    tracking_uri: str,
    *,
    confidence_level: float,
    repeats: Sequence[str] = (),
    workspace: Workspace | None = None,
) -> Comparison:
    """Compare two models on the test set that both were scored on.

    Args:
        first: A run's id or name, `MODEL/VERSION`, `MODEL/ALIAS`, an alias, or the folder of an evaluation.
        second: The same of the other model; a gain says how much better this one is.
        tracking_uri: The store.
        confidence_level: Of the intervals.
        repeats: Other trainings of the first, alike but for the seed.
        workspace: Where both are scored, as far as they were not, when data were added since one of them was evaluated.

    Returns:
        The differences, and how far a seed alone may move each figure.

    Raises:
        ArtifactError: When one is not found or not evaluated, they have no target in common, or they were scored on different test sets and there is
            no workspace to score in.
        ServiceError: When MLflow can't be reached.
    """
    one, other = (load_evaluation(wanted, tracking_uri) for wanted in (first, second))
    scored_anew: tuple[str, ...] = ()
    if workspace is not None and not _is_comparable(one, other):
        one, other, scored_anew = _score_missing((one, other), workspace)
    pair = of_shared_targets(one.cases, other.cases)
    require_comparable(*pair, HEADLINE)
    if one.test_set_sha256 != other.test_set_sha256:
        raise ArtifactError(
            f"Expected {one.name} and {other.name} scored on one test set, found the same cases with other images or "
            "outlines. Evaluate both on the present test set."
        )
    differences = compare_tables(*pair, HEADLINE, confidence_level=confidence_level)
    trainings = [one, *(load_evaluation(wanted, tracking_uri) for wanted in repeats)]
    noise = measure_seed_noise([t.cases for t in trainings], HEADLINE, confidence_level) if repeats else ()
    alone = tuple(sorted({str(name) for name in set(one.cases["target"]) ^ set(other.cases["target"])}))
    return Comparison(one.name, other.name, differences, noise, scored_anew, alone)


def _is_comparable(one: StoredEvaluation, other: StoredEvaluation) -> bool:
    shared = of_shared_targets(one.cases, other.cases)
    keys = [set(zip(table["case_id"], table["target"], strict=True)) for table in shared]
    return one.test_set_sha256 == other.test_set_sha256 and keys[0] == keys[1]


def _score_missing(
    evaluations: tuple[StoredEvaluation, StoredEvaluation], workspace: Workspace
) -> tuple[StoredEvaluation, StoredEvaluation, tuple[str, ...]]:
    """Score those on the present test set who were scored on another one; each read stands in the ledger."""
    test_set = open_test_set(workspace.cases, workspace.splits, read_split(workspace.splits))
    found, anew = [], []
    for evaluation in evaluations:
        if evaluation.test_set_sha256 == test_set.sha256:
            found.append(evaluation)
            continue
        bundle = _bundle_of(evaluation, workspace.settings.tracking_uri)
        scored = score_on(test_set, {evaluation.name: bundle}, workspace.settings, "compare")[evaluation.name]
        found.append(evaluation._replace(cases=scored.cases, test_set_sha256=test_set.sha256))
        anew.append(evaluation.name)
    return found[0], found[1], tuple(anew)


def _bundle_of(evaluation: StoredEvaluation, tracking_uri: str) -> Bundle:
    for name in list_models(tracking_uri):
        for version in list_versions(name, tracking_uri):
            if version.bundle_digest == evaluation.bundle_digest:
                return fetch_bundle(name, version.version, tracking_uri)
    raise ArtifactError(
        f"Expected {evaluation.name} as a registered version, to score it on the present test set, found none with its bundle "
        f"{evaluation.bundle_digest:.12}. Register it, or evaluate it again."
    )


def load_evaluation(wanted: str, tracking_uri: str) -> StoredEvaluation:
    """Load an evaluation by what somebody calls it; see `compare_models`.

    Raises:
        ArtifactError: When there is none.
        ServiceError: When MLflow can't be reached.
    """
    folder = Path(wanted)
    if folder.is_dir():
        return read_evaluation(folder, wanted)
    run_id, name = find_run(tracking_uri, wanted)
    return fetch_evaluation(tracking_uri, run_id, name)
