"""A model folder of nnU-Net v2: `plans.json`, `dataset.json`, `fold_*/checkpoint_final.pth`; read, checked, and never run here.

Names in `plans.json` are imported by nnU-Net when it builds the network: only those of its own packages are let through.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.exchange.checkpoints import read_checkpoint
from lesionflow.io.files import read_json

CHECKPOINT = "checkpoint_final.pth"
#: nnU-Net's classes that read files as (slice, row, column) of what our NIfTI writes.
IMAGE_READERS = ("SimpleITKIO", "NibabelIO")
NETWORKS = re.compile(r"(dynamic_network_architectures|nnunetv2)(\.\w+)+")
LAYERS = re.compile(r"torch\.nn(\.\w+)+")
NAME = re.compile(r"\w+")


class NnunetModel(NamedTuple):
    """What a model folder holds.

    Args:
        plans: `plans.json`.
        declaration: `dataset.json`.
        configuration: Which of the plans' configurations was trained.
        trainer: Class of the trainer.
        folds: Names of the folds taken.
        weights: `fold_<name>/<parameter>`.
        aliases: Parameters that are others by a second name.
        mirroring_axes: Axes that may be flipped.
        validated: Names of cases that some fold was validated on, as far as the folder tells.
        is_complete: Whether `validated` is every case that was learned from: all five folds' validations lie there.
        dice: Mean foreground Dice of the validations, or the last that training estimated; None where neither is told.
        epochs: The most that a fold was trained for.
        sha256: Over all weights.
    """

    plans: dict[str, Any]
    declaration: dict[str, Any]
    configuration: str
    trainer: str
    folds: tuple[str, ...]
    weights: dict[str, NDArray[np.generic]]
    aliases: dict[str, str]
    mirroring_axes: tuple[int, ...] | None
    validated: tuple[str, ...]
    is_complete: bool
    dice: float | None
    epochs: int
    sha256: str


def read_model(folder: Path, folds: Sequence[str] = ()) -> NnunetModel:
    """Read a model folder (`nnUNetTrainer__nnUNetPlans__3d_fullres`).

    Args:
        folder: It.
        folds: Names of the folds to take (`0`, `all`); all that are there but `all` without.

    Returns:
        What it holds.

    Raises:
        ConfigError: When a fold is named that is not there.
        ArtifactError: When a file is missing or broken, names code that is not nnU-Net's, or is of a kind that can't be run on one
            study at a time (a cascade's second stage, pictures).
    """
    plans, declaration = (read_json(folder / name) for name in ("plans.json", "dataset.json"))
    names = tuple(folds) or _found_folds(folder)
    checkpoints = [_read_fold(folder, name) for name in names]
    trainer, configuration = _agreed(checkpoints)
    _require_runnable(plans, configuration, trainer)
    weights, aliases = _join(names, [checkpoint["network_weights"] for checkpoint in checkpoints])
    axes = checkpoints[0].get("inference_allowed_mirroring_axes")
    present = {name: _validated(folder / f"fold_{name}") for name in _all_folds(folder)}
    validated = tuple(sorted({case for cases in present.values() for case in cases}))
    return NnunetModel(
        plans=plans,
        declaration=declaration,
        configuration=configuration,
        trainer=trainer,
        folds=names,
        weights=weights,
        aliases=aliases,
        mirroring_axes=None if axes is None else tuple(int(axis) for axis in axes),
        validated=validated,
        is_complete=len(validated) == declaration.get("numTraining") and len(validated) > 0,
        dice=_mean_dice(folder, names, checkpoints),
        epochs=max(int(checkpoint.get("current_epoch", 0)) for checkpoint in checkpoints),
        sha256=digest_of_weights(weights),
    )


def digest_of_weights(weights: Mapping[str, NDArray[np.generic]]) -> str:
    """Return the sha256 over names, types, shapes and bytes of all weights."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _all_folds(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name.removeprefix("fold_") for path in folder.glob("fold_*") if path.is_dir()))


def _found_folds(folder: Path) -> tuple[str, ...]:
    trained = tuple(name for name in _all_folds(folder) if (folder / f"fold_{name}" / CHECKPOINT).is_file())
    names = tuple(name for name in trained if name != "all") or trained
    if not names:
        raise ArtifactError(
            f"Expected fold_*/{CHECKPOINT} in {folder.name}, found none. Name nnU-Net's folder "
            "`<trainer>__<plans>__<configuration>` of a training that ended."
        )
    return names


def _read_fold(folder: Path, name: str) -> dict[str, Any]:
    if not NAME.fullmatch(name) or not (folder / f"fold_{name}" / CHECKPOINT).is_file():
        there = ", ".join(_all_folds(folder)) or "none"
        raise ConfigError(f"Expected fold {name} with {CHECKPOINT} in {folder.name}, found the folds {there}.")
    checkpoint = read_checkpoint(folder / f"fold_{name}" / CHECKPOINT, name=f"fold_{name}/{CHECKPOINT}")
    wanted = ("network_weights", "trainer_name", "init_args")
    if missing := [key for key in wanted if key not in checkpoint]:
        raise ArtifactError(
            f"Expected {', '.join(wanted)} in fold_{name}/{CHECKPOINT}, found no {', '.join(missing)}. Train it with nnU-Net 2."
        )
    return checkpoint


def _agreed(checkpoints: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    told = {(str(one["trainer_name"]), str(one["init_args"].get("configuration", ""))) for one in checkpoints}
    if len(told) != 1:
        raise ArtifactError(
            f"Expected folds of one trainer and configuration, found {sorted(told)}. Import each kind alone by --folds."
        )
    return next(iter(told))


def _require_runnable(plans: Mapping[str, Any], configuration: str, trainer: str) -> None:
    settings = plans.get("configurations", {}).get(configuration)
    if not isinstance(settings, dict):
        raise ArtifactError(f"Expected the configuration {configuration!r:.40} in plans.json, found none.")
    settings = {**_inherited(plans["configurations"], settings), **settings}
    if settings.get("previous_stage"):
        raise ArtifactError(
            f"Expected a network that answers alone, found {configuration}, the second stage of a cascade. Import 3d_fullres or 2d."
        )
    if plans.get("image_reader_writer") not in IMAGE_READERS:
        raise ArtifactError(
            f"Expected a model whose images are read by {' or '.join(IMAGE_READERS)}, found {plans.get('image_reader_writer')!s:.60}. Plan "
            "and train it on `lesionflow export nnunet`."
        )
    if not NAME.fullmatch(trainer):
        raise ArtifactError(f"Expected the name of a trainer's class, found {trainer!r:.60}.")
    network = settings.get("architecture", {})
    kind = str(network.get("network_class_name", settings.get("UNet_class_name", "")))
    # Plans of before 2.4 name the class alone, which nnU-Net looks up among its own.
    if not NETWORKS.fullmatch(kind) and not NAME.fullmatch(kind):
        raise ArtifactError(
            f"Expected a network of nnU-Net's own in plans.json, found {kind!r:.80}. Nothing was imported."
        )
    options = network.get("arch_kwargs", {})
    for key in network.get("_kw_requires_import", ()):
        value = options.get(key)
        if value is not None and not LAYERS.fullmatch(str(value)):
            raise ArtifactError(
                f"Expected a layer of torch.nn as {key} in plans.json, found {value!r:.80}. Nothing was imported."
            )


def _inherited(configurations: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    inherited: dict[str, Any] = {}
    for _ in range(len(configurations)):
        settings = configurations.get(settings.get("inherits_from", ""), {})
        inherited = {**settings, **inherited}
    return inherited


def _join(
    names: Sequence[str], states: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    """Put the folds' weights side by side, each tensor once: nnU-Net's networks hold most of theirs under two to four names."""
    aliases = _aliases(states[0])
    if any(_aliases(state) != aliases or state.keys() != states[0].keys() for state in states):
        raise ArtifactError("Expected folds of one network, found different parameters. Import them one by one.")
    weights = {
        f"fold_{fold}/{name.removeprefix('module.').removeprefix('_orig_mod.')}": _array(tensor)
        for fold, state in zip(names, states, strict=True)
        for name, tensor in state.items()
        if name not in aliases
    }
    short = {
        key.removeprefix("module.").removeprefix("_orig_mod."): value.removeprefix("module.").removeprefix("_orig_mod.")
        for key, value in aliases.items()
    }
    return weights, short


def _aliases(state: Mapping[str, Any]) -> dict[str, str]:
    first: dict[tuple[Any, ...], str] = {}
    aliases = {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tuple(tensor.shape), tensor.dtype) if tensor.numel() else (name,)
        if (known := first.setdefault(place, name)) != name:
            aliases[name] = known
    return aliases


def _array(tensor: Any) -> NDArray[np.generic]:
    plain = tensor.detach().contiguous()
    array: NDArray[np.generic] = (plain.float() if plain.is_floating_point() else plain).numpy()
    return array.copy()


def _validated(fold: Path) -> tuple[str, ...]:
    files = (fold / "validation").glob("*.*")
    return tuple(path.name.partition(".")[0] for path in files if not path.name.endswith((".json", ".npz", ".pkl")))


def _mean_dice(folder: Path, names: Sequence[str], checkpoints: Sequence[Mapping[str, Any]]) -> float | None:
    found: list[float] = []
    for name, checkpoint in zip(names, checkpoints, strict=True):
        path = folder / f"fold_{name}" / "validation" / "summary.json"
        if path.is_file():
            told = read_json(path).get("foreground_mean", {}).get("Dice")
        else:
            logged = checkpoint.get("logging")
            curve = logged.get("ema_fg_dice") if isinstance(logged, dict) else None
            told = curve[-1] if isinstance(curve, list) and curve else None
        if isinstance(told, int | float) and np.isfinite(told):
            found.append(float(told))
    return sum(found) / len(found) if found else None
