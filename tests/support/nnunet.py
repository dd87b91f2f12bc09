"""A model folder as nnU-Net v2 leaves it, and a program that stands for nnU-Net's Python: it calls bright voxels tumor."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from lesionflow.data.bundle import Bundle
from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Volume
from lesionflow.io.exchange.nnunet_declaration import declare
from lesionflow.io.exchange.nnunet_model import read_model
from lesionflow.steps.exchange.nnunet_plan import make_foreign_plan
from support.bundles import DATASET, small_bundle

#: What the program calls tumor, in HU.
BRIGHT_HU = 60
PROGRAM = f"""#!{sys.executable}
import json, sys
import nibabel, numpy
mode, folder = "MODE", sys.argv[2]
if mode == "ends":
    sys.stderr.write("no module named nnunetv2\\\\n")
    sys.exit(3)
job = json.load(open(folder + "/job.json"))
weights = numpy.load(folder + "/fold_0.npz")
print(json.dumps({{"ready": "0", "job": job, "weights": {{name: weights[name].tolist() for name in weights.files}}}}), flush=True)
for line in sys.stdin:
    wanted = json.loads(line)
    if mode == "silent":
        import time
        time.sleep(60)
    if mode == "fails":
        print(json.dumps({{"error": "RuntimeError: out of luck"}}), flush=True)
        continue
    image = nibabel.load(wanted["images"][0])
    affine = image.affine.copy()
    if mode == "moves":
        affine[0, 3] += 5
    found = numpy.asarray(image.dataobj) > {BRIGHT_HU}
    nibabel.save(nibabel.Nifti1Image(found.astype("uint8"), affine), wanted["labels"])
    heads = numpy.stack([1.0 - found, found]).astype("float32") * 0.8 + 0.1
    if mode == "no-number":
        heads[1, 0, 0, 0] = numpy.nan
    numpy.save(wanted["probabilities"], heads.transpose(0, 3, 2, 1))
    print(json.dumps({{"done": True}}), flush=True)
"""
PLANS = {
    "plans_name": "nnUNetPlans",
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "foreground_intensity_properties_per_channel": {
        "0": {"percentile_00_5": -150.0, "percentile_99_5": 250.0, "mean": 30.0, "std": 50.0, "median": 31.0}
    },
    "configurations": {
        "2d": {"spacing": [0.8, 0.5], "patch_size": [32, 48], "batch_size": 12, "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {"conv_op": "torch.nn.modules.conv.Conv2d"}, "_kw_requires_import": ["conv_op"]}},
        "3d_fullres": {"spacing": [3.0, 0.9, 0.6], "patch_size": [16, 32, 48], "batch_size": 2, "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {"conv_op": "torch.nn.modules.conv.Conv3d", "dropout_op": None},
            "_kw_requires_import": ["conv_op", "dropout_op"]}},
        "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
    },
}  # fmt: skip


def write_program(folder: Path, mode: str = "answers") -> Path:
    """Write what stands for nnU-Net's Python: it `answers`, `fails`, `ends`, is `silent`, or `moves` the mask by 5 mm."""
    path = folder / f"python-{mode}"
    path.write_text(PROGRAM.replace("MODE", mode))
    path.chmod(0o755)
    return path


def write_model_folder(
    folder: Path,
    *,
    folds=("0",),
    validated=(),
    dataset: Dataset = DATASET,
    plans=PLANS,
    configuration="3d_fullres",
    **extra,
) -> Path:
    """Write a model folder: two parameters, one of them under a second name, and what else nnU-Net's trainer saves."""
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    declared = declare(dataset, n_training=max(len(validated), 1), some_ignored=False)
    (folder / "dataset.json").write_text(json.dumps(declared))
    for number, fold in enumerate(folds):
        kernel = torch.arange(6, dtype=torch.float32).reshape(1, 2, 3) + number
        checkpoint = {
            "network_weights": {"conv.weight": kernel, "all_modules.0.weight": kernel, "bias": torch.full((2,), 0.5)},
            "optimizer_state": {"state": {}, "param_groups": []},
            "grad_scaler_state": None,
            "logging": {"ema_fg_dice": [np.float64(0.25), np.float64(0.75)], "train_losses": [np.float32(-0.5)]},
            "_best_ema": np.float64(0.75),
            "current_epoch": 7,
            "init_args": {"configuration": configuration, "fold": number, "device": torch.device("cpu")},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1),
            **extra,
        }
        (folder / f"fold_{fold}" / "validation").mkdir(parents=True)
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
        for case_id in validated[number :: len(folds)]:
            (folder / f"fold_{fold}" / "validation" / f"{case_id}.nii.gz").touch()
    return folder


def foreign_bundle(folder: Path, **model) -> Bundle:
    """Return the bundle of such a model folder."""
    found = read_model(write_model_folder(folder, **model))
    plan = make_foreign_plan(found, model.get("dataset", DATASET))
    return Bundle(plan, found.weights, small_bundle().card.model_copy(update={"plan_sha256": plan.digest()}), "d" * 64)


def bright_study() -> tuple[Volume, np.ndarray]:
    """Return a study whose slices run to the feet and rows to the front, and where it is bright: no two axes alike."""
    grid = Geometry.from_parts(
        (5, 7, 11), (3.0, 0.8, 0.5), (10.0, -20.0, 5.0), direction=np.array([[0, 0, 1], [0, -1, 0], [-1, 0, 0]])
    )
    bright = np.zeros(grid.shape, bool)
    bright[1:3, 2:7, 4:6] = True
    return Volume(np.where(bright, 100.0, -20.0)[None], grid), bright
