"""Params of `evaluate`, `register` and `promote`: how a model is scored, and under which name."""

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
    """Params of `promote`: which model is challenged. What a challenger must show stands in change_plan.yaml."""

    made_anew: ClassVar = MadeAnew.DECISION

    model_name: ModelName
    """The registered model whose champion is challenged; the same as `register.model_name`."""
    confidence_level: Level
    """How sure the intervals shown beside the decision are; what decides is the change plan's alpha."""
