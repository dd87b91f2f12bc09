"""State of a registered model that travels by MLflow: numbered snapshots of a few files, each naming the one before it.

The snapshots of a model are versions of a registered model of its own, `NAME.state`, as MLflow numbers these one by one in whatever store
it has. That makes a compare-and-swap: files are uploaded first, under their digest; the version that then names them says on which
snapshot it stands; of several that stand on the same one, the lowest number is the snapshot and the others are none, whoever reads.
A kill in between leaves files that no version names.
"""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lesionflow.data.ledger import LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import NAME as LEDGER
from lesionflow.io.stores.ledger import READS, read_ledger
from lesionflow.registry.mlflow_store import (
    artifact_location,
    artifact_place,
    connect,
    quiet_loggers,
    reaching,
    sqlite_path,
    with_driver,
)
from lesionflow.registry.versions import STATE_SUFFIX, find_all_versions

SNAPSHOTS = "snapshots"
PARENT, DIGEST, FILES = "state.parent", "state.sha256", "state.files"
ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"
ABOUT = (
    "The locked test set, the ledger and the change plan of {name}, as every workspace and cluster that trains it shares them. A version "
    "is a snapshot that names the one before it: none may be deleted."
)


class Snapshot(NamedTuple):
    """One state: its number, its digest, and its files by name. The digest covers the files and the snapshot before."""

    number: int
    digest: str
    files: Mapping[str, bytes]


def latest_snapshot(model_name: str, tracking_uri: str) -> Snapshot | None:
    """Fetch the newest state of a registered model and verify it; None where none was shared yet.

    Raises:
        ArtifactError: When a snapshot was deleted, or its files are others than were shared.
        ServiceError: When the store can't be reached.
    """
    database = sqlite_path(tracking_uri)
    if database is not None and not database.exists():
        return None
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        head = _head(client, model_name)
        if head is None:
            return None
        with tempfile.TemporaryDirectory(prefix="lesionflow-state-") as folder:
            place = artifact_place(str(head.source), tracking_uri)
            path = Path(
                mlflow.artifacts.download_artifacts(place, dst_path=folder, tracking_uri=with_driver(tracking_uri))
            )
            files = {one.name: one.read_bytes() for one in sorted(path.iterdir())}
    if _digest(head.tags[PARENT], files) != head.tags[DIGEST]:
        raise ArtifactError(
            f"Expected snapshot {head.version} of the state of {model_name} as it was shared, found other files. Take them back from a "
            f"copy of MLflow's artifacts; the state is the lock of the test set."
        )
    return Snapshot(int(head.version), head.tags[DIGEST], files)


def shared_entries(model_name: str, tracking_uri: str) -> tuple[LedgerEntry, ...] | None:
    """Return the ledger that a registered model shares, as it is; None where it shares none.

    Raises:
        ArtifactError: As `latest_snapshot`, or when a line of the ledger was changed.
        ServiceError: When the store can't be reached.
    """
    snapshot = latest_snapshot(model_name, tracking_uri)
    if snapshot is None or LEDGER not in snapshot.files:
        return None
    with tempfile.TemporaryDirectory(prefix="lesionflow-ledger-") as folder:
        for name in (READS, LEDGER):
            if name in snapshot.files:
                (Path(folder) / name).write_bytes(snapshot.files[name])
        return read_ledger(Path(folder) / LEDGER)


def find_state_origin(model_name: str, tracking_uri: str) -> str:
    """Return what tells the state of a registered model from one of the same name in another store, or begun anew; empty where there is none.

    Raises:
        ArtifactError: When a snapshot was deleted.
        ServiceError: When the store can't be reached.
    """
    database = sqlite_path(tracking_uri)
    if not model_name or (database is not None and not database.exists()):
        return ""
    client = connect(tracking_uri)
    with reaching(tracking_uri):
        head = _head(client, model_name)
    return "" if head is None else str(head.run_id)


def push_snapshot(
    model_name: str, files: Mapping[str, bytes], before: Snapshot | None, tracking_uri: str
) -> Snapshot | None:
    """Share a new state, if the newest is still the one that it was made from.

    Args:
        model_name: The registered model.
        files: The whole state: what is not among them is no longer in it.
        before: The state that was seen; None for none.
        tracking_uri: The store.

    Returns:
        The snapshot; None when somebody else was faster: fetch theirs, and make yours from it.

    Raises:
        ArtifactError: When a snapshot was deleted.
        ServiceError: When the store can't be reached.
    """
    parent = before.digest if before else ""
    if before is not None and dict(before.files) == dict(files):
        return before
    client, digest = connect(tracking_uri, make=True), _digest(parent, files)
    name = model_name + STATE_SUFFIX
    with reaching(tracking_uri), quiet_loggers("mlflow.store.model_registry.abstract_store"):
        if _digest_of(_head(client, model_name)) != parent:
            return None
        run = _run_of_state(client, name, tracking_uri)
        with tempfile.TemporaryDirectory(prefix="lesionflow-state-") as folder:
            for file, content in files.items():
                (Path(folder) / file).write_bytes(content)
            client.log_artifacts(run.info.run_id, folder, f"{SNAPSHOTS}/{digest}")
        _make_model(client, name, model_name)
        tags = {PARENT: parent, DIGEST: digest, FILES: json.dumps(sorted(files))}
        source = f"{str(run.info.artifact_uri).rstrip('/')}/{SNAPSHOTS}/{digest}"
        made = client.create_model_version(name, source, run_id=run.info.run_id, tags=tags)
        head = _head(client, model_name)
        if head is None or str(head.version) != str(made.version):
            client.delete_model_version(name, str(made.version))
            return None
    return Snapshot(int(made.version), digest, dict(files))


def _head(client: MlflowClient, model_name: str) -> Any:
    """Return the version that is the newest snapshot: each stands on the one before, the lowest number first."""
    versions = sorted(find_all_versions(client, model_name + STATE_SUFFIX), key=lambda version: int(version.version))
    known = {"", *(version.tags.get(DIGEST, "") for version in versions)}
    head = None
    for version in versions:
        if version.tags.get(PARENT, "") not in known or DIGEST not in version.tags:
            raise ArtifactError(
                f"Expected every snapshot of the state of {model_name} in MLflow, found one before number {version.version} deleted. Restore "
                f"MLflow's database from a copy, or delete the registered model {model_name + STATE_SUFFIX} and share the state of the "
                "workspace that has the whole ledger: `lesionflow state push` there."
            )
        if version.tags[PARENT] == _digest_of(head):
            head = version
    return head


def _digest_of(version: Any) -> str:
    return "" if version is None else str(version.tags[DIGEST])


def _digest(parent: str, files: Mapping[str, bytes]) -> str:
    lines = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in sorted(files.items())]
    return hashlib.sha256("\n".join([parent, *lines]).encode()).hexdigest()


def _run_of_state(client: MlflowClient, name: str, tracking_uri: str) -> Any:
    """Return the run that holds the files: the first of an experiment of its own."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            experiment_id = client.create_experiment(name, artifact_location(tracking_uri, name))
        except MlflowException:
            # Another process was faster.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    experiment_id = found.experiment_id if found is not None else experiment_id
    runs = client.search_runs([experiment_id], order_by=["attributes.start_time ASC"], max_results=1)
    if runs:
        return runs[0]
    made = client.create_run(experiment_id, run_name="state")
    # It holds files and does nothing: reviewers would wait for its end.
    client.set_terminated(made.info.run_id)
    return made


def _make_model(client: MlflowClient, name: str, model_name: str) -> None:
    try:
        client.create_registered_model(name, description=ABOUT.format(name=model_name))
    except MlflowException as error:
        if error.error_code != ALREADY_THERE:
            raise
