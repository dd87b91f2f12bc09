"""Measure the training cases and decide how to train."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lesionflow.config import PlanConfig, Settings
from lesionflow.data.dataset import Dataset
from lesionflow.data.fingerprint import CaseFacts, summarize_facts
from lesionflow.data.geometry import Shape
from lesionflow.data.plan import ArchitecturePlan, InferencePlan, Plan
from lesionflow.data.plan_diff import compare_plans
from lesionflow.data.plan_drift import keep_while_near
from lesionflow.data.planning import make_plan
from lesionflow.data.split import Split
from lesionflow.errors import InputError
from lesionflow.io.cases import read_case, read_dataset
from lesionflow.io.plans import read_plan
from lesionflow.io.storage import write_text
from lesionflow.models import build_model, size_multiple
from lesionflow.models.memory import training_memory_mb
from lesionflow.preprocessing.crop import body_mask
from lesionflow.preprocessing.orientation import find_orientation, reorient, reorient_geometry
from lesionflow.steps.parallel import map_cases

#: Intensities kept of each case; percentiles of all cases together need no more.
SAMPLES_A_CASE = 20_000

logger = logging.getLogger(__name__)


def run(
    config: PlanConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Write `plan.json` from the cases that may be trained on; test cases are never looked at."""
    dataset = read_dataset(inputs["cases"])
    split = Split.model_validate_json(inputs["splits"].read_text(encoding="utf-8"))
    case_ids = sorted({*split.train, *split.validation})
    measure = partial(_measure, inputs["cases"], dataset)
    facts = []
    for _, result in map_cases(measure, case_ids, name=str, workers=settings.workers, what="Measuring cases"):
        if isinstance(result, InputError):
            raise result
        facts.append(result)
    architecture = ArchitecturePlan.model_validate(config.architecture.model_dump())
    plan = make_plan(
        summarize_facts(facts),
        dataset,
        **_decided(config.model_dump(exclude={"architecture", "inference", "keep_within_fraction"})),
        architecture=architecture,
        size_multiple=size_multiple(architecture),
        memory_mb=partial(_memory_mb, dataset, config),
        inference=InferencePlan.model_validate(config.inference.model_dump()),
    )
    plan = _keep_previous(plan, outputs["plan"], config)
    write_text(outputs["plan"], plan.model_dump_json(indent=2) + "\n")
    _show(plan)
    return {"n_cases": float(len(facts)), "batch_size": float(plan.batch_size)}


def _memory_mb(
    dataset: Dataset, config: PlanConfig, architecture: ArchitecturePlan, patch: Shape
) -> tuple[float, float]:
    in_channels = len(dataset.channels) * (patch[0] if config.dimensions == 2 else 1)
    build = partial(
        build_model,
        architecture,
        in_channels=in_channels,
        out_channels=len(dataset.targets),
        dimensions=config.dimensions,
    )
    return training_memory_mb(build, in_channels, patch[1:] if config.dimensions == 2 else patch)


def _keep_previous(fresh: Plan, path: Path, config: PlanConfig) -> Plan:
    """Honor the plan that lies there already, as long as the data stay near it: then no array is made anew."""
    try:
        previous = Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return fresh
    pinned = {"spacing"} if config.spacing_mm != ("auto", "auto", "auto") else set()
    pinned |= {"window"} if config.ct_window_hu != "auto" else set()
    plan = keep_while_near(fresh, previous, config.keep_within_fraction, frozenset(pinned))
    if plan.preprocessing_digest() != previous.preprocessing_digest():
        logger.info("The data ask for other spacing or intensities than before: all cases are preprocessed anew.")
    return plan


def _decided(values: dict[str, Any]) -> dict[str, Any]:
    """Put None, the planner's word, where params say `auto`."""
    spacing = tuple(None if value == "auto" else value for value in values["spacing_mm"])
    return {**{key: None if value == "auto" else value for key, value in values.items()}, "spacing_mm": spacing}


def _measure(folder: Path, dataset: Dataset, case_id: str) -> CaseFacts:
    case = read_case(folder, case_id)
    orientation = find_orientation(case.volume.geometry)
    image = reorient(case.volume.array, orientation)
    body = body_mask(image, tuple(dataset.channels.values()))
    mask = np.zeros(body.shape, bool)
    if case.reference_mask is not None:
        mask = reorient(case.reference_mask.labels, orientation) > 0
    geometry = reorient_geometry(case.volume.geometry, orientation)
    extent = [np.flatnonzero(body.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
    shape = [int(e[-1] - e[0]) + 1 if e.size else n for e, n in zip(extent, body.shape, strict=True)]
    return CaseFacts(
        case_id=case_id,
        spacing_mm=geometry.spacing_mm,
        body_shape=(shape[0], shape[1], shape[2]),
        tumor_ml=float(mask.sum()) * geometry.voxel_volume_ml,
        body=_sample(image, body),
        tumor=_sample(image, mask),
    )


def _sample(image: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    voxels = image[:, where]
    step = max(voxels.shape[1] // SAMPLES_A_CASE, 1)
    return np.ascontiguousarray(voxels[:, ::step])


def _show(plan: Plan) -> None:
    table = Table("decision", "value", "why", title="The plan")
    for decision in plan.decisions:
        table.add_row(decision.what, decision.value, decision.why)
    Console(stderr=True).print(table)


def diff_with(model: str, model_name: str, plan_file: Path, tracking_uri: str) -> bool:
    """Say whether a registered model's plan still fits the data that a new plan was made for; print how they differ.

    Args:
        model: An alias, a version, or the folder of a bundle.
        model_name: The registered model; not needed with a folder.
        plan_file: What `plan` wrote.
        tracking_uri: MLflow's.

    Returns:
        Whether each of the model's decisions fits.

    Raises:
        ArtifactError: When there is no such model, or the plan is broken.
        ServiceError: When the registry can't be reached.
    """
    # mlflow takes six seconds; a plan alone needs none of it.
    from lesionflow.steps.predict import load_model

    champion = load_model(model, model_name, tracking_uri)
    differences = compare_plans(champion.bundle.plan, read_plan(plan_file))
    table = Table("decision", f"{champion.name} {champion.version}", "now", "still fits", "why", title="Plans compared")
    for found in differences:
        table.add_row(found.what, found.old, found.new, "yes" if found.fits else "NO", found.why)
    Console(stderr=True).print(table if differences else "The plans are the same.")
    return all(found.fits for found in differences)
