"""Sections of how a model is judged."""

import pytest
from pydantic import ValidationError

from lesionflow.config import PromoteConfig
from lesionflow.config.loading import load_params
from lesionflow.config.presets import PRESETS, find_params

PROMOTE = load_params(find_params("phantom_ct"))["promote"]


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_confidence_level_is_a_fraction_below_1(level):
    with pytest.raises(ValidationError, match="confidence_level"):
        PromoteConfig(**{**PROMOTE, "confidence_level": level})


def test_a_gain_below_zero_may_be_asked_for():
    assert PromoteConfig(**{**PROMOTE, "min_gain": -0.01}).min_gain == -0.01


@pytest.mark.parametrize("preset", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_preset_compares_registers_and_promotes_one_model(preset):
    params = load_params(preset)
    names = {
        params["validate"]["champion_model_name"],
        params["register"]["model_name"],
        params["promote"]["model_name"],
    }
    assert names == {f"lesionflow-{preset.stem.replace('_', '-')}"}
