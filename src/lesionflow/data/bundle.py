"""The bundle: what is registered and served. Plan, weights, what validation fitted, and a card of where they came from."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lesionflow.data.calibration import BackendChoice, Calibration, MaskRules
from lesionflow.data.plan import Plan
from lesionflow.data.seal import Seal

#: First digits of the sha256 of published weights that learned from ImageNet's photographs, so from no patient: torchvision's ResNet-18,
#: -34, -50, -101 and -152, lukemelas' EfficientNet-b0 to -b7. Each stands in the file's own published name.
OF_PHOTOGRAPHS = (
    "5c106cde", "333f7ec4", "19c8e357", "5d3b4d8f", "b121ed2d", "f37072fd", "b627a593", "0676ba61", "11ad3fa6", "63fe2227", "cd907fc2", "394f9c45", "f82ba261",
    "355c32eb", "f1951068", "8bb594d6", "5fb5a3c3", "6ed6700e", "b6417697", "c76e70fd", "dcc49843",
)  # fmt: skip


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


class Ancestor(BaseModel):
    """A model that a training started from: what the weights had learned from before.

    `cases_known` is false for published weights, which tell nothing of their cases.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    digest: str
    learned_cases: tuple[str, ...]
    cases_known: bool

    @property
    def may_know_patients(self) -> bool:
        """Tell whether it may have learned from patients whom nobody can name."""
        return not self.cases_known and not self.digest.startswith(OF_PHOTOGRAPHS)


class Card(BaseModel):
    """Where a bundle came from: what a passport repeats.

    `transfer` says which weights training started from and what became of each; empty when all were drawn anew.
    `folds`, where several were trained: the ensemble's members in their order, or those that came before a final network.
    `trained_cases` are then those of all; each of `validation_cases` was judged by a fold that had not learned from it.
    `coarse`: the networks of a cascade's first stage, in their order; their `fold` is the half of the cases that each learned from.
    `learned_from`: how `trained_cases` are known, of a model that others trained: by its own files, by somebody's word, or not as a whole.
    `ancestors`: the model that training started from, and those that it had started from; of bundles made before there was this list
    `transfer` alone tells the first.
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
    learned_from: Literal["recorded", "stated", "unknown"] = "recorded"
    ancestors: tuple[Ancestor, ...] = ()

    @property
    def line(self) -> tuple[Ancestor, ...]:
        """What training started from, and what that had started from; of a card without that list one of which nothing is known."""
        if self.ancestors or not self.transfer:
            return self.ancestors
        source, digest = (str(self.transfer.get(key, "")) for key in ("source", "digest"))
        return (Ancestor(source=source or "an unnamed model", digest=digest, learned_cases=(), cases_known=False),)

    @property
    def learned_cases(self) -> tuple[str, ...]:
        """Every case that its networks were trained, stopped or fitted on, those of its ancestors apart."""
        cards: tuple[Card | FoldCard, ...] = (self, *self.folds, *self.coarse)
        return tuple(sorted({case for card in cards for case in (*card.trained_cases, *card.validation_cases)}))


@dataclass(frozen=True, eq=False)
class GoldenCase:
    """A small input whose answer is known: by it a model is told from one that answers otherwise elsewhere.

    Args:
        image: float16 (channel, slice, row, column) in model space; made by chance, of nobody.
        probabilities: float16 (target, slice, row, column), as the network gave them.
        masks: bool (target, slice, row, column): where they reach the threshold of the bundle's rules.
    """

    image: NDArray[np.float16]
    probabilities: NDArray[np.float16]
    masks: NDArray[np.bool_]


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
        golden: Small inputs with the network's answers; none in bundles made before there were any.
        seal: Who vouches for the files it was read from; nobody for a bundle that was never stored.

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
    golden: tuple[GoldenCase, ...] = ()
    seal: Seal = field(default_factory=Seal)

    @property
    def rules(self) -> MaskRules:
        """How probabilities become a mask: as fitted, or as the plan says."""
        return self.calibration.rules if self.calibration else MaskRules.of_plan(self.plan.inference)

    @property
    def temperature(self) -> float:
        """What logits are divided by to become calibrated."""
        return self.calibration.temperature if self.calibration else 1.0
