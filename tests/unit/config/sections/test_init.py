"""A whole params.yaml."""

from lesionflow.config import Params
from lesionflow.config.loading import load_params
from lesionflow.config.presets import find_params


def test_sections_are_named_as_steps_though_python_knows_two_of_the_names():
    params = Params.model_validate(load_params(find_params("phantom_ct")))
    assert params.validate_.min_cases == 5
    assert params.register_.model_name == "lesionflow-phantom-ct"
    assert {"validate", "register"} <= set(params.model_dump(by_alias=True))
