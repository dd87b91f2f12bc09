"""A model folder of nnU-Net: what it holds is read, what it could make nnU-Net import is looked at first."""

import copy
import json

import numpy as np
import pytest

from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.exchange.nnunet_model import digest_of_weights, read_model
from support.nnunet import PLANS, write_model_folder


def changed(**changes):
    plans = copy.deepcopy(PLANS)
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    if "network" in changes:
        architecture["network_class_name"] = changes["network"]
    if "layer" in changes:
        architecture["arch_kwargs"]["conv_op"] = changes["layer"]
    if "reader" in changes:
        plans["image_reader_writer"] = changes["reader"]
    return plans


def test_folds_stand_side_by_side_and_a_tensor_of_two_names_once(tmp_path):
    model = read_model(write_model_folder(tmp_path / "m", folds=("0", "1"), validated=("c-1", "c-2", "c-3")))
    assert sorted(model.weights) == ["fold_0/bias", "fold_0/conv.weight", "fold_1/bias", "fold_1/conv.weight"]
    assert np.array_equal(model.weights["fold_1/conv.weight"], np.arange(1, 7, dtype=np.float32).reshape(1, 2, 3))
    assert model.aliases == {"all_modules.0.weight": "conv.weight"}
    assert (model.trainer, model.configuration, model.mirroring_axes) == ("nnUNetTrainer", "3d_fullres", (0, 1))
    assert (model.dice, model.epochs, model.validated, model.is_complete) == (0.75, 7, ("c-1", "c-2", "c-3"), True)


def test_the_validations_own_summary_goes_before_what_training_estimated(tmp_path):
    folder = write_model_folder(tmp_path / "m")
    (folder / "fold_0/validation/summary.json").write_text(json.dumps({"foreground_mean": {"Dice": 0.5}}))
    assert read_model(folder).dice == 0.5


def test_one_fold_of_several_is_taken_when_named_and_an_absent_one_is_refused(tmp_path):
    folder = write_model_folder(tmp_path / "m", folds=("0", "1"))
    assert read_model(folder, ["1"]).folds == ("1",)
    with pytest.raises(ConfigError, match=r"Expected fold 4 .*found the folds 0, 1"):
        read_model(folder, ["4"])
    with pytest.raises(ConfigError, match="Expected fold"):
        read_model(folder, ["../0"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "subprocess.Popen"}, "a network of nnU-Net's own in plans.json, found 'subprocess.Popen'"),
        ({"network": "nnunetv2..os"}, "found 'nnunetv2..os'"),
        ({"layer": "os.system"}, "a layer of torch.nn as conv_op in plans.json, found 'os.system'"),
        ({"reader": "NaturalImage2DIO"}, "read by SimpleITKIO or NibabelIO, found NaturalImage2DIO"),
    ],
)
def test_plans_that_would_import_other_code_are_refused(tmp_path, changes, words):
    with pytest.raises(ArtifactError, match=words):
        read_model(write_model_folder(tmp_path / "m", plans=changed(**changes)))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"configuration": "3d_cascade_fullres"}, "the second stage of a cascade"),
        ({"configuration": "nope"}, "Expected the configuration 'nope'"),
        ({"trainer_name": "a; b"}, "Expected the name of a trainer's class"),
    ],
)
def test_what_can_not_be_run_alone_is_refused(tmp_path, extra, words):
    with pytest.raises(ArtifactError, match=words):
        read_model(write_model_folder(tmp_path / "m", **extra))


def test_a_folder_without_a_training_is_named(tmp_path):
    folder = write_model_folder(tmp_path / "m")
    (folder / "fold_0/checkpoint_final.pth").unlink()
    with pytest.raises(ArtifactError, match=r"Expected fold_.*found none"):
        read_model(folder)


def test_the_digest_is_of_names_shapes_and_values():
    one = {"a": np.zeros((2, 3), np.float32)}
    assert (
        len(
            {
                digest_of_weights(w)
                for w in (one, {"a": np.zeros((3, 2), np.float32)}, {"b": one["a"]}, {"a": one["a"] + 1})
            }
        )
        == 4
    )
