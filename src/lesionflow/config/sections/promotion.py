"""Params of `evaluate`, `register` and `promote`: how a model is scored, under which name, and what it must hold."""

from typing import ClassVar

from lesionflow.config.sections.section import Count, Level, MadeAnew, ModelName, Section


class EvaluateConfig(Section):
    """Params of `evaluate`."""

    made_anew: ClassVar = MadeAnew.SCORES

    n_bootstrap: Count
    """Resamples of patients behind each interval."""
    confidence_level: Level
    """How sure all intervals of the report are: 0.95 for 95 %."""
    seed: int
    """Source of the resamples."""
    n_worst_cases: Count
    """How many of the worst cases the report shows as pictures."""


class RegisterConfig(Section):
    """Params of `register`."""

    made_anew: ClassVar = MadeAnew.REGISTRATION

    model_name: ModelName
    """The registered model in MLflow of which the bundle becomes a version."""


class PromoteConfig(Section):
    """Params of `promote`: the rules that a challenger must hold."""

    made_anew: ClassVar = MadeAnew.DECISION

    model_name: ModelName
    """The registered model whose champion is challenged; the same as `register.model_name`."""
    metric: str
    """The metric that decides, a name of docs/evaluation.md that has a direction, such as `dice`."""
    min_test_patients: Count
    """How many patients the test set must have at least."""
    min_score: float
    """The challenger's mean must reach it; where lower is better, must not exceed it."""
    min_gain: float
    """The lower end of the interval of the gain over the champion must lie above this."""
    confidence_level: Level
    """How sure the interval of the gain is: 0.95 for 95 %."""
    n_bootstrap: Count
    """Resamples of patients behind that interval."""
    seed: int
    """Source of the resamples."""
