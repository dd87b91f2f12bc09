"""What one training is told of its network."""

from pathlib import Path

import pytest

from lesionflow.config import TrainConfig, load_params
from lesionflow.data.plan import ArchitecturePlan
from lesionflow.steps.train.task import TrainingTask
from support.training_workspace import make_plan

PARAMS = Path(__file__).parents[4] / "params.yaml"


@pytest.mark.parametrize("name", ["brats2020_unet", "table_unet"])
def test_the_recipe_knows_the_encoder_by_the_networks_name_and_by_its_old_one(name):
    plan = make_plan(3, (16, 24, 32)).model_copy(update={"architecture": ArchitecturePlan(name=name, options={})})
    config = TrainConfig.model_validate(load_params(PARAMS)["train"])
    assert TrainingTask(config, plan, ("c-0",), ("c-1",), "").recipe().encoder == r"down\."
