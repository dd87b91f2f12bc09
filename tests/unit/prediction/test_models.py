"""Models by whatever they are called."""

import pytest

from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.prediction.models import load_model


def test_an_alias_needs_the_name_of_a_model():
    with pytest.raises(ConfigError, match="LESIONFLOW_MODEL_NAME"):
        load_model("champion", None, "sqlite:///unused.db")


def test_a_folder_without_a_bundle_is_refused(tmp_path):
    with pytest.raises(ArtifactError):
        load_model(str(tmp_path), None, "sqlite:///unused.db")
