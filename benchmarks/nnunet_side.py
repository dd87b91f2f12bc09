"""nnU-Net's 2D configuration, trained for so many minutes, then asked; run as a program by `benchmarks.training_budget`.

nnU-Net counts epochs and knows no minutes. Here its own training step runs until the time is over, and its own schedule
(polynomial, power 0.9) is fitted to that time, which can only help it. Folders come from nnU-Net's environment variables.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

DATASET, CONFIGURATION = "Dataset001_STS", "2d"
POWER = 0.9


def main(minutes: float, batch_size: int, *, mirroring: bool) -> None:
    """Train, predict `imagesTs`, print a line of figures as JSON."""
    raw, prepared = (Path(os.environ[name]) / DATASET for name in ("nnUNet_raw", "nnUNet_preprocessed"))
    plans = json.loads((prepared / "nnUNetPlans.json").read_text(encoding="utf-8"))
    plans["configurations"][CONFIGURATION]["batch_size"] = batch_size
    plans["continue_training"] = False
    declared = json.loads((raw / "dataset.json").read_text(encoding="utf-8"))
    trainer = nnUNetTrainer(plans, CONFIGURATION, 0, declared, device=torch.device("cpu"))
    trainer.on_train_start()
    trainer.on_train_epoch_start()
    began, steps = time.monotonic(), 0
    while (progress := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group in trainer.optimizer.param_groups:
            group["lr"] = trainer.initial_lr * (1 - progress) ** POWER
        trainer.train_step(next(trainer.dataloader_train))
        steps += 1
    trained_s = time.monotonic() - began
    trainer.on_train_end()
    seconds = _predict(Path(trainer.output_folder_base), raw, mirroring=mirroring)
    print(json.dumps({"steps": steps, "trained_s": trained_s, "predicted_s": seconds}))


def _predict(model: Path, raw: Path, *, mirroring: bool) -> float:
    predictor = nnUNetPredictor(use_mirroring=mirroring, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(model), (0,), "checkpoint_final.pth")
    (raw / "predictedTs").mkdir(exist_ok=True)
    began = time.monotonic()
    predictor.predict_from_files_sequential(str(raw / "imagesTs"), str(raw / "predictedTs"))
    return time.monotonic() - began


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), mirroring=sys.argv[3] == "mirroring")
