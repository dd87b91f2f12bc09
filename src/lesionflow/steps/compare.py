"""Two evaluated models, by run, registered version or folder: is the second better, by how much, how sure."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lesionflow.errors import ArtifactError
from lesionflow.evaluation.comparison import (
    MetricDifference,
    SeedNoise,
    compare_tables,
    measure_seed_noise,
    require_comparable,
)
from lesionflow.io.stores.evaluations import StoredEvaluation, read_evaluation
from lesionflow.metrics import HEADLINE
from lesionflow.registry.evaluations import fetch_evaluation, find_run


class Comparison(NamedTuple):
    """What both are called, and how the second differs in each headline metric of each target.

    `seed_noise` is empty where no repeated trainings were named.
    """

    first: str
    second: str
    differences: tuple[MetricDifference, ...]
    seed_noise: tuple[SeedNoise, ...]


def compare_models(
    first: str,
    second: str,
    tracking_uri: str,
    *,
    n_bootstrap: int,
    confidence_level: float,
    seed: int,
    repeats: Sequence[str] = (),
) -> Comparison:
    """Compare two models on the test set that both were scored on.

    Args:
        first: A run's id or name, `MODEL/VERSION`, `MODEL/ALIAS`, an alias, or the folder of an evaluation.
        second: The same of the other model; a gain says how much better this one is.
        tracking_uri: The store.
        n_bootstrap: Draws of patients.
        confidence_level: Of the intervals.
        seed: Of draws.
        repeats: Other trainings of the first, alike but for the seed.

    Returns:
        The differences, and how far a seed alone may move each figure.

    Raises:
        ArtifactError: When one is not found or not evaluated, or they were scored on different test sets.
        ServiceError: When MLflow can't be reached.
    """
    one, other = (load_evaluation(wanted, tracking_uri) for wanted in (first, second))
    require_comparable(one.cases, other.cases, HEADLINE)
    if one.test_set_sha256 != other.test_set_sha256:
        raise ArtifactError(
            f"Expected {one.name} and {other.name} scored on one test set, found the same cases with other images or "
            "outlines. Evaluate both on the present test set."
        )
    differences = compare_tables(
        one.cases, other.cases, HEADLINE, n_bootstrap=n_bootstrap, confidence_level=confidence_level, seed=seed
    )
    trainings = [one, *(load_evaluation(wanted, tracking_uri) for wanted in repeats)]
    noise = measure_seed_noise([t.cases for t in trainings], HEADLINE, confidence_level) if repeats else ()
    return Comparison(one.name, other.name, differences, noise)


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
