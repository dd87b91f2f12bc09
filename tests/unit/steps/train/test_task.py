"""What one training is called, and what its digest depends on."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lesionflow.config import TrainConfig
from lesionflow.steps.train.task import TrainingTask
from lesionflow.steps.train.transfer import Source
from support.training_workspace import make_plan, train_params

REPO = Path(__file__).resolve().parents[4]
CONFIG = TrainConfig.model_validate(train_params(REPO))
TASK = TrainingTask(CONFIG, make_plan(), ("c-0", "c-1"), ("c-2",), "d" * 64, fold=1)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "fold-1"),
        ({"fold": None}, "all"),
        ({"coarse_fold": 0}, "coarse-0"),
        ({"fold": None, "coarse_fold": 1}, "coarse-1"),
    ],
)
def test_what_people_and_folders_call_it(changes, name):
    assert replace(TASK, **changes).name == name


def test_the_key_is_that_of_all_that_decides_the_result():
    changes = (
        {"config": CONFIG.model_copy(update={"learning_rate": 0.5})}, {"plan": make_plan(patch_size=(3, 32, 48))},
        {"train": ("c-0",)}, {"validation": ("c-3",)}, {"data_revision": "e" * 64}, {"source": Source("one", "1" * 64, {})},
        {"source": Source("one", "2" * 64, {})},
    )  # fmt: skip
    assert len({TASK.key, *(replace(TASK, **change).key for change in changes)}) == 8
    # Where weights lie, and which fold it is, decides nothing: cases and seed do.
    assert replace(TASK, fold=2).key == TASK.key
    moved = [replace(TASK, source=Source(name, "1" * 64, {})).key for name in ("here", "there")]
    assert moved[0] == moved[1]


def test_its_network_takes_the_plans_channels_and_its_patch_is_the_plans():
    assert (TASK.patch.size, TASK.patch.dimensions) == ((3, 40, 48), 2)
    network = TASK.build_network().eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 40, 48)).shape == (2, 1, 40, 48)


def test_fresh_weights_are_said_nothing_of():
    assert TASK.start(TASK.build_network()) == {}
