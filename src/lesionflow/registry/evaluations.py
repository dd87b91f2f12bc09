"""Evaluations in MLflow: whose they are, and the table of cases that another model can be compared with."""

import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

from lesionflow.errors import ArtifactError
from lesionflow.io.stores.evaluations import ABOUT, CASES, StoredEvaluation, parse_evaluation
from lesionflow.registry.mlflow_store import connect, reaching, with_driver
from lesionflow.registry.versions import CHAMPION, NOT_FOUND, find_version, list_models

#: Where a run keeps its evaluation.
FOLDER = "evaluation"
#: Shorter than this, the beginning of a run's id is no name for it.
MIN_ID_LENGTH = 6


def fetch_evaluation(tracking_uri: str, run_id: str, name: str) -> StoredEvaluation:
    """Read the evaluation that `evaluate` logged to a run.

    Raises:
        ArtifactError: When the run has none.
        ServiceError: When the store can't be reached.
    """
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        try:
            there = {Path(entry.path).name for entry in client.list_artifacts(run_id, FOLDER)}
        except MlflowException as error:
            if error.error_code != NOT_FOUND:
                raise
            raise ArtifactError(
                f"Expected the run of {name} in MLflow, found that it was deleted. Evaluate it again."
            ) from None
        if not {CASES, ABOUT} <= there:
            raise ArtifactError(f"Expected an evaluation in the run of {name}, found none. Evaluate it first.")
        about, cases = (_download(tracking_uri, run_id, f"{FOLDER}/{file}") for file in (ABOUT, CASES))
    return parse_evaluation(about, cases, name)


def find_run(tracking_uri: str, wanted: str) -> tuple[str, str]:
    """Find the run that somebody means.

    Args:
        tracking_uri: The store.
        wanted: A run's id or the beginning of it, its name, `MODEL/VERSION`, `MODEL/ALIAS`, or an alias or version
            where the store holds one model.

    Returns:
        The run's id and what to call it.

    Raises:
        ArtifactError: When there is none, or more than one.
        ServiceError: When the store can't be reached.
    """
    model, _, version = wanted.rpartition("/")
    names = [model] if model else list(list_models(tracking_uri))
    versions = [found for name in names if (found := find_version(name, version, tracking_uri))]
    runs = {v.run_id: f"{v.model_name} version {v.version}" for v in versions}
    runs = runs or _runs_called(connect(tracking_uri), wanted, tracking_uri)
    if len(runs) != 1:
        seen = ", ".join(f"{name} ({run_id[:MIN_ID_LENGTH]})" for run_id, name in sorted(runs.items())) or "none"
        raise ArtifactError(
            f"Expected one run called {wanted!r}, found {seen}. Name it by its id, or a model as NAME/VERSION; "
            "`lesionflow models list` and the MLflow UI show them."
        )
    return next(iter(runs.items()))


def find_champion(tracking_uri: str, experiment_id: str) -> tuple[str, str] | None:
    """Find the champion among the models whose runs are of one experiment, the one registered last.

    Returns:
        Its run's id and what to call it; None when there is none.

    Raises:
        ServiceError: When the store can't be reached.
    """
    champions = [v for name in list_models(tracking_uri) if (v := find_version(name, CHAMPION, tracking_uri))]
    client = connect(tracking_uri)
    for version in sorted(champions, key=lambda v: v.created_at, reverse=True):
        if _experiment_of(client, version.run_id) == experiment_id:
            return version.run_id, f"{version.model_name} version {version.version}"
    return None


def read_run_file(tracking_uri: str, run_id: str, path: str) -> bytes | None:
    """Return the bytes of a file among a run's artifacts; None when the run has no such file."""
    try:
        return _download(tracking_uri, run_id, path)
    except (MlflowException, OSError):
        return None


def _download(tracking_uri: str, run_id: str, path: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lesionflow-run-file-") as folder:
        found = mlflow.artifacts.download_artifacts(
            run_id=run_id, artifact_path=path, dst_path=folder, tracking_uri=with_driver(tracking_uri)
        )
        return Path(found).read_bytes()


def _experiment_of(client: MlflowClient, run_id: str) -> str:
    try:
        return str(client.get_run(run_id).info.experiment_id)
    except MlflowException:
        return ""


def _runs_called(client: MlflowClient, wanted: str, tracking_uri: str) -> dict[str, str]:
    with reaching(tracking_uri):
        experiments = [e.experiment_id for e in client.search_experiments(view_type=ViewType.ACTIVE_ONLY)]
        named: list[Any] = []
        if "'" not in wanted:
            by_name = f"attributes.run_name = '{wanted}'"
            named = list(client.search_runs(experiments, by_name, max_results=5))
            if not named and len(wanted) >= MIN_ID_LENGTH and wanted.isalnum():
                by_id = f"attributes.run_id LIKE '{wanted}%'"
                named = list(client.search_runs(experiments, by_id, max_results=5))
    return {run.info.run_id: run.info.run_name for run in named}
