"""The service's environment."""

import pytest

from lesionflow.errors import ConfigError
from lesionflow.serving.settings import load_service_settings


def test_values_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("LESIONFLOW_MAX_UPLOAD_MB", "7")
    monkeypatch.setenv("LESIONFLOW_MODEL", "challenger")
    settings = load_service_settings()
    assert (settings.max_upload_mb, settings.model) == (7, "challenger")


def test_a_wrong_value_is_named(monkeypatch):
    monkeypatch.setenv("LESIONFLOW_MAX_UPLOAD_MB", "0")
    with pytest.raises(ConfigError, match="LESIONFLOW_MAX_UPLOAD_MB"):
        load_service_settings()
