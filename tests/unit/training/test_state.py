"""What a checkpoint keeps, and that to read one runs no code."""

import io
import math
import os
import pickle
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from lesionflow.errors import ArtifactError
from lesionflow.training import TrainingState

STATE = TrainingState(
    network={"0.weight": torch.arange(30.0).reshape(2, 3, 5), "1.steps": torch.tensor(7)},
    optimizer={"state": {0: {"exp_avg": torch.full((2, 3, 5), 0.25)}}, "param_groups": [{"lr": 0.125, "params": [0]}]},
    callbacks={"schedule": {"learning_rate": 0.5}, "averaging": {"steps": 3, "average": {"a": torch.ones(2)}}},
    precision={"scale": 1024.0},
    best={"0.weight": torch.full((2, 3, 5), -1.0)},
    best_dice=0.625,
    elapsed_s=12.5,
    history=[{"epoch": 0.0, "train/loss": 0.75}, {"epoch": 1.0, "train/loss": 0.5}],
    stopped_by="request",
)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


def test_every_part_comes_back_as_it_was():
    again = TrainingState.from_bytes(STATE.to_bytes())
    for field in fields(TrainingState):
        assert same(getattr(STATE, field.name), getattr(again, field.name)), field.name
    assert again.epochs == 2


def test_a_training_without_validation_keeps_that_it_was_never_judged():
    again = TrainingState.from_bytes(replace(STATE, best_dice=math.nan, stopped_by="").to_bytes())
    assert math.isnan(again.best_dice)
    assert again.stopped_by == ""


def test_what_is_read_is_not_shared_with_what_was_written():
    again = TrainingState.from_bytes(STATE.to_bytes())
    again.network["0.weight"].zero_()
    assert STATE.network["0.weight"].sum() == sum(range(30))


class MakesAFolder:
    """A pickle of it makes a folder as it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    content = io.BytesIO()
    torch.save({"network": MakesAFolder(tmp_path / "ran")}, content)
    for evil in (content.getvalue(), pickle.dumps(MakesAFolder(tmp_path / "ran"))):
        with pytest.raises(ArtifactError, match=r"checkpoint of training.*Remove it"):
            TrainingState.from_bytes(evil)
        assert not (tmp_path / "ran").exists()
    # It would have.
    torch.load(io.BytesIO(content.getvalue()), weights_only=False)
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize(("change", "named"), [({"more": 1}, "more"), ({"network": None}, "network")])
def test_a_checkpoint_of_other_parts_is_refused(change, named):
    parts = {field.name: getattr(STATE, field.name) for field in fields(TrainingState)} | change
    content = io.BytesIO()
    torch.save({name: part for name, part in parts.items() if part is not None}, content)
    with pytest.raises(ArtifactError, match=f"found: .*{named}"):
        TrainingState.from_bytes(content.getvalue())


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_bytes_of_something_else_are_refused(content):
    with pytest.raises(ArtifactError, match="checkpoint of training"):
        TrainingState.from_bytes(content)


def test_a_broken_checkpoint_is_named():
    with pytest.raises(ArtifactError, match="checkpoint of training"):
        TrainingState.from_bytes(STATE.to_bytes()[:1000])


def test_a_checkpoint_runs_no_code():
    buffer = io.BytesIO()
    torch.save({"network": Path("/")}, buffer)
    with pytest.raises(ArtifactError, match="nothing of it was run"):
        TrainingState.from_bytes(buffer.getvalue())
