"""Measure the training cases and decide how to train."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lesionflow.config import PlanConfig, Settings
from lesionflow.data.dataset import Dataset
from lesionflow.data.geometry import Shape
from lesionflow.data.plan import ArchitecturePlan, InferencePlan, Plan
from lesionflow.errors import ArtifactError, InputError
from lesionflow.io.stores.cases import read_dataset
from lesionflow.io.stores.plans import read_plan, write_plan
from lesionflow.io.stores.splits import read_split
from lesionflow.planning.decisions import make_plan
from lesionflow.planning.diff import compare_plans
from lesionflow.planning.facts import summarize_facts
from lesionflow.planning.keep import keep_while_near
from lesionflow.steps.parallel import map_cases
from lesionflow.steps.plan.case_facts import measure_facts

logger = logging.getLogger(__name__)


def run(
    config: PlanConfig, inputs: Mapping[str, Path], outputs: Mapping[str, Path], settings: Settings
) -> dict[str, float]:
    """Write `plan.json` from the cases that may be trained on; test cases are never looked at."""
    dataset = read_dataset(inputs["cases"])
    split = read_split(inputs["splits"])
    case_ids = sorted({*split.train, *split.validation})
    measure = partial(measure_facts, inputs["cases"], dataset)
    measured = map_cases(measure, case_ids, name=str, workers=settings.workers, what="Measuring cases")
    # Loaded beside the workers, torch takes no time of its own.
    from lesionflow.models import find_architecture, size_multiple

    facts = []
    for _, result in measured:
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
        offered=find_architecture(architecture.name).dimensions,
        memory_mb=partial(_memory_mb, dataset),
        inference=InferencePlan.model_validate(config.inference.model_dump()),
    )
    plan = _keep_previous(plan, outputs["plan"], config)
    write_plan(outputs["plan"], plan)
    _show(plan)
    return {"n_cases": float(len(facts)), "batch_size": float(plan.batch_size)}


def _memory_mb(
    dataset: Dataset, dimensions: int, architecture: ArchitecturePlan, n_coarse_predictions: int, patch: Shape
) -> tuple[float, float]:
    from lesionflow.models import build_model
    from lesionflow.models.training_memory import training_memory_mb

    in_channels = len(dataset.channels) * (patch[0] if dimensions == 2 else 1) + n_coarse_predictions
    build = partial(
        build_model,
        architecture,
        in_channels=in_channels,
        out_channels=len(dataset.targets),
        dimensions=dimensions,
    )
    return training_memory_mb(build, in_channels, patch[1:] if dimensions == 2 else patch)


def _keep_previous(fresh: Plan, path: Path, config: PlanConfig) -> Plan:
    """Honor the plan that lies there already, as long as the data stay near it: then no array is made anew."""
    try:
        previous = read_plan(path)
    except ArtifactError:
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
    from lesionflow.prediction.served_model import load_model

    champion = load_model(model, model_name, tracking_uri)
    differences = compare_plans(_by_present_name(champion.bundle.plan), read_plan(plan_file))
    table = Table("decision", f"{champion.name} {champion.version}", "now", "still fits", "why", title="Plans compared")
    for found in differences:
        table.add_row(found.what, found.old, found.new, "yes" if found.fits else "NO", found.why)
    Console(stderr=True).print(table if differences else "The plans are the same.")
    return all(found.fits for found in differences)


def _by_present_name(plan: Plan) -> Plan:
    """Return a plan whose network is called as it is called now: an older name is no other network."""
    from lesionflow.models import find_architecture

    name = find_architecture(plan.architecture.name).name
    return plan.model_copy(update={"architecture": plan.architecture.model_copy(update={"name": name})})
