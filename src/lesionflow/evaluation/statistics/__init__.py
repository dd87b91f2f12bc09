"""How sure a figure is: tests, intervals, bounds and power, by patient. Only arrays and plain tables; what a model must hold belongs to `gate`.

The gate, the report, `compare` and every sentence take their figures from here, so that they never say different things of one difference.
"""

from lesionflow.evaluation.statistics.bootstrap import (
    UNDEFINED,
    Estimate,
    bootstrap_weights,
    estimate_means,
    estimate_rate,
    estimate_share,
    percentile_interval,
)

__all__ = [
    "UNDEFINED",
    "Estimate",
    "bootstrap_weights",
    "estimate_means",
    "estimate_rate",
    "estimate_share",
    "percentile_interval",
]
