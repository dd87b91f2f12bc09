"""The gate: whether a challenger becomes champion, by two score tables and the change plan. It moves nothing; that belongs to `registry`."""

from lesionflow.evaluation.gate.judging import judge
from lesionflow.evaluation.gate.targets import targets_between, targets_permitted
from lesionflow.evaluation.gate.verdict import Judgement, Reason, Verdict

__all__ = ["Judgement", "Reason", "Verdict", "judge", "targets_between", "targets_permitted"]
