"""The bundle: what is registered and served. Plan, weights, what validation fitted, and a card of where they came from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lesionflow.data.calibration import BackendChoice, Calibration, MaskRules
from lesionflow.data.plan import Plan


class FoldCard(BaseModel):
    """The network of one fold: what it learned from, what it was judged by, and its own run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fold: int
    run_id: str
    trained_cases: tuple[str, ...]
    validation_cases: tuple[str, ...]
    validation_dice: float
    epochs: int
    stopped_by: str


class Card(BaseModel):
    """Where a bundle came from: what a passport repeats.

    `transfer` says which weights training started from and what became of each; empty when all were drawn anew.
    `folds`, where several were trained: the ensemble's members in their order, or those that came before a final network.
    `trained_cases` are then those of all; each of `validation_cases` was judged by a fold that had not learned from it.
    `coarse`: the networks of a cascade's first stage, in their order; their `fold` is the half of the cases that each learned from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lesionflow_version: str
    code_revision: str
    data_revision: str
    run_id: str
    tracking_experiment: str
    plan_sha256: str
    trained_cases: tuple[str, ...]
    validation_cases: tuple[str, ...]
    validation_dice: float
    epochs: int
    train_params: dict[str, Any]
    transfer: dict[str, Any] = Field(default_factory=dict)
    folds: tuple[FoldCard, ...] = ()
    coarse: tuple[FoldCard, ...] = ()


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained model, complete.

    Args:
        plan: Every decision from study to mask.
        weights: The network's state, by torch's parameter names.
        card: Where it came from.
        digest: sha256 over all of it as stored, or empty for a bundle that was never stored.
        calibration: What was fitted on the validation cases; None when nothing was.
        backend: What runs the network on a CPU; None where nothing was compared with PyTorch.

    Examples:
        Where nothing was fitted, probabilities stay as they are and the plan's rules stand.

        >>> from lesionflow.data.plan import InferencePlan
        >>> inference = InferencePlan(
        ...     overlap_fraction=0.5, flip_axes=(2,), probability_threshold=0.4, min_lesion_ml=0.2, fill_holes=True
        ... )
        >>> plan = Plan.model_construct(inference=inference)
        >>> bundle = Bundle(plan, {"head.bias": np.zeros(1, np.float32)}, Card.model_construct())
        >>> bundle.temperature, bundle.rules.probability_threshold, bundle.rules.smoothing_mm
        (1.0, 0.4, 0.0)
    """

    plan: Plan
    weights: dict[str, NDArray[np.generic]]
    card: Card
    digest: str = ""
    calibration: Calibration | None = None
    backend: BackendChoice | None = None

    @property
    def rules(self) -> MaskRules:
        """How probabilities become a mask: as fitted, or as the plan says."""
        return self.calibration.rules if self.calibration else MaskRules.of_plan(self.plan.inference)

    @property
    def temperature(self) -> float:
        """What logits are divided by to become calibrated."""
        return self.calibration.temperature if self.calibration else 1.0
