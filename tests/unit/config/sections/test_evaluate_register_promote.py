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


@pytest.mark.parametrize("key", ["metric", "min_test_patients", "min_score", "min_gain", "n_bootstrap", "seed"])
def test_what_the_change_plan_says_is_no_param(key):
    assert key not in PROMOTE
    with pytest.raises(ValidationError, match=key):
        PromoteConfig(**{**PROMOTE, key: 3})


@pytest.mark.parametrize("preset", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_preset_compares_registers_and_promotes_one_model(preset):
    params = load_params(preset)
    names = {
        params["validate"]["champion_model_name"],
        params["register"]["model_name"],
        params["promote"]["model_name"],
    }
    assert names == {f"lesionflow-{preset.stem.replace('_', '-')}"}
