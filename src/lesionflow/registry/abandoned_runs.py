"""Runs that nobody will end: a pod was killed, a pipeline given up. They are closed, and their page says why."""

import logging

from mlflow.entities import Run, RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from lesionflow.config.required_settings import require_stated_settings
from lesionflow.config.settings import Settings
from lesionflow.registry.mlflow_store import connect, reaching
from lesionflow.registry.secrets import without_secrets
from lesionflow.registry.tracking import CLOSED_BECAUSE, CLOSED_BY, PIPELINE_RUN

#: An orchestrator's word for a run that somebody stopped, and for one whose steps all ended well.
CANCELED, SUCCEEDED = {"CANCELLED", "CANCELED"}, "SUCCEEDED"
#: mlflow cuts longer values of a tag.
MAX_WORDS = 4000
logger = logging.getLogger(__name__)


def close_left_open(pipeline_run: str, *, state: str, error_code: int = 0, error_message: str = "") -> tuple[str, ...]:
    """Close the MLflow runs that a pipeline's run opened and did not close.

    Args:
        pipeline_run: The orchestrator's id, as each run's tag `pipeline_run` has it.
        state: What became of the pipeline: `SUCCEEDED`, `FAILED` or `CANCELLED`.
        error_code: Of the task that failed; 0 for none.
        error_message: What the orchestrator says of it.

    Returns:
        The ids of the runs that were closed, in the order in which they began.

    Raises:
        ConfigError: When a setting is missing.
        ServiceError: When the store can't be reached.
    """
    require_stated_settings()
    settings = Settings()
    client = connect(settings.tracking_uri)
    words = f"{error_message} (code {error_code})" if error_message else f"the pipeline ended as {state}"
    because = without_secrets(words, settings.tracking_uri)[:MAX_WORDS]
    status = RunStatus.to_string(RunStatus.KILLED if state in CANCELED else RunStatus.FAILED)
    with reaching(settings.tracking_uri):
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        chosen = f"tags.`{PIPELINE_RUN}` = '{pipeline_run}' and attributes.status = 'RUNNING'"
        left: list[Run] = list(client.search_runs(experiments, chosen, order_by=["attributes.start_time ASC"]))
        for run in left:
            run_id = run.info.run_id
            client.set_tag(run_id, CLOSED_BY, f"pipeline {pipeline_run}")
            client.set_tag(run_id, CLOSED_BECAUSE, because)
            client.set_terminated(run_id, status)
            below = f" below {run.data.tags[MLFLOW_PARENT_RUN_ID]}" if MLFLOW_PARENT_RUN_ID in run.data.tags else ""
            logger.warning("the run %s%s was left open and is closed as %s: %s", run_id, below, status, because)
    if state == SUCCEEDED and left:
        logger.warning("the pipeline ended well, yet %d runs were open: look at the steps that opened them", len(left))
    return tuple(run.info.run_id for run in left)
