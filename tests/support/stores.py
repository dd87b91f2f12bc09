"""Empty MLflow stores: made once a test session, then copied, since making one takes a second."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from lesionflow.registry.mlflow_store import connect


@cache
def _empty() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lesionflow-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    connect(f"sqlite:///{folder}/mlflow.db", make=True)
    return folder / "mlflow.db"


def empty_store(folder: Path) -> str:
    """Return the tracking URI of a new store in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_empty(), folder / "mlflow.db")
    return f"sqlite:///{folder}/mlflow.db"
