"""A change of any key of `train` gives a training another key, as `params explain` says: it is never gone on with."""

import pytest

from lesionflow.config import MadeAnew, TrainConfig
from lesionflow.config.loading import load_params
from lesionflow.config.presets import find_params
from lesionflow.config.reference import list_keys
from lesionflow.steps.train.task import TrainingTask
from support.training_workspace import make_plan

TRAIN = load_params(find_params("phantom_ct"))["train"]
#: A value of each key that is not a number and not of a flag.
OTHERS = {
    "folds": "ensemble", "loss": "bce", "optimizer": "sgd", "scheduler": "polynomial", "precision": "float32",
    "transfer.source": "elsewhere", "transfer.sha256": "0123456789",
}  # fmt: skip


def _changed(path):
    *above, name = path.split(".")
    inner = TRAIN
    for part in above:
        inner = inner[part]
    value = inner[name]
    other = OTHERS.get(path, not value if isinstance(value, bool) else None)
    if other is None:
        other = value + 1 if isinstance(value, int) else value / 2 or 0.25
    return {above[0]: {**inner, name: other}} if above else {name: other}


def _key(params):
    return TrainingTask(TrainConfig(**params), make_plan(), ("c-0",), ("c-1",), "revision", None, 0).key


@pytest.mark.parametrize("key", [key for key in list_keys() if key.step == "train"], ids=lambda key: key.path)
def test_a_changed_key_is_another_training(key):
    path = key.path.removeprefix("train.")
    if path == "augmentation.low_resolution_factor":
        changed = {"augmentation": {**TRAIN["augmentation"], "low_resolution_factor": 4.0}}
    else:
        changed = _changed(path)
    assert key.made_anew is MadeAnew.TRAINING
    assert _key(TRAIN) == _key(dict(TRAIN))
    assert _key({**TRAIN, **changed}) != _key(TRAIN)
