"""The champion's mark where reviewers look: at its run, among the others, and on the first page of its experiment.

Aliases say which version serves, but the UI shows them at the registered model alone. A mark only repeats them, so one that
can't be set stops nothing.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

if TYPE_CHECKING:
    from lesionflow.registry.versions import RegisteredVersion

CHAMPION = "champion"
#: Tag of a run: what the aliases of its version make it. It is the first column beside the figures.
ROLE = "role"
ROLES: Mapping[str, str] = {CHAMPION: "champion", "previous": "previous champion", "challenger": "challenger"}
#: Tag that knows the description which we wrote ourselves, and may replace; an experiment's has the name of a run's.
NOTE, OWN_NOTE = MLFLOW_RUN_NOTE, "description_sha256"
#: Decides which side of the UI an experiment opens on: else mlflow guesses, and shows an empty page for language models.
KIND, TRAINING = "mlflow.experimentKind", "custom_model_development"
#: The shared view of an experiment's runs that is ours.
VIEW = "lesionflow"
RESEARCH_USE = "Research use only."
#: Characters of a version's description: its column in MLflow's tables, which PostgreSQL and MariaDB hold to.
LONGEST_DESCRIPTION = 5000
logger = logging.getLogger(__name__)


def mark_roles(client: MlflowClient, versions: Sequence["RegisteredVersion"]) -> None:
    """Tag the runs of a model's versions with their roles, and tell the champion on their experiment's page.

    Args:
        client: Of the store.
        versions: All versions of one model, as their aliases stand now.
    """
    for version in versions:
        if version.run_id:
            try:
                _mark(client, version)
            except MlflowException as error:
                # A run may have been deleted, or lie in another store; the aliases are what counts.
                logger.warning("the role of version %s is not marked at its run: %.200s", version.version, error)


def describe_experiment(client: MlflowClient, experiment_id: str, text: str) -> None:
    """Write what an experiment's page says first; what a person wrote stays.

    Args:
        client: Of the store.
        experiment_id: Whose.
        text: Markdown.
    """
    tags = client.get_experiment(experiment_id).tags
    if NOTE not in tags or digest_of(tags[NOTE]) == tags.get(OWN_NOTE):
        client.set_experiment_tag(experiment_id, NOTE, text)
        client.set_experiment_tag(experiment_id, OWN_NOTE, digest_of(text))


def digest_of(text: str) -> str:
    """Return the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _mark(client: MlflowClient, version: "RegisteredVersion") -> None:
    role = next((words for alias, words in ROLES.items() if alias in version.aliases), "")
    run = client.get_run(version.run_id)
    there = run.data.tags.get(ROLE, "")
    if role and role != there:
        client.set_tag(version.run_id, ROLE, role)
    elif there and not role:
        client.delete_tag(version.run_id, ROLE)
    if CHAMPION in version.aliases:
        describe_experiment(client, run.info.experiment_id, _about(version, run.info.experiment_id))


def _about(champion: "RegisteredVersion", experiment_id: str) -> str:
    dice, interval = (champion.tags.get(name, "") for name in ("test_dice", "test_dice_interval"))
    score = f": test Dice {dice} [{interval}]" if dice else ""
    model, version = champion.model_name, champion.version
    return (
        f"**Champion: [{model} version {version}](#/models/{model}/versions/{version})**{score}; "
        f"[its run](#/experiments/{experiment_id}/runs/{champion.run_id}). [All runs side by side]({runs_address(experiment_id)}). {RESEARCH_USE}"
    )


def runs_address(experiment_id: str) -> str:
    """Return the address of the list of runs with the columns that reviewers compare, to stand after the UI's own."""
    return f"#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"
