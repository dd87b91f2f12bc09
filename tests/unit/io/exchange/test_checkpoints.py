"""A checkpoint is a pickle of somebody else's: what could run code is refused by its name, and does not run."""

import os
import pickle
import subprocess

import numpy as np
import pytest
import torch

from lesionflow.errors import ArtifactError
from lesionflow.io.exchange.checkpoints import read_checkpoint


class Planted:
    """Unpickled by Python, it would make a file."""

    def __init__(self, function, path):
        self.function, self.path = function, path

    def __reduce__(self):
        return self.function, (f"touch {self.path}",)


def test_figures_of_numpy_come_as_numbers_and_weights_as_they_were(tmp_path):
    saved = {
        "a": np.float64(0.625),
        "b": np.float32(-0.5),
        "c": np.int64(3),
        "w": torch.arange(3.0),
        "d": torch.device("cpu"),
    }
    torch.save(saved, tmp_path / "c.pth")
    found = read_checkpoint(tmp_path / "c.pth", name="c")
    assert (found["a"], found["b"], found["c"]) == (0.625, -0.5, 3.0)
    assert found["w"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("function", [os.system, subprocess.getoutput, eval])
@pytest.mark.parametrize("legacy", [False, True])
def test_what_could_run_code_is_refused_by_name_and_does_not_run(tmp_path, function, legacy):
    planted = Planted(function, tmp_path / "ran")
    torch.save({"w": planted}, tmp_path / "c.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(
        ArtifactError, match=r"Expected weights and figures alone in the checkpoint c, found .*(system|getoutput|eval)"
    ):
        read_checkpoint(tmp_path / "c.pth", name="c")
    assert not (tmp_path / "ran").exists()


def test_arrays_of_objects_are_refused(tmp_path):
    torch.save({"w": np.array([Planted(os.system, tmp_path / "ran")], dtype=object)}, tmp_path / "c.pth")
    with pytest.raises(ArtifactError, match="which could run code"):
        read_checkpoint(tmp_path / "c.pth", name="c")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"words", pickle.dumps([1])])
def test_what_is_no_checkpoint_is_said(tmp_path, content):
    (tmp_path / "c.pth").write_bytes(content)
    with pytest.raises(ArtifactError, match="checkpoint"):
        read_checkpoint(tmp_path / "c.pth", name="c")
    with pytest.raises(ArtifactError, match="found none"):
        read_checkpoint(tmp_path / "d.pth", name="d")
