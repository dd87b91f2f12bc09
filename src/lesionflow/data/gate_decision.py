"""A decision of the gate as it is kept and shown: in reports/promotion.json, the ledger, MLflow and every page."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class GateRule(BaseModel):
    """One rule: whether it held, in words, with its figures; `refuses` tells harm or a fault from evidence that does not suffice."""

    model_config = ConfigDict(frozen=True)

    rule: str
    held: bool
    detail: str
    figures: dict[str, float | None] = Field(default_factory=dict)
    refuses: bool = False


class TargetFigure(BaseModel):
    """A metric of a target: means over patients of both models; None where there is no champion or no figure."""

    model_config = ConfigDict(frozen=True)

    target: str
    metric: str
    challenger: float | None
    champion: float | None


class GateDecision(BaseModel):
    """What was decided of a challenger, by which plan, and why.

    `scores` are sha256 by model: of the tables of scores that the decision was taken by. `alpha` is what this look could be wrong by.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    promote: bool
    verdict: str
    sentence: str
    reasons: tuple[GateRule, ...]
    model_name: str
    challenger_version: str
    champion_version_before: str | None
    champion_version_after: str | None
    run_id: str
    bundle_digest: str
    alpha: float
    look: int
    looks: int
    claim: bool
    change_plan_version: int
    change_plan_sha256: str
    test_set_sha256: str
    n_test_patients: int
    figures: dict[str, float | None] = Field(default_factory=dict)
    targets: tuple[TargetFigure, ...] = ()
    scores: dict[str, str] = Field(default_factory=dict)
    against_champion: tuple[dict[str, Any], ...] = ()
    decided_at: str = ""

    @property
    def outcome(self) -> str:
        """What becomes of it, in a sentence."""
        who = f"version {self.challenger_version} of {self.model_name}"
        if self.promote:
            was = f"; it was version {self.champion_version_before}" if self.champion_version_before else ""
            return f"{who[0].upper()}{who[1:]} is the champion now{was}."
        stays = (
            f"Version {self.champion_version_after} stays champion"
            if self.champion_version_after
            else "There is no champion still"
        )
        return f"{stays}; {who} does not become it."

    @property
    def broken(self) -> tuple[GateRule, ...]:
        """The rules that did not hold, those that refuse first."""
        return tuple(sorted((rule for rule in self.reasons if not rule.held), key=lambda rule: not rule.refuses))
