"""The change plan: what a retrained model may change, and what it must show to become champion, said before it is trained.

It is data, versioned beside params.yaml. Params say how a model is made; the change plan says by what it is judged. Its parts are those of a
predetermined change control plan: `what_may_change` describes the modifications, the endpoints, margins, alpha and looks are the protocol by
which each is verified, and `safety`, `subgroups` and `creep_margin` bound the harm that the assessment of impact speaks of.

References:
    FDA, Marketing Submission Recommendations for a Predetermined Change Control Plan for AI-Enabled Device Software Functions, 2024.
    Regulation (EU) 2024/1689 (AI Act), article 43(4) and annex IV, 2(f): changes that were determined beforehand.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lesionflow.config.loading import read_section
from lesionflow.config.names import did_you_mean
from lesionflow.config.sections.section import Count, Fraction, Level, NotNegative, Section
from lesionflow.errors import ConfigError

CHANGE_PLAN = "change_plan.yaml"
#: Stands for the targets of a model: each for itself in floors and non-inferiority, a patient's mean over them in the primary endpoint.
ALL_TARGETS = "all"
#: With fewer, the smallest p-value of an exact test by patient is 1 of 128 and a single patient decides: no claim is made.
LEAST_PATIENTS_OF_A_CLAIM = 8
Name = Annotated[str, Field(min_length=1)]


class Change(StrEnum):
    """What may differ between a champion and its successor."""

    DATA = "data"
    TRAINING = "training"
    PLAN = "plan"
    ARCHITECTURE = "architecture"
    PREPROCESSING = "preprocessing"
    TARGETS = "targets"


class PrimaryEndpoint(Section):
    """In what a challenger must be better than the champion."""

    metric: Name
    """A metric of docs/evaluation.md that has a direction, such as `dice`."""
    target: Name
    """One target of the model, or `all`: then a patient's mean over all targets."""
    min_gain: NotNegative
    """The gain, in the metric's unit and its better direction, that the challenger must be shown to exceed. 0: any gain."""


class NonInferiority(Section):
    """In what a challenger must not be worse than the champion by more than a margin."""

    metric: Name
    """A metric that has a direction."""
    target: Name
    """One target, or `all`: then each target for itself."""
    margin: NotNegative
    """How much worse is still acceptable, in the metric's unit; it must be shown that the loss is smaller."""


class Floor(Section):
    """What each champion, the first one too, must reach."""

    metric: Name
    """A metric that has a direction."""
    target: Name
    """One target, or `all`: then each target for itself."""
    min_score: float
    """The mean over patients that is needed at least; at most, where lower is better."""


class Subgroups(Section):
    """Groups of patients that must not pay for the others' gain."""

    columns: list[Name]
    """Columns of the case table by which patients are grouped, such as `sex`, `manufacturer` or `site`."""
    min_patients: Count
    """A group of at least so many patients is judged by itself; a smaller one is pulled towards the others' mean."""
    margin: NotNegative
    """How much worse in the primary metric a group may be than under the champion."""


class Safety(Section):
    """What no gain of a mean pays for."""

    large_lesion_ml: NotNegative
    """Lesions of this volume and more are large: missing one that the champion found is counted."""
    max_new_misses_alpha: Level
    """Large lesions newly missed are too many where the exact one-sided test of McNemar gives a p below this."""
    catastrophic_fall: Fraction
    """A case whose Dice falls by more than this is lost."""
    max_catastrophic_fraction: Fraction
    """The share of patients with a lost case must be shown to be below this: its exact upper bound is held against it."""


class ChangePlan(Section):
    """A whole change_plan.yaml; every key is required."""

    version: Count
    """The plan's own number: raise it with each change of the plan, before a model is judged by it."""
    what_may_change: list[Change]
    """What a retrained model may change: `data` (other or more cases), `training` (params of `train`), `plan` (patch, inference and mask rules),
    `architecture`, `preprocessing` (spacing, intensities, channels), `targets`. Any other change is refused and needs a new plan."""
    primary: PrimaryEndpoint
    """The endpoint that is claimed."""
    noninferiority: list[NonInferiority]
    """All else that is watched; each entry must hold, so that no alpha is shared among them (intersection-union)."""
    floors: list[Floor]
    """What each champion must reach, the first one too."""
    min_test_patients: Count
    """How many patients the locked test set must have at least; 8 or more where a claim is made."""
    claim: bool
    """Whether a promotion claims that the model is better. `false` for demonstrations: fewer patients suffice, and every decision says that
    nothing is claimed."""
    alpha: Annotated[float, Field(gt=0.0, le=0.2)]
    """The chance that is accepted, over all looks together, that a challenger which is no better replaces the champion."""
    looks: Annotated[int, Field(ge=1, le=1000)]
    """How often the locked test set may decide. Each decision spends a part of alpha; when all are spent, fresh test patients are needed."""
    subgroups: Subgroups
    """Groups that are judged for themselves."""
    safety: Safety
    """Bounds on harm."""
    noninferior_may_enter: bool
    """Whether a challenger that learned from newer data, and is shown to be no worse, becomes champion without a shown gain."""
    unsigned_bundles: Literal["refused", "allowed"]
    """Whether a bundle without a trusted signature may become champion."""
    may_override: list[Name]
    """Who may make a version champion by hand, as they name themselves. Empty: anybody who gives a name and a reason."""
    first_authorized_version: Name | None
    """The version that was first authorized for use. Each later champion is held against it too, so that many small losses do not add up. null:
    the first champion of the ledger."""
    creep_margin: NotNegative
    """How much worse than the first authorized version a champion may become in the primary metric."""

    @model_validator(mode="after")
    def _claims_need_patients(self) -> Self:
        if self.claim and self.min_test_patients < LEAST_PATIENTS_OF_A_CLAIM:
            raise ValueError(
                f"expected min_test_patients of at least {LEAST_PATIENTS_OF_A_CLAIM} where a claim is made, found "
                f"{self.min_test_patients}; with `claim: false` fewer are taken, and decisions say that nothing is claimed"
            )
        return self

    @property
    def digest(self) -> str:
        """sha256 of the plan's values: of what it says, however the file is written."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that the plan names, the primary one first, each once."""
        return tuple(dict.fromkeys(entry.metric for _, entry in _entries(self)))


def read_change_plan(path: Path) -> ChangePlan:
    """Read a change plan.

    Args:
        path: Its file, `change_plan.yaml` beside params.yaml.

    Returns:
        The frozen plan.

    Raises:
        ConfigError: When there is none, or it does not fit; the message lists each key that is missing, unknown or out of range.
    """
    if not path.is_file():
        raise ConfigError(
            f"Expected the change plan {CHANGE_PLAN} at {path}, found nothing there: it says what a new model must show before it replaces the "
            "champion. `lesionflow change-plan make --workdir DIR` lays that of your preset beside params.yaml; look at it before a model is judged "
            "by it."
        )
    return read_section(path, ChangePlan, "change plan", "`lesionflow change-plan make` writes one.")


def require_fitting(
    plan: ChangePlan, targets: Iterable[str], spans: Mapping[str, tuple[float, float]], columns: Iterable[str]
) -> None:
    """Refuse a plan that speaks of what there is not, or whose margins and floors no score can pass or fail: such a rule would hold for ever.

    Args:
        plan: The plan.
        targets: What the model finds.
        spans: Every metric that has a direction, with the least and the greatest value that it may have.
        columns: Those of the case table.

    Raises:
        ConfigError: Naming each key that does not fit, with what was probably meant.
    """
    known, named = (ALL_TARGETS, *targets), tuple(columns)
    faults = []
    for where, entry in _entries(plan):
        faults += _unknown(f"{where}.target", entry.target, known) + _unknown(f"{where}.metric", entry.metric, spans)
    for number, column in enumerate(plan.subgroups.columns):
        faults += _unknown(f"subgroups.columns.{number}", column, named)
    for where, metric, value, is_place in _amounts(plan):
        low, high = spans.get(metric, (-math.inf, math.inf))
        least, most = (low, high) if is_place else (0.0, high - low)
        if value < least or (value > most if is_place else value >= most):
            bound = f"{least:g} to {most:g}" if is_place else f"less than {most:g}"
            faults.append(f"  {where}: expected {bound}, as {metric} lies in {low:g} to {high:g}, found {value:g}.")
    if faults:
        raise ConfigError(
            f"{CHANGE_PLAN} does not fit the model; mend these {len(faults)} entries:\n" + "\n".join(faults)
        )


def _unknown(where: str, name: str, known: Iterable[str]) -> list[str]:
    names = tuple(known)
    hint = did_you_mean(name, names)
    return [] if name in names else [f"  {where}: expected one of {', '.join(names)}, found {name!r}.{hint}"]


def _amounts(plan: ChangePlan) -> list[tuple[str, str, float, bool]]:
    """Return every margin and floor with its metric, and whether it is a place on the metric's scale or a length of it."""
    metric = plan.primary.metric
    return [
        ("primary.min_gain", metric, plan.primary.min_gain, False),
        ("subgroups.margin", metric, plan.subgroups.margin, False),
        ("creep_margin", metric, plan.creep_margin, False),
        *((f"noninferiority.{n}.margin", one.metric, one.margin, False) for n, one in enumerate(plan.noninferiority)),
        *((f"floors.{n}.min_score", one.metric, one.min_score, True) for n, one in enumerate(plan.floors)),
    ]


def _entries(plan: ChangePlan) -> list[tuple[str, PrimaryEndpoint | NonInferiority | Floor]]:
    return [
        ("primary", plan.primary),
        *((f"noninferiority.{n}", margin) for n, margin in enumerate(plan.noninferiority)),
        *((f"floors.{n}", floor) for n, floor in enumerate(plan.floors)),
    ]
