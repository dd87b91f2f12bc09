"""A recipe says what `train` of params says, by the same names."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
import yaml

from lesionflow.training import Recipe
from support.training_cases import RECIPE

PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"
#: What the plan knows, and not params.
OF_THE_PLAN = {"probability_threshold", "encoder"}


def test_all_but_the_plans_words_are_keys_of_params_with_values_of_the_same_kind():
    train = yaml.safe_load(PARAMS.read_text())["train"]
    known = {**train, **train["transfer"]}
    of_params = [field for field in fields(Recipe) if field.name not in OF_THE_PLAN]
    assert [field.name for field in of_params if field.name not in known] == []
    for field in of_params:
        assert isinstance(known[field.name], field.type), field.name


def test_a_value_without_its_name_is_refused_and_so_is_a_change():
    with pytest.raises(TypeError, match="positional"):
        Recipe(3)
    with pytest.raises(FrozenInstanceError):
        RECIPE.seed = 4


def test_nothing_is_left_to_a_default():
    given = {field.name: getattr(RECIPE, field.name) for field in fields(Recipe)}
    for name in given:
        with pytest.raises(TypeError, match=name):
            Recipe(**{key: value for key, value in given.items() if key != name})
