"""The study that is being read: what it may cost, and what is known of it so far.

Who reads a study opens `study_budget`; readers ask `volume_cost` what a header claims, and that asks here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from lesionflow.config import StudyLimits, load_study_limits


@dataclass
class StudyBudget:
    """What is known of the study that is being read.

    Args:
        limits: What is allowed.
        model_spacing_mm: Of the model that it is read for; None along an axis that keeps the study's own.
        n_voxels: Of its largest image so far: no mask of it has more.
        is_mask: Whether a mask is being read.
    """

    limits: StudyLimits
    model_spacing_mm: tuple[float | None, ...] | None = None
    n_voxels: int = field(default=0)
    is_mask: bool = field(default=False)


_budget: ContextVar[StudyBudget | None] = ContextVar("lesionflow_study_budget", default=None)


@contextmanager
def study_budget(model_spacing_mm: tuple[float | None, ...] | None = None) -> Iterator[StudyBudget]:
    """Keep count of one study, in this thread, as long as the context is open.

    Args:
        model_spacing_mm: Of the model that it is read for.

    Yields:
        What is known of it.

    Raises:
        ConfigError: When a limit in the environment is none.
    """
    budget = StudyBudget(load_study_limits(), model_spacing_mm)
    token = _budget.set(budget)
    try:
        yield budget
    finally:
        _budget.reset(token)


@contextmanager
def reading_mask() -> Iterator[None]:
    """Judge what is read as a mask: it may be packed to next to nothing, and reaches beyond its image by a border at most."""
    budget = current_budget()
    token = _budget.set(budget)
    before, budget.is_mask = budget.is_mask, True
    try:
        yield
    finally:
        budget.is_mask = before
        _budget.reset(token)


def current_budget() -> StudyBudget:
    """Return the budget of the study that is being read; outside `study_budget` a fresh one."""
    return _budget.get() or StudyBudget(load_study_limits())
