"""`lesionflow serve --check`: what a service would need is looked at once, by the code that it runs, and told line by line; nothing is served."""

import sys
from pathlib import Path

from lesionflow.config import Settings
from lesionflow.errors import LesionFlowError, ServiceError
from lesionflow.jobs.job_database import open_database
from lesionflow.jobs.queue import JobQueue
from lesionflow.serving.engine import Engine
from lesionflow.serving.prometheus_metrics import ServiceMetrics
from lesionflow.serving.readiness.needs import Readiness, check_all, check_further
from lesionflow.serving.scratch import scratch_folder
from lesionflow.serving.settings import ServiceSettings
from lesionflow.serving.several.roster import make_further


def check_once(service: ServiceSettings, settings: Settings) -> dict[str, Readiness]:
    """Load the model as a service does, open its database and folders, and look at each.

    Args:
        service: Which model, and where things lie.
        settings: The tracking URI and the device.

    Returns:
        Each check by its name; of a model or a database that can't be had, why.
    """
    engine, further = Engine(service, settings), make_further(service, settings, ServiceMetrics())
    failed: dict[str, Readiness] = {}
    for name, each in (("model", engine), *((f"model {name}", each) for name, each in further.items())):
        try:
            each.load()
        except LesionFlowError as error:
            failed[name] = Readiness(ok=False, detail=str(error))
    try:
        with scratch_folder() as scratch:
            kept = service.state_dir or scratch
            folders = {"studies": kept / "studies", "results": service.results_dir or kept / "results"}
            for folder in folders.values():
                _make(folder)
            database = open_database(service.database_address(kept))
            try:
                found = check_all(engine, JobQueue(database, "check"), folders, service.min_free_mb)
            finally:
                database.dispose()
    except ServiceError as error:
        found = {name: Readiness(*told) for name, told in engine.health().items()}
        failed["database"] = Readiness(ok=False, detail=str(error))
    finally:
        beside = {f"model {name}": check for name, check in check_further(further).items()}
        for each in (engine, *further.values()):
            each.close()
    return {**found, **beside, **failed}


def main(service: ServiceSettings, settings: Settings) -> int:
    """Print each check; return 0 when all hold, else `ServiceError`'s exit code."""
    found = check_once(service, settings)
    for name, check in found.items():
        sys.stdout.write(f"{'ok  ' if check.ok else 'FAIL'} {name}: {check.detail}\n")
    return 0 if all(check.ok for check in found.values()) else ServiceError.exit_code


def _make(folder: Path) -> None:
    """Make a folder as the service would; that it can't be written is the check's to say."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return
