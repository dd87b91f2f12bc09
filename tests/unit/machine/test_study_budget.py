"""The limits of the study that is being read come from the environment, and hold while it is read."""

import pytest

from lesionflow.config import StudyLimits
from lesionflow.errors import ConfigError
from lesionflow.machine import study_budget as budget
from lesionflow.machine.study_budget import current_budget


def test_limits_are_read_from_the_environment_and_wrong_ones_named(monkeypatch):
    monkeypatch.setenv("LESIONFLOW_MAX_SPACING_MM", "nothing")
    with pytest.raises(ConfigError, match="LESIONFLOW_MAX_SPACING_MM"):
        current_budget()
    monkeypatch.setenv("LESIONFLOW_MAX_SPACING_MM", "700")
    with budget.study_budget() as found:
        assert found.limits == StudyLimits(max_spacing_mm=700)
        assert current_budget() is found
