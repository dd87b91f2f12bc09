"""What is asked of Kubeflow, each so that asking twice does it once."""

import json
from typing import Any, NamedTuple

from lesionflow.errors import ConfigError
from pipelines.submission.arguments import Package, name_of_run
from pipelines.submission.kubeflow import Kubeflow

REPOSITORY, REVISION, FOLDER = "data_repository", "data_revision", "raw_path"
ENABLED = "ENABLED"


class Request(NamedTuple):
    """A compiled pipeline, its arguments, and the experiment under which it runs."""

    package: Package
    arguments: dict[str, Any]
    experiment: str


class Version(NamedTuple):
    """A version that Kubeflow has, and what was done for that."""

    pipeline_id: str
    version_id: str
    said: str


def ensure_version(server: Kubeflow, package: Package) -> Version:
    """Upload a pipeline unless its very file is there.

    Args:
        server: Kubeflow.
        package: The pipeline.

    Raises:
        ConfigError: When the API does not let us.
        ServiceError: When it can't be reached.
    """
    pipeline_id = server.find_pipeline(package.name)
    known = server.find_version(pipeline_id, package.version)
    if known:
        return Version(pipeline_id, known, f"{package.version} is there already.")
    made = server.upload(pipeline_id, package.version, package.path, f"sha256 {package.digest}")
    return Version(pipeline_id, made, f"{package.version} is uploaded.")


def ensure_run(server: Kubeflow, request: Request, *, again: bool = False) -> str:
    """Run a pipeline with its arguments unless the same was run.

    Args:
        server: Kubeflow.
        request: What.
        again: Run it all the same.

    Returns:
        What was done, in a sentence.
    """
    version = ensure_version(server, request.package)
    experiment = server.find_experiment(request.experiment)
    name = name_of_run(request.package, request.arguments)
    before = server.find_runs(experiment, name)
    if before and not again:
        return f"Such a run is there already: {before[0].run_id} ({before[0].state}). --again runs it once more."
    run_id = server.run(experiment, name, request.arguments, version.pipeline_id, version.version_id)
    return f"Run {run_id} of {request.package.version} is started."


def run_on_new_data(server: Kubeflow, request: Request, *, again: bool = False) -> str:
    """Run a pipeline if what its repository records as studies is no earlier run's.

    The run is given the commit that last changed the studies, so that other commits start nothing, and what is trained from can be found again.

    Args:
        server: Kubeflow.
        request: What; its repository and, where it is given, the branch.
        again: Run it all the same.

    Raises:
        ConfigError: When no repository is given, or it records no studies.
        ServiceError: When it can't be reached.
    """
    from lesionflow.workspace.data_at_revision import find_revision  # noqa: PLC0415 - with DVC, which others do not need

    given = request.arguments
    if not given.get(REPOSITORY) or given.get(FOLDER):
        raise ConfigError(f"Expected --set {REPOSITORY}=ADDRESS and no {FOLDER}: revisions are those of a repository.")
    revision = find_revision("", str(given[REPOSITORY]), str(given.get(REVISION, "")))
    said = ensure_run(server, request._replace(arguments={**given, REVISION: revision}), again=again)
    return f"The studies are those of {revision[:12]}. {said}"


def ensure_schedule(server: Kubeflow, request: Request, name: str, cron: str) -> str:
    """Run a pipeline by a schedule; another one of the same name is replaced.

    The new one begins when the old one is gone: a kill in between leaves one that does not run, which the same command starts.

    Args:
        server: Kubeflow.
        request: What.
        name: The schedule's.
        cron: Six fields, seconds first.

    Raises:
        ConfigError: When it does not have six fields.
    """
    if len(cron.split()) != 6:
        raise ConfigError(f"Expected six fields for --cron, seconds first, such as '0 0 3 * * *', found {cron!r}.")
    version = ensure_version(server, request.package)
    experiment = server.find_experiment(request.experiment)
    title = f"{request.package.name}-{name}"
    before = server.find_schedules(experiment, title)
    same = [one for one in before if _is_same(one, version, cron, request.arguments)]
    if same:
        kept, others = same[0].recurring_run_id, [one for one in before if one is not same[0]]
    else:
        kept, others = (
            server.schedule(experiment, title, cron, request.arguments, version.pipeline_id, version.version_id),
            before,
        )
    for other in others:
        server.delete_schedule(other.recurring_run_id)
    if not same or same[0].status != ENABLED:
        server.enable_schedule(kept)
    elif not others:
        return f"The schedule {title} is there already: {kept}."
    return f"The schedule {title} ({cron}) runs {request.package.version}" + (
        f"; {len(others)} of the same name are removed." if others else "."
    )


def _is_same(schedule: Any, version: Version, cron: str, arguments: dict[str, Any]) -> bool:
    reference, trigger = schedule.pipeline_version_reference, schedule.trigger
    if reference is None or trigger is None or trigger.cron_schedule is None or schedule.runtime_config is None:
        return False
    given = json.dumps(schedule.runtime_config.parameters or {}, sort_keys=True)
    found = (reference.pipeline_version_id, trigger.cron_schedule.cron, given)
    return found == (version.version_id, cron, json.dumps(arguments, sort_keys=True))
