"""What happened in a run: params, curves, tables and pictures in MLflow. No global state: every call names its run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, LifecycleStage, Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_EXPERIMENT_PRIMARY_METRIC_GREATER_IS_BETTER,
    MLFLOW_EXPERIMENT_PRIMARY_METRIC_NAME,
    MLFLOW_LOGGED_ARTIFACTS,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
)
from mlflow.utils.time import get_current_time_millis
from numpy.typing import NDArray

from lesionflow.errors import ServiceError
from lesionflow.registry.mlflow_store import artifact_location, connect, reaching
from lesionflow.registry.pages.champion_marks import (
    KIND,
    OWN_NOTE,
    RESEARCH_USE,
    ROLE,
    TRAINING,
    VIEW,
    describe_experiment,
    digest_of,
    runs_address,
)
from lesionflow.registry.pages.start_page import SHARED_VIEW, VIEW_STATE

#: mlflow refuses longer values of a parameter, and more of them in one call.
MAX_PARAM_LENGTH = 6000
MAX_PARAMS_A_CALL = 100
#: mlflow cuts a data set's digest at this length.
MAX_DIGEST_LENGTH = 36
#: What mlflow calls a run that it does not have, and an id that is none.
NOT_FOUND, INVALID = "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"
#: By these the UI marks the better of several runs.
PRIMARY_METRIC = {
    MLFLOW_EXPERIMENT_PRIMARY_METRIC_NAME: "test/dice",
    MLFLOW_EXPERIMENT_PRIMARY_METRIC_GREATER_IS_BETTER: "True",
}
#: The tag by which a run is found again by whoever ends the orchestrator's run that it belongs to.
PIPELINE_RUN = "pipeline_run"
#: What the page of a run says that was closed by another than who opened it: by what it was ended, and in whose words.
CLOSED_BY, CLOSED_BECAUSE = "closed_by", "closed_because"
#: Digits behind the point of figures in tables that people read.
SHOWN_DECIMALS = 4


class Tracker:
    """Writes runs of one experiment.

    Args:
        tracking_uri: The store; a missing SQLite file is made.
        experiment: The experiment's name, made when missing: the dataset's name.
        pipeline_run: The orchestrator's run that this process belongs to, told at each run that is opened; empty for none.

    Raises:
        ServiceError: When the store can't be reached; so do all methods.
    """

    def __init__(self, tracking_uri: str, experiment: str, *, pipeline_run: str = "") -> None:
        self.tracking_uri = tracking_uri
        self.experiment = experiment
        self._own_tags = {PIPELINE_RUN: pipeline_run} if pipeline_run else {}
        self.client = connect(tracking_uri, make=True)
        with reaching(tracking_uri):
            self.experiment_id = self._make_experiment()
            self._tell_kind()

    def start_run(self, name: str, tags: Mapping[str, str] | None = None, *, parent: str = "") -> str:
        """Open a run.

        Args:
            name: What reviewers see in the list of runs.
            tags: Lineage, such as code and data revision.
            parent: The run below which the UI shows this one; empty for none.

        Returns:
            The run's id.
        """
        with reaching(self.tracking_uri):
            all_tags = {MLFLOW_SOURCE_NAME: "lesionflow", **self._own_tags, **(tags or {})}
            if parent:
                all_tags[MLFLOW_PARENT_RUN_ID] = parent
            return str(self.client.create_run(self.experiment_id, run_name=name, tags=all_tags).info.run_id)

    def put_below(self, run_id: str, parent: str, tags: Mapping[str, str]) -> None:
        """Have the UI show a run below another one, with tags that say what it is there."""
        self.set_tags(run_id, {**tags, MLFLOW_PARENT_RUN_ID: parent})

    def go_on_with(self, run_id: str) -> None:
        """Open again a run that an earlier process began: it now belongs to the orchestrator's run of this one."""
        with reaching(self.tracking_uri):
            tags = self.client.get_run(run_id).data.tags
            for key in {CLOSED_BY, CLOSED_BECAUSE} & set(tags):
                self.client.delete_tag(run_id, key)
            self.client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in self._own_tags.items()])

    def finish(self, run_id: str, status: str = "FINISHED") -> None:
        """Close a run as `FINISHED`, `FAILED` or `KILLED`."""
        with reaching(self.tracking_uri):
            self.client.set_terminated(run_id, status=status)

    @contextmanager
    def run(self, name: str, tags: Mapping[str, str] | None = None) -> Iterator[str]:
        """Open a run, and close it on leaving: `FINISHED`, `FAILED` on an error, `KILLED` on Ctrl-C.

        Yields:
            The run's id.
        """
        run_id = self.start_run(name, tags)
        status = RunStatus.to_string(RunStatus.KILLED)
        try:
            yield run_id
            status = RunStatus.to_string(RunStatus.FINISHED)
        except Exception:
            status = RunStatus.to_string(RunStatus.FAILED)
            raise
        finally:
            self.finish(run_id, status)

    def has_run(self, run_id: str) -> bool:
        """Tell whether the store has a run that can be written to: a bundle may come from another one, and a run may be deleted.

        Raises:
            ServiceError: When the store can't be reached: that says nothing of the run.
        """
        if not run_id:
            return False
        with reaching(self.tracking_uri):
            try:
                run = self.client.get_run(run_id)
            except MlflowException as error:
                # A server's 404, a run's id that is none.
                if error.error_code in {NOT_FOUND, INVALID}:
                    return False
                raise
        return str(run.info.lifecycle_stage) == LifecycleStage.ACTIVE

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Log parameters; nested ones get dotted names, `train.augmentation.noise_std`."""
        entries = [Param(key, str(value)[:MAX_PARAM_LENGTH]) for key, value in flatten(params).items()]
        with reaching(self.tracking_uri):
            for start in range(0, len(entries), MAX_PARAMS_A_CALL):
                self.client.log_batch(run_id, params=entries[start : start + MAX_PARAMS_A_CALL])

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log one value of each metric: a point of its curve at `step`, or a figure by itself."""
        now = get_current_time_millis()
        entries = [Metric(name, float(value), now, step) for name, value in metrics.items()]
        with reaching(self.tracking_uri):
            self.client.log_batch(run_id, metrics=entries)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run, replacing those of the same name."""
        with reaching(self.tracking_uri):
            self.client.log_batch(run_id, tags=[RunTag(key, str(value)) for key, value in tags.items()])

    def describe(self, run_id: str, text: str) -> None:
        """Write a run's description, the first thing that its page shows; one that a person wrote stays.

        Args:
            run_id: The run.
            text: Markdown.
        """
        with reaching(self.tracking_uri):
            tags = self.client.get_run(run_id).data.tags
            if MLFLOW_RUN_NOTE not in tags or digest_of(tags[MLFLOW_RUN_NOTE]) == tags.get(OWN_NOTE):
                self.client.log_batch(run_id, tags=[RunTag(MLFLOW_RUN_NOTE, text), RunTag(OWN_NOTE, digest_of(text))])

    def log_table(self, run_id: str, table: pd.DataFrame, name: str) -> None:
        """Log a table that the MLflow UI shows and compares across runs; one of the same name is replaced.

        Args:
            run_id: The run.
            table: Its columns hold numbers and text.
            name: File name, ending in `.json`.
        """
        # The client's own log_table appends to a table of the same name, so a step run again would double its rows.
        content = str(table.to_json(orient="split", index=False, date_format="iso", double_precision=SHOWN_DECIMALS))
        with reaching(self.tracking_uri):
            self.client.log_text(run_id, content, name)
            logged = json.loads(self.client.get_run(run_id).data.tags.get(MLFLOW_LOGGED_ARTIFACTS, "[]"))
            entry = {"path": name, "type": "table"}
            if entry not in logged:
                self.client.set_tag(run_id, MLFLOW_LOGGED_ARTIFACTS, json.dumps([*logged, entry]))

    def log_image(self, run_id: str, image: NDArray[np.uint8], *, key: str, step: int = 0) -> None:
        """Log a picture that the UI lays beside those of the same key in other runs.

        Args:
            run_id: The run.
            image: uint8 (row, column, 3).
            key: Letters, digits, `_-./` and spaces.
            step: For a slider over steps.
        """
        with reaching(self.tracking_uri):
            self.client.log_image(run_id, image, key=key, step=step, synchronous=True)

    def log_artifact(self, run_id: str, path: Path, folder: str = "") -> None:
        """Log one file, under `folder` of the run's artifacts."""
        with reaching(self.tracking_uri):
            self.client.log_artifact(run_id, str(path), folder or None)

    def log_artifacts(self, run_id: str, path: Path, folder: str = "") -> None:
        """Log all files below a folder, under `folder` of the run's artifacts."""
        with reaching(self.tracking_uri):
            self.client.log_artifacts(run_id, str(path), folder or None)

    def log_dataset(self, run_id: str, *, name: str, digest: str, context: str) -> None:
        """Log which data a run used.

        Args:
            run_id: The run.
            name: The dataset's name.
            digest: sha256 of the case table; cut to mlflow's length.
            context: What it was used for: `training` or `testing`.
        """
        source = CodeDatasetSource(tags={"sha256": digest})
        dataset = MetaDataset(source, name=name, digest=digest[:MAX_DIGEST_LENGTH])
        tags = [InputTag(key=MLFLOW_DATASET_CONTEXT, value=context)]
        with reaching(self.tracking_uri):
            self.client.log_inputs(run_id, [DatasetInput(dataset=dataset._to_mlflow_entity(), tags=tags)])  # noqa: SLF001

    def share_view(self, *, metrics: Sequence[str], params: Sequence[str]) -> str:
        """Let the UI's list of runs show these columns, which by itself shows no metric at all.

        Args:
            metrics: Names of metrics.
            params: Names of parameters.

        Returns:
            The view's address, to stand after the UI's own; it also opens the side of the UI that is made for training.
        """
        columns = [
            f"tags.`{ROLE}`",
            *(f"metrics.`{name}`" for name in metrics),
            *(f"params.`{name}`" for name in params),
        ]
        state = json.dumps({**VIEW_STATE, "selectedColumns": columns})
        with reaching(self.tracking_uri):
            self.client.set_experiment_tag(self.experiment_id, f"{SHARED_VIEW}{VIEW}", state)
        return runs_address(self.experiment_id)

    def _tell_kind(self) -> None:
        """Let the UI open the experiment as one of trainings, and say what it is; what a person set stays."""
        tags = self.client.get_experiment(self.experiment_id).tags
        for key, value in {KIND: TRAINING, **PRIMARY_METRIC}.items():
            if key not in tags:
                self.client.set_experiment_tag(self.experiment_id, key, value)
        if OWN_NOTE not in tags:
            text = f"Trainings on the data set {self.experiment}; no champion yet. {RESEARCH_USE}"
            describe_experiment(self.client, self.experiment_id, text)

    def _make_experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            try:
                location = artifact_location(self.tracking_uri, self.experiment)
                return str(self.client.create_experiment(self.experiment, location))
            except MlflowException:
                # Another process was faster.
                found = self.client.get_experiment_by_name(self.experiment)
                if found is None:
                    raise
        if found.lifecycle_stage != LifecycleStage.ACTIVE:
            # Said before anything is trained, not when the first run is to be written.
            raise ServiceError(
                f"Expected the experiment {self.experiment} in MLflow, found it deleted. Restore it with `mlflow experiments restore "
                f"--experiment-id {found.experiment_id}`, or choose another ingest.dataset_name."
            )
        return str(found.experiment_id)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat
