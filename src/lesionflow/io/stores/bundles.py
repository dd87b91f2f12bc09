"""The bundle on disk: `plan.json`, `weights.safetensors`, `card.json`, `SHA256SUMS`. Never a pickle.

Where anything was fitted on the validation cases, `calibration.json` lies beside them; where backends were compared, `backend.json`;
where it was asked about them, `golden.safetensors`. `manifest.dsse.json` seals them all (ADR 16); bundles made before there was one lack it, and are unsigned.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lesionflow import __version__
from lesionflow.data.bundle import Bundle, Card, GoldenCase
from lesionflow.data.calibration import BackendChoice, Calibration
from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError
from lesionflow.io.files import replacing_folder, sha256_file, unique_pairs
from lesionflow.io.signing.bundle_manifest import MANIFEST, list_bundle_files, sign_bundle, verify_bundle
from lesionflow.io.signing.keys import load_signing_key
from lesionflow.machine.error_words import plain_words
from lesionflow.machine.faults import blame_machine

PLAN, WEIGHTS, CARD, SUMS = "plan.json", "weights.safetensors", "card.json", "SHA256SUMS"
CALIBRATION, BACKEND, GOLDEN = "calibration.json", "backend.json", "golden.safetensors"
#: Files that a bundle may lack.
OPTIONAL = (CALIBRATION, BACKEND, GOLDEN)

Model = TypeVar("Model", bound=BaseModel)


def write_bundle(folder: Path, bundle: Bundle) -> str:
    """Write a bundle, whole or not at all, sealed by the key that `LESIONFLOW_SIGNING_KEY` names, or by none.

    Args:
        folder: Where; an old bundle there is replaced.
        bundle: What.

    Returns:
        The bundle's digest, which does not depend on who signs.

    Raises:
        ConfigError: When the key that is named can't be read.
    """
    key = load_signing_key()
    with replacing_folder(folder) as partial:
        (partial / PLAN).write_text(bundle.plan.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (partial / CARD).write_text(bundle.card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        save_file(bundle.weights, partial / WEIGHTS)
        names = [CARD, PLAN, WEIGHTS]
        for name, part in ((CALIBRATION, bundle.calibration), (BACKEND, bundle.backend)):
            if part is not None:
                (partial / name).write_text(part.model_dump_json(indent=2) + "\n", encoding="utf-8")
                names = [name, *names]
        if bundle.golden:
            save_file(_flattened(bundle.golden), partial / GOLDEN)
            names = [GOLDEN, *names]
        sums = "".join(f"{sha256_file(partial / name)}  {name}\n" for name in names)
        (partial / SUMS).write_text(sums, encoding="utf-8")
        sign_bundle(partial, key)
    return hashlib.sha256(sums.encode()).hexdigest()


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify every byte of it.

    Returns:
        The bundle; its seal says who vouches for it, which is for the caller to judge (`require_trusted`).

    Raises:
        ArtifactError: When a file is missing, altered, not listed, can be run, or is of another format, or a weight is NaN or infinite; the
            message says which.
    """
    seal = verify_bundle(folder)
    try:
        sums = (folder / SUMS).read_text(encoding="utf-8")
        for line in sums.splitlines():
            expected, name = line.split(maxsplit=1)
            if name not in (*OPTIONAL, CARD, PLAN, WEIGHTS) or sha256_file(folder / name) != expected:
                raise ArtifactError(
                    f"Expected {name} of the bundle {folder.name} to have its recorded hash, found another: altered."
                )
        named = {line.split(maxsplit=1)[1] for line in sums.splitlines()}
        there = {name for name in OPTIONAL if (folder / name).exists()}
        if named != {CARD, PLAN, WEIGHTS} | there:
            raise ArtifactError(
                f"Expected hashes of {CARD}, {PLAN}, {WEIGHTS}, and of {' and '.join(OPTIONAL)} if they are there, in {SUMS} of "
                f"{folder.name}, found others."
            )
        if extra := sorted(set(list_bundle_files(folder)) - named - {SUMS, MANIFEST}):
            raise ArtifactError(
                f"Expected in {folder.name} only what {SUMS} lists, found {', '.join(extra)}: added. Remove it, or fetch the bundle again."
            )
        plan, card = _read(folder / PLAN, Plan), _read(folder / CARD, Card)
        weights = load_file(folder / WEIGHTS)
        calibration = _read(folder / CALIBRATION, Calibration) if CALIBRATION in named else None
        backend = _read(folder / BACKEND, BackendChoice) if BACKEND in named else None
        golden = _golden_of(load_file(folder / GOLDEN)) if GOLDEN in named else ()
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        blame_machine(error)
        raise ArtifactError(
            f"Expected a bundle in {folder}, found: {plain_words(error, length=200, within=folder)}. Train again or fetch it again."
        ) from error
    _require_finite_weights(weights, folder.name)
    if plan.digest() != card.plan_sha256:
        raise ArtifactError(f"Expected the plan of bundle {folder.name} to be the one its card names, found another.")
    if calibration is not None:
        _require_fit(calibration, plan, folder.name)
    return Bundle(plan, weights, card, hashlib.sha256(sums.encode()).hexdigest(), calibration, backend, golden, seal)


def _read(path: Path, kind: type[Model]) -> Model:
    text = path.read_text(encoding="utf-8")
    # pydantic takes the last of two keys of one name, other readers the first.
    json.loads(text, object_pairs_hook=unique_pairs)
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'content'}: {e['msg']}" for e in error.errors()[:3])
        raise ArtifactError(
            f"Expected {path.name} of the bundle {path.parent.name} as lesionflow {__version__} writes it, found {faults}. "
            "Use the version that wrote it, or train again."
        ) from error


def _flattened(cases: Sequence[GoldenCase]) -> dict[str, NDArray[np.generic]]:
    return {f"{n}.{part.name}": getattr(case, part.name) for n, case in enumerate(cases) for part in fields(GoldenCase)}


def _golden_of(arrays: Mapping[str, Any]) -> tuple[GoldenCase, ...]:
    parts = [part.name for part in fields(GoldenCase)]
    return tuple(
        GoldenCase(**{name: arrays[f"{n}.{name}"] for name in parts}) for n in range(len(arrays) // len(parts))
    )


def _require_finite_weights(weights: Mapping[str, NDArray[np.generic]], name: str) -> None:
    """Refuse a network that can't answer: one NaN spreads into all that it says, and a mask of NaN is empty."""
    bad = [key for key, array in weights.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if bad:
        raise ArtifactError(
            f"Expected finite weights in {WEIGHTS} of the bundle {name}, found NaN or infinity in {len(bad)} of {len(weights)}, the first {bad[0]}. "
            "It can't find anything: train again, or use another version."
        )


def _require_fit(calibration: Calibration, plan: Plan, name: str) -> None:
    fitted, targets = [target.name for target in calibration.targets], [target.name for target in plan.targets]
    if fitted != targets:
        raise ArtifactError(
            f"Expected {CALIBRATION} of the bundle {name} for the targets {', '.join(targets)}, found {', '.join(fitted)}."
        )
