"""An nnU-Net of a bundle, run by a program that stands for its Python: files go there and come back on the right voxels."""

import numpy as np
import pytest

from lesionflow.data.dataset import Dataset
from lesionflow.errors import ArtifactError, GeometryMismatchError, ServiceError
from lesionflow.inference.foreign.nnunet import NnunetNetwork, merge_heads
from support.bundles import small_bundle
from support.nnunet import bright_study, foreign_bundle, write_program

GAPPED = Dataset(name="knees", channels={"CT": "ct"}, labels={"tumor": 4}, regions={})
NESTED = Dataset(
    name="gliomas", channels={"T1": "mr"}, labels={"NCR": 1, "ED": 2, "ET": 4},
    regions={"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)},
)  # fmt: skip


def network(tmp_path, monkeypatch, mode="answers", **model):
    monkeypatch.setenv("LESIONFLOW_NNUNET_PYTHON", str(write_program(tmp_path, mode)))
    return NnunetNetwork(foreign_bundle(tmp_path / "model", **model), device="cpu")


def test_mask_and_probabilities_lie_where_the_study_is_bright(tmp_path, monkeypatch):
    volume, bright = bright_study()
    asked = network(tmp_path, monkeypatch, dataset=GAPPED)
    for _ in range(2):
        found = asked.ask(volume, case_id="c-1")
        assert np.array_equal(found.labels, np.where(bright, 4, 0))
        assert np.allclose(found.probabilities[0], np.where(bright, 0.9, 0.1))


def test_the_program_is_told_the_model_whole_and_nothing_is_left_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    asked = network(tmp_path, monkeypatch)
    asked.ask(bright_study()[0], case_id="c-1")
    hello = asked._talk.hello
    assert hello["weights"] == {"conv.weight": [[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]], "bias": [0.5, 0.5]}
    assert hello["job"] == {
        "folds": ["0"], "aliases": {"all_modules.0.weight": "conv.weight"}, "trainer": "nnUNetTrainer",
        "configuration": "3d_fullres", "axes": [0, 1], "device": "cpu",
    }  # fmt: skip
    del asked
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("no-number", ArtifactError, "finite numbers of nnU-Net, found NaN"),
        ("fails", ServiceError, r"answer \(c-1\), found that it failed: RuntimeError: out of luck"),
        ("ends", ServiceError, "it said last: no module named nnunetv2"),
        ("moves", GeometryMismatchError, "Study and nnU-Net's mask of case c-1"),
    ],
)
def test_what_goes_wrong_there_is_told_here(tmp_path, monkeypatch, mode, kind, words):
    with pytest.raises(kind, match=words):
        network(tmp_path, monkeypatch, mode).ask(bright_study()[0], case_id="c-1")


def test_without_a_python_for_it_what_to_do_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("LESIONFLOW_NNUNET_PYTHON", raising=False)
    with pytest.raises(ServiceError, match="Expected LESIONFLOW_NNUNET_PYTHON to name a Python with nnunetv2"):
        NnunetNetwork(foreign_bundle(tmp_path / "model"), device="cpu").ask(bright_study()[0], case_id="c-1")
    with pytest.raises(ArtifactError, match="found one of our own"):
        NnunetNetwork(small_bundle(), device="cpu")


def test_exclusive_channels_add_up_and_others_are_taken_by_their_region(tmp_path):
    bundle = foreign_bundle(tmp_path / "model", dataset=NESTED)
    model = bundle.plan.foreign
    assert (model.exclusive, model.heads) == (False, ((1, 2, 4), (1, 4), (4,)))
    heads = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1) / 4
    assert merge_heads(heads, bundle.plan, model).ravel().tolist() == [0.0, 0.25, 0.5]
    softmax = model.model_copy(update={"exclusive": True, "heads": ((), (1,), (2,), (4,))})
    heads = np.array([0.125, 0.125, 0.25, 0.5], np.float32).reshape(4, 1, 1, 1)
    assert merge_heads(heads, bundle.plan, softmax).ravel().tolist() == [0.875, 0.625, 0.5]
