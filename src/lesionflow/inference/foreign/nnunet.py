"""A trained nnU-Net of a bundle, run by its own program on files that lie in a scratch folder as long as the model is loaded."""

import json
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.config.settings import load_foreign_programs
from lesionflow.data.bundle import Bundle
from lesionflow.data.foreign import ForeignModel
from lesionflow.data.plan import Plan
from lesionflow.data.volume import IGNORED, Volume, require_same_grid
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.inference.finite_answers import require_finite
from lesionflow.inference.foreign.conversation import Conversation
from lesionflow.io.images import nifti

PROGRAM = Path(__file__).with_name("nnunet_program.py")


class ForeignAnswer(NamedTuple):
    """What the program says of a study, on its own grid.

    Args:
        labels: uint8 (slice, row, column), our values.
        probabilities: float32 (target, slice, row, column).
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


class NnunetNetwork:
    """An nnU-Net, started when it is first asked, and again where it ended.

    Args:
        bundle: Whose plan has a foreign model.
        device: `cpu` or `cuda`.

    Raises:
        ArtifactError: When the bundle holds none.
    """

    def __init__(self, bundle: Bundle, *, device: str) -> None:
        if bundle.plan.foreign is None:
            raise ArtifactError("Expected a bundle of a foreign model, found one of our own.")
        self._bundle, self._model, self._device = bundle, bundle.plan.foreign, device
        self._folder: Path | None = None
        self._talk: Conversation | None = None

    def ask(self, volume: Volume, *, case_id: str) -> ForeignAnswer:
        """Segment a study.

        Args:
            volume: All channels of the plan, in its order, on one grid.
            case_id: For messages; no file is called by it.

        Raises:
            ServiceError: When no Python for nnU-Net is named, or it fails.
            ArtifactError: When its probabilities are NaN or infinite anywhere.
            GeometryMismatchError: When what it gives back does not lie where the study lies.
        """
        talk, folder = self._started()
        with tempfile.TemporaryDirectory(prefix="study-", dir=folder) as scratch:
            place = Path(scratch)
            images = [place / f"study_{number:04d}.nii.gz" for number in range(volume.n_channels)]
            for number, path in enumerate(images):
                nifti.write_volume(path, volume, number)
            labels, probabilities = place / "labels.nii.gz", place / "probabilities.npy"
            question = {"images": list(map(str, images)), "labels": str(labels), "probabilities": str(probabilities)}
            talk.ask(question, about=case_id)
            found = nifti.read_mask(labels, name=case_id)
            require_same_grid(volume.geometry, found.geometry, f"Study and nnU-Net's mask of case {case_id}")
            heads = np.load(probabilities, allow_pickle=False)
        if heads.shape != (len(self._model.heads), *volume.geometry.shape):
            raise ServiceError(
                f"Expected probabilities of nnU-Net for case {case_id} as ({len(self._model.heads)}, slice, row, column), found {heads.shape}."
            )
        require_finite(heads, "nnU-Net")
        return ForeignAnswer(_our_labels(found.labels, self._model), merge_heads(heads, self._bundle.plan, self._model))

    def _started(self) -> tuple[Conversation, Path]:
        if self._talk is not None and self._folder is not None and self._talk.is_alive:
            return self._talk, self._folder
        programs = load_foreign_programs()
        if programs.nnunet_python is None:
            raise ServiceError(
                "Expected LESIONFLOW_NNUNET_PYTHON to name a Python with nnunetv2, as this model is nnU-Net's, found nothing. Make one: "
                "`python -m venv nnunet && nnunet/bin/pip install nnunetv2`, and set it to nnunet/bin/python."
            )
        folder = Path(tempfile.mkdtemp(prefix="lesionflow-nnunet-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        _write_job(folder, self._bundle, self._model, self._device)
        command = [str(programs.nnunet_python), str(shutil.copyfile(PROGRAM, folder / "program.py")), str(folder)]
        self._talk = Conversation(command, folder, name="nnU-Net", timeout_s=programs.nnunet_timeout_s)
        self._folder = folder
        return self._talk, folder


def merge_heads(heads: NDArray[np.float32], plan: Plan, model: ForeignModel) -> NDArray[np.float32]:
    """Return the probability of each target from those of the output channels.

    Args:
        heads: (output channel, slice, row, column).
        plan: Whose targets.
        model: What each channel stands for.

    Returns:
        (target, slice, row, column). Exclusive channels are summed over the target's labels; of others the one that is the target.
    """
    merged = np.empty((len(plan.targets), *heads.shape[1:]), np.float32)
    for number, target in enumerate(plan.targets):
        if model.exclusive:
            parts = [heads[k] for k, labels in enumerate(model.heads) if labels and set(labels) <= set(target.labels)]
        else:
            parts = [heads[k] for k, labels in enumerate(model.heads) if set(labels) == set(target.labels)]
        merged[number] = np.clip(np.sum(parts, axis=0, dtype=np.float32), 0.0, 1.0)
    return merged


def _our_labels(labels: NDArray[np.uint8], model: ForeignModel) -> NDArray[np.uint8]:
    table = np.full(256, IGNORED, np.uint8)
    table[: len(model.label_values) + 1] = (0, *model.label_values)
    return table[labels]


def _write_job(folder: Path, bundle: Bundle, model: ForeignModel, device: str) -> None:
    (folder / "plans.json").write_text(json.dumps(model.plans), encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps(model.declaration), encoding="utf-8")
    for fold in model.folds:
        lead = f"fold_{fold}/"
        arrays: dict[str, Any] = {
            key.removeprefix(lead): value for key, value in bundle.weights.items() if key.startswith(lead)
        }
        with (folder / f"fold_{fold}.npz").open("wb") as target:
            np.savez(target, **arrays)
    job = {
        "folds": list(model.folds),
        "aliases": model.aliases,
        "trainer": model.trainer,
        "configuration": model.configuration,
        "axes": model.mirroring_axes,
        "device": device,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
