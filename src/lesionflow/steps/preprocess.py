"""Bring every case to model space; a case is made once."""

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesionflow.config import PreprocessConfig, Settings
from lesionflow.data.plan import Plan
from lesionflow.data.volume import IGNORED, Mask
from lesionflow.errors import DataQualityError, InputError
from lesionflow.io.stores import preprocessed
from lesionflow.io.stores.cases import read_case, read_contents
from lesionflow.io.stores.plans import read_plan
from lesionflow.io.stores.preprocessed import IndexEntry
from lesionflow.steps.parallel import map_cases

#: Change this when `preprocessing` gives other arrays: every case is then made again.
PREPROCESSING_VERSION = 1
#: Labelled voxels whose places are kept for each label: enough to draw patches from, small beside the arrays.
FOREGROUND_VOXELS = 5_000

logger = logging.getLogger(__name__)


def run(
    config: PreprocessConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Make what is not there yet, remove what no case needs, and write the index.

    Raises:
        ArtifactError: When the plan is broken.
        DataQualityError: When more than the allowed fraction of cases can't be preprocessed.
    """
    folder = outputs["preprocessed"]
    folder.mkdir(parents=True, exist_ok=True)
    plan = read_plan(inputs["plan"])
    keys = array_keys(inputs["cases"], plan)
    before = preprocessed.read_index(folder)
    kept = {c: e for c, e in before.items() if keys.get(c) == e.key and preprocessed.is_intact(folder, c, e)}
    index = dict(kept)
    todo = [case_id for case_id in keys if case_id not in kept]
    logger.info("Preprocessing %d cases; %d are made already.", len(todo), len(kept))
    make = partial(make_arrays, inputs["cases"], folder, plan)
    for case_id, result in map_cases(make, todo, name=str, workers=settings.workers, what="Preprocessing"):
        if isinstance(result, InputError):
            logger.warning("Case %s is left out (%s): %s", case_id, result.reason, result)
            index[case_id] = IndexEntry(key=keys[case_id], sha256="", reason=result.reason)
        else:
            index[case_id] = IndexEntry(key=keys[case_id], sha256=result)
        # The index names only finished files: after a kill, finished cases are kept.
        preprocessed.write_index(folder, index)
    remove_stale_arrays(folder, index)
    preprocessed.write_index(folder, index)
    require_enough_cases(config, index, folder)
    lost = sum(1 for entry in index.values() if entry.reason)
    return {
        "n_cases": float(len(index) - lost),
        "n_made": float(len(todo)),
        "n_kept": float(len(kept)),
        "n_lost": float(lost),
    }


def array_keys(cases: Path, plan: Plan) -> dict[str, str]:
    """Return of each case the digest of all that decides its arrays."""
    keys = {}
    for case_id, contents in read_contents(cases).items():
        facts = [*contents, plan.preprocessing_digest(), PREPROCESSING_VERSION]
        keys[case_id] = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return keys


def make_arrays(cases: Path, folder: Path, plan: Plan, case_id: str) -> str:
    """Bring a case to model space.

    Args:
        cases: What `ingest` wrote.
        folder: Where its arrays go.
        plan: How.
        case_id: Which.

    Returns:
        The sha256 of what was written.

    Raises:
        InputError: When it has no reference, or can't be brought there.
    """
    # Loaded by workers alone, as the step's `loaded_by_workers` says.
    from lesionflow.preprocessing import mask_to_model_space, to_model_space

    case = read_case(cases, case_id)
    if case.reference_mask is None:
        message = f"Case {case_id}: expected a reference mask to train on, found none. Outline it or leave it out."
        raise InputError(message, reason="no_outline")
    model_space = to_model_space(case.volume, plan, case_id=case_id)
    mask = mask_to_model_space(case.reference_mask, model_space)
    path = preprocessed.case_file(folder, case_id)
    return preprocessed.write_case(path, model_space.volume.array, mask.labels, _foreground(mask))


def _foreground(mask: Mask) -> dict[int, NDArray[np.int32]]:
    places = {}
    # Where some voxels are not known, patches away from tumor are placed by those that are known to be background.
    for label in (*mask.present, *((0, IGNORED) if mask.ignored is not None else ())):
        voxels = np.argwhere(mask.labels == label).astype(np.int32)
        if len(voxels):
            places[label] = voxels[:: max(len(voxels) // FOREGROUND_VOXELS, 1)]
    return places


def remove_stale_arrays(folder: Path, index: Mapping[str, IndexEntry]) -> None:
    """Remove what no case needs, and what a kill left."""
    wanted = {preprocessed.case_file(folder, case_id).name for case_id, entry in index.items() if entry.sha256}
    for path in folder.glob(f"*{preprocessed.SUFFIX}"):
        if path.name not in wanted:
            path.unlink()
    for path in folder.glob(".partial-*"):
        path.unlink()


def require_enough_cases(config: PreprocessConfig, index: Mapping[str, IndexEntry], folder: Path) -> None:
    """Refuse the cases as a whole where more are lost than params allow.

    Raises:
        DataQualityError: It names each case that is lost, and why.
    """
    lost = {case_id: entry.reason for case_id, entry in index.items() if entry.reason}
    if lost and len(lost) > config.max_failed_fraction * len(index):
        raise DataQualityError(
            f"Expected at most {config.max_failed_fraction:.0%} of {len(index)} cases lost in preprocessing, found "
            f"{len(lost)}: {lost}. Mend them, or raise preprocess.max_failed_fraction.",
            report=str(folder / preprocessed.INDEX),
        )
