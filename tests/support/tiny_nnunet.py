# ruff: noqa: PLC0415 - each command loads what it needs
"""Run by nnU-Net's own Python: makes a tiny model folder by nnU-Net's own trainer, or predicts by its own predictor.

Usage: `tiny_nnunet.py make RAW RESULTS`, `tiny_nnunet.py predict MODEL RAW OUT CASE ...`, `tiny_nnunet.py verify RAW`.
"""

import json
import os
import sys
from pathlib import Path

for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(name, sys.argv[-1])


def make(raw: Path, results: Path) -> None:
    """Two folds of random weights, their output's bias set so that some is tumor and some is not."""
    os.environ.update(nnUNet_raw=str(raw.parent), nnUNet_preprocessed=str(results / "pre"), nnUNet_results=str(results))
    import numpy as np
    import torch
    from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import get_normalization_scheme
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from scipy import ndimage

    declared = json.loads((raw / "dataset.json").read_text())
    channels = declared["channel_names"]
    figures = {
        "max": 3e3,
        "mean": 40.0,
        "median": 40.0,
        "min": -1e3,
        "percentile_00_5": -200.0,
        "percentile_99_5": 300.0,
        "std": 60.0,
    }
    known = {
        "data": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "seg": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
        "probabilities": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
    }
    network = {
        "n_stages": 3, "features_per_stage": [4, 6, 8], "conv_op": "torch.nn.modules.conv.Conv3d", "kernel_sizes": [[3] * 3] * 3,
        "strides": [[1] * 3, [1, 2, 2], [1, 2, 2]], "n_conv_per_stage": [1, 1, 1], "n_conv_per_stage_decoder": [1, 1], "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", "norm_op_kwargs": {"eps": 1e-05, "affine": True}, "dropout_op": None,
        "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
    }  # fmt: skip
    patch = [4, 32, 32]
    configuration = {
        "data_identifier": "x", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2, "patch_size": patch,
        "median_image_size_in_voxels": patch, "spacing": [2.5, 1.0, 0.6], "batch_dice": False,
        "normalization_schemes": [get_normalization_scheme(channels[str(i)]).__name__ for i in range(len(channels))],
        "use_mask_for_norm": [False] * len(channels),
        **{f"resampling_fn_{kind}": "resample_data_or_seg_to_shape" for kind in known},
        **{f"resampling_fn_{kind}_kwargs": options for kind, options in known.items()},
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet", "arch_kwargs": network,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }  # fmt: skip
    plans = {
        "dataset_name": raw.name, "plans_name": "nnUNetPlans", "image_reader_writer": "SimpleITKIO", "label_manager": "LabelManager",
        "original_median_spacing_after_transp": [3.0, 0.8, 0.5], "original_median_shape_after_transp": patch,
        "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2], "experiment_planner_used": "ExperimentPlanner",
        "configurations": {"3d_fullres": configuration},
        "foreground_intensity_properties_per_channel": dict.fromkeys(channels, figures),
    }  # fmt: skip
    (results / "pre" / raw.name / "x").mkdir(parents=True)
    (results / "pre" / raw.name / "x" / "c.b2nd").touch()
    noise = np.random.default_rng(1).normal(size=(1, len(channels), *patch))
    smooth = torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, 0, 2, 2)).astype("float32"))
    for fold in (0, 1):
        torch.manual_seed(7 + fold)
        trainer = nnUNetTrainer(
            {**plans, "continue_training": False}, "3d_fullres", fold, declared, device=torch.device("cpu")
        )
        trainer.initialize()
        with torch.no_grad():
            for weight in trainer.network.parameters():
                if weight.ndim > 1:
                    weight.mul_(3.0)
            trainer.network.decoder.deep_supervision = False
            said = trainer.network.eval()(smooth / smooth.std())[0]
            trainer.network.decoder.seg_layers[-1].bias -= said.flatten(1).median(dim=1).values
        trainer.logger.log("mean_fg_dice", np.float64(0.25), 0)
        trainer.save_checkpoint(str(Path(trainer.output_folder) / "checkpoint_final.pth"))
    base = Path(trainer.output_folder_base)
    (base / "plans.json").write_text(json.dumps(plans))
    (base / "dataset.json").write_text(json.dumps(declared))
    (results / "where").write_text(str(base))


def predict(model: str, raw: Path, out: Path, cases: list[str]) -> None:
    """By nnU-Net's own predictor, from files to files."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(model, None, "checkpoint_final.pth")
    images = [sorted(map(str, (raw / "imagesTs").glob(f"{case}_*"))) for case in cases]
    predictor.predict_from_files_sequential(images, [str(out / case) for case in cases])


def verify(raw: Path) -> None:
    """By nnU-Net's own check."""
    from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity

    verify_dataset_integrity(str(raw), 1)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "make":
        make(Path(rest[0]), Path(rest[1]))
    elif what == "predict":
        predict(rest[0], Path(rest[1]), Path(rest[2]), rest[3:])
    else:
        verify(Path(rest[0]))
