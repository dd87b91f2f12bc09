"""What the gate says: a verdict, each rule with its reason, and how that reads in a sentence."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

#: Names in one sentence.
MOST_NAMED = 5


class Verdict(StrEnum):
    """What the evidence says of a challenger."""

    FIRST = "first"
    SUPERIOR = "superior"
    NON_INFERIOR = "non-inferior"
    CANT_TELL = "can't tell"
    WORSE = "worse"
    REFUSED = "refused"


class Reason(NamedTuple):
    """One rule: whether it held, in words, and with its figures.

    Where a rule did not hold, `refuses` tells harm or a fault, by which the verdict is `refused`, from evidence that does not suffice.
    """

    rule: str
    held: bool
    detail: str
    figures: dict[str, float]
    refuses: bool = False


class Judgement(NamedTuple):
    """The verdict, every rule, held or not, and what was spent on it.

    `alpha` is what this look, number `look`, may be wrong by; 0 where the budget is spent. `figures` are those of the primary endpoint:
    `gain`, `gain_low`, `gain_high` (the interval of 1 - 2 alpha, of alpha of the plan where none is left), `p`, `n_patients`.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    promote: bool
    alpha: float
    look: int
    figures: Mapping[str, float]

    @property
    def level(self) -> float:
        """The level of two-sided intervals and tests that never contradict a promotion: 1 - 2 alpha, 0.95 where this look has no alpha."""
        return 1.0 - 2.0 * self.alpha if self.alpha else 0.95

    @property
    def broken(self) -> tuple[Reason, ...]:
        """The rules that did not hold, those that refuse first."""
        return tuple(sorted((r for r in self.reasons if not r.held), key=lambda reason: not reason.refuses))

    def sentence(self) -> str:
        """Say it for people: the verdict, what becomes of it, and why."""
        ends = "becomes champion" if self.promote else "does not become champion"
        why = self.broken or tuple(r for r in self.reasons if r.rule == "better_than_champion")
        return f"{self.verdict.value.capitalize()}: it {ends}. {' '.join(reason.detail for reason in why)}".strip()


def some_of(names: Sequence[str]) -> str:
    """Return names for a sentence: the first few, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
