"""Where and how fast comes from the environment; a secret is never shown."""

import pytest
from pydantic import ValidationError

from lesionflow.config import Settings


def test_the_environment_is_read(monkeypatch, tmp_path):
    for name, value in {"WORKERS": "3", "DEVICE": "cpu", "MEMORY_MB": "900", "CACHE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"LESIONFLOW_{name}", value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    found = Settings()
    assert (found.workers, found.device, found.memory_mb, found.cache_dir) == (3, "cpu", 900, tmp_path)
    assert found.tracking_uri == "http://tracker:5000"


def test_without_a_tracker_the_store_is_beside_the_work(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert Settings().tracking_uri == f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_nonsense_is_refused(monkeypatch):
    monkeypatch.setenv("LESIONFLOW_WORKERS", "0")
    with pytest.raises(ValidationError, match="workers"):
        Settings()


def test_the_key_of_the_pseudonyms_is_not_shown(monkeypatch):
    monkeypatch.setenv("LESIONFLOW_PSEUDONYM_KEY", "open-sesame")
    assert Settings().pseudonym_key == "open-sesame"
    assert "open-sesame" not in repr(Settings())
