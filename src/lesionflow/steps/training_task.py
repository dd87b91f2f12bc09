"""What is trained on what: params, plan, split and cases, gathered before the first epoch."""

import hashlib
import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lesionflow.config import Settings, TrainConfig
from lesionflow.data.plan import Plan
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io import preprocessed
from lesionflow.io.plans import read_plan
from lesionflow.io.preprocessed import IndexEntry
from lesionflow.models import ARCHITECTURES, build_model
from lesionflow.steps.split import read_split
from lesionflow.steps.transfer import Source, find_source
from lesionflow.training import CaseArrays, PatchShape, Recipe

#: Arrays that take less stay decompressed in memory: a patch is then read a hundred times faster.
IN_MEMORY_BYTES = 2_000_000_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What is trained on what, from which weights."""

    config: TrainConfig
    plan: Plan
    train: tuple[str, ...]
    validation: tuple[str, ...]
    data_revision: str
    source: Source | None = None

    @property
    def key(self) -> str:
        """Digest of all that decides the result."""
        content = [self.config.model_dump(mode="json"), self.plan.digest(), self.train, self.validation]
        content += [self.data_revision, self.source.digest if self.source else ""]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def patch(self) -> PatchShape:
        """What the network sees."""
        return PatchShape(self.plan.patch_size, self.plan.dimensions)

    def build_network(self) -> torch.nn.Module:
        """Make the plan's network."""
        plan = self.plan
        return build_model(
            plan.architecture,
            in_channels=plan.in_channels,
            out_channels=len(plan.targets),
            dimensions=plan.dimensions,
        )

    def start(self, network: torch.nn.Module) -> dict[str, Any]:
        """Put the first weights into a network, if there are any; return what the card says of them."""
        return self.source.put_into(network, self.plan.architecture) if self.source else {}

    def recipe(self) -> Recipe:
        """Return what the training loop is told."""
        names = {field.name for field in fields(Recipe)}
        given = {**self.config.model_dump(), **self.config.transfer.model_dump()}
        values = {name: value for name, value in given.items() if name in names}
        encoder = ARCHITECTURES[self.plan.architecture.name].encoder
        return Recipe(**values, encoder=encoder, probability_threshold=self.plan.inference.probability_threshold)


def gather(
    config: TrainConfig, inputs: Mapping[str, Path], settings: Settings
) -> tuple[TrainingTask, dict[str, CaseArrays]]:
    """Read all that a training needs and check that it fits together.

    Args:
        config: How to train.
        inputs: `preprocessed`, `splits` and `plan`.
        settings: Where the store of models and the folder for fetched files are.

    Returns:
        The task, and the arrays of its cases by id.

    Raises:
        ArtifactError: When an input is broken or holds no case to train or validate on.
        ConfigError: When loss or source do not fit the plan.
        ServiceError: When the source of first weights can't be reached.
    """
    plan, split = read_plan(inputs["plan"]), read_split(inputs["splits"])
    _require_exclusive_targets(config, plan)
    folder = inputs["preprocessed"]
    index = preprocessed.read_index(folder)
    train, validation = _usable(split.train, index), _usable(split.validation, index)
    for verb, case_ids in (("train", train), ("validate", validation)):
        if not case_ids:
            raise ArtifactError(f"Expected at least one preprocessed case to {verb} on, found none. Add studies.")
    used = (*train, *validation)
    content = "".join(f"{case_id} {index[case_id].key}\n" for case_id in sorted(used))
    source = find_source(config.transfer, settings)
    if source is not None:
        source.warn_of_known_cases(validation)
    task = TrainingTask(config, plan, train, validation, hashlib.sha256(content.encode()).hexdigest(), source)
    cases = _open_cases(folder, {case_id: index[case_id] for case_id in used})
    _require_tumors(plan, [cases[case_id] for case_id in train], [cases[case_id] for case_id in validation])
    return task, cases


def _require_exclusive_targets(config: TrainConfig, plan: Plan) -> None:
    labels = [label for target in plan.targets for label in target.labels]
    if config.loss == "dice_ce" and len(set(labels)) < len(labels):
        names = ", ".join(target.name for target in plan.targets)
        raise ConfigError(
            f"Expected targets that exclude one another for train.loss dice_ce, found regions that overlap ({names}). "
            "Choose dice_bce."
        )


def _require_tumors(plan: Plan, train: Sequence[CaseArrays], validation: Sequence[CaseArrays]) -> None:
    """Refuse targets that training would never see, and a validation that finding nothing would pass."""
    seen = {label for case in train for label in case.foreground}
    unseen = [target.name for target in plan.targets if not seen & set(target.labels)]
    if unseen:
        raise ArtifactError(
            f"Expected each target in at least one of {len(train)} training cases, found none with {', '.join(unseen)}. "
            "Add studies that have it, or take it out of ingest.labels and ingest.regions."
        )
    if not any(case.foreground for case in validation):
        raise ArtifactError(
            f"Expected a tumor in at least one of {len(validation)} validation cases, found none: a network that finds "
            "nothing would have Dice 1. Choose another split.fold or split.seed, or add studies."
        )


def _usable(case_ids: Iterable[str], index: Mapping[str, IndexEntry]) -> tuple[str, ...]:
    """Leave out the cases that could not be preprocessed; `preprocess` has judged how many that may be."""
    usable = tuple(case_id for case_id in sorted(case_ids) if case_id in index and index[case_id].sha256)
    if lost := sorted(set(case_ids) - set(usable)):
        logger.warning("%d cases are not trained with, they could not be preprocessed: %s", len(lost), ", ".join(lost))
    return usable


def _open_cases(folder: Path, index: Mapping[str, IndexEntry]) -> dict[str, CaseArrays]:
    """Open the cases; decompressed once and for all where they fit into memory together."""
    cases = {}
    for case_id, entry in index.items():
        if not preprocessed.is_intact(folder, case_id, entry):
            message = f"Expected the preprocessed case {case_id} as its index names it, found it altered or missing."
            raise ArtifactError(f"{message} Run preprocess again.")
        stored = preprocessed.open_case(preprocessed.case_file(folder, case_id))
        cases[case_id] = CaseArrays(case_id, stored.image, stored.mask, stored.foreground)
    size = sum(4 * math.prod(case.image.shape) + math.prod(case.mask.shape) for case in cases.values())
    if size > IN_MEMORY_BYTES:
        logger.info("%.1f GB of arrays stay compressed", size / 1e9)
        return cases
    return {
        case_id: CaseArrays(case_id, np.asarray(case.image[:]), np.asarray(case.mask[:]), case.foreground)
        for case_id, case in cases.items()
    }
