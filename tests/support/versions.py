"""A store with versions of a model: registered once a test session, then its database is copied."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import small_bundle
from support.stores import empty_store


@cache
def _filled(model_name: str, n_versions: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lesionflow-versions-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tracker = Tracker(empty_store(folder), "knees")
    for seed in range(1, n_versions + 1):
        run_id = tracker.start_run(f"train {seed}")
        write_bundle(folder / "bundle", small_bundle(seed, run_id))
        register_bundle(tracker, run_id, folder / "bundle", model_name, program=MLFLOW_PROGRAM, tags={})
    return folder / "mlflow.db"


def store_of_versions(folder: Path, n_versions: int = 3, model_name: str = "lesionflow-knees") -> str:
    """Return the tracking URI of a store with versions 1, 2 ... of a model, none of them champion.

    The database is the caller's own; what lies below its runs and versions is shared: give back what you harm.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_filled(model_name, n_versions), folder / "mlflow.db")
    return f"sqlite:///{folder}/mlflow.db"
