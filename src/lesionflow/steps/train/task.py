"""One training: what is trained on what, from which weights."""

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any

import torch

from lesionflow.config import TrainConfig
from lesionflow.data.plan import Plan
from lesionflow.models import build_model, find_architecture
from lesionflow.steps.train.transfer import Source
from lesionflow.training import PatchShape, Recipe


@dataclass(frozen=True, eq=False)
class TrainingTask:
    """What is trained on what, from which weights.

    Args:
        config: How; the seed is this training's own.
        plan: Every decision from study to patch.
        train: Cases to learn from.
        validation: Cases that judge; none for a network that learns from all.
        data_revision: Digest over the preprocessed cases.
        source: First weights, None for fresh ones.
        fold: Of the split; None for a network that learns from all.
        half: Of the cases, for the first stage of a cascade; None for all else.
    """

    config: TrainConfig
    plan: Plan
    train: tuple[str, ...]
    validation: tuple[str, ...]
    data_revision: str
    source: Source | None = None
    fold: int | None = None
    half: int | None = None

    @property
    def name(self) -> str:
        """What people and folders call it."""
        if self.half is not None:
            return f"coarse-{self.half}"
        return "all" if self.fold is None else f"fold-{self.fold}"

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
        encoder = find_architecture(self.plan.architecture.name).encoder
        return Recipe(**values, encoder=encoder, probability_threshold=self.plan.inference.probability_threshold)
