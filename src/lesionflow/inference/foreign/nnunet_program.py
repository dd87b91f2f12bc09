"""What nnU-Net's own Python runs: started with the folder of a model, it answers a study a line until its input ends.

It is copied into a scratch folder and started there; it imports nothing of lesionflow, and nothing of lesionflow imports it.

::

    <- {"ready": "2.8.1"}
    -> {"images": ["a_0000.nii.gz", ...], "labels": "labels.nii.gz", "probabilities": "probabilities.npy"}
    <- {"done": true}   or   {"error": "..."}
"""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

CHECKPOINT = "checkpoint_final.pth"


def write_checkpoints(folder: Path) -> dict[str, Any]:
    """Write the checkpoints that nnU-Net opens, from plain arrays; return what the model needs to be told."""
    job: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    for fold in job["folds"]:
        with np.load(folder / f"fold_{fold}.npz", allow_pickle=False) as arrays:
            state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        for name, other in job["aliases"].items():
            state[name] = state[other]
        (folder / f"fold_{fold}").mkdir()
        content = {
            "network_weights": state,
            "trainer_name": job["trainer"],
            "init_args": {"configuration": job["configuration"]},
            "inference_allowed_mirroring_axes": None if job["axes"] is None else tuple(job["axes"]),
        }
        torch.save(content, folder / f"fold_{fold}" / CHECKPOINT)
        (folder / f"fold_{fold}.npz").unlink()
    return job


def open_model(folder: Path, job: dict[str, Any]) -> Any:
    """Build nnU-Net's own predictor from the folder."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=True,
        device=torch.device(job["device"]),
        verbose=False,
        allow_tqdm=False,
    )
    folds = tuple(name if name == "all" else int(name) for name in job["folds"])
    predictor.initialize_from_trained_model_folder(str(folder), folds, CHECKPOINT)
    return predictor


def answer_study(predictor: Any, wanted: dict[str, Any]) -> None:
    """Segment one study; write its labels by nnU-Net's own writer and its probabilities as an array."""
    files = predictor.plans_manager.image_reader_writer_class()
    image, about = files.read_images(wanted["images"])
    labels, probabilities = predictor.predict_single_npy_array(image, about, None, None, True)
    np.save(wanted["probabilities"], np.asarray(probabilities, dtype=np.float32), allow_pickle=False)
    files.write_seg(labels, wanted["labels"], about)


def main() -> None:
    """Answer until the input ends; whatever nnU-Net prints goes to the log."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**words: object) -> None:
        out.write(json.dumps(words) + "\n")
        out.flush()

    folder = Path(sys.argv[1])
    try:
        predictor = open_model(folder, write_checkpoints(folder))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be told to who waits
        say(error=f"{type(error).__name__}: {error}")
        return
    say(ready=version("nnunetv2"))
    for line in sys.stdin:
        try:
            answer_study(predictor, json.loads(line))
        except Exception as error:  # noqa: BLE001 - as above
            say(error=f"{type(error).__name__}: {error}")
        else:
            say(done=True)


if __name__ == "__main__":
    main()
