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
from lesionflow.data.plan import ArchitecturePlan, InferencePlan, Plan
from lesionflow.data.planning import make_plan
from lesionflow.data.split import Split
from lesionflow.errors import InputError
from lesionflow.io.cases import read_case, read_dataset
from lesionflow.io.storage import write_text
from lesionflow.models import size_multiple
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
        **_decided(config.model_dump(exclude={"architecture", "inference"})),
        architecture=architecture,
        size_multiple=size_multiple(architecture),
        inference=InferencePlan.model_validate(config.inference.model_dump()),
    )
    write_text(outputs["plan"], plan.model_dump_json(indent=2) + "\n")
    _show(plan)
    return {"n_cases": float(len(facts)), "batch_size": float(plan.batch_size)}


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
