"""What every test stands on: its own private folder and MLflow store, nobody reporting home."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["DVC_NO_ANALYTICS"] = "1"
# Commits that tests make need an author, on machines that have none.
for _role in ("AUTHOR", "COMMITTER"):
    os.environ.setdefault(f"GIT_{_role}_NAME", "lesionflow tests")
    os.environ.setdefault(f"GIT_{_role}_EMAIL", "tests@lesionflow.example")

# A run of the tests says the same each time, however slow the machine; the whole run looks for new examples too.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("searching", max_examples=1000, deadline=None)
settings.load_profile("searching" if os.environ.get("LESIONFLOW_TEST_WHOLE") else "repeatable")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the pseudonym key and the MLflow store of each test in its own folder."""
    monkeypatch.setenv("LESIONFLOW_PRIVATE_DIR", str(tmp_path / "private"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real studies; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no real studies at ../shared/data beside the repository")
    return SHARED_DATA
