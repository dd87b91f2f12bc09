"""A workspace with a ledger, beside a store of two versions that no test changes for the next."""

import pytest

from lesionflow.workspace.layout import dvc_yaml
from support.versions import store_of_versions


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_of_versions(tmp_path / "store"))
    monkeypatch.delenv("LESIONFLOW_MODEL_NAME", raising=False)
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "dvc.yaml").write_text(dvc_yaml())
    monkeypatch.chdir(folder)
    return folder
