"""Which change plan lay in the workspace when a model's figures on the test set became known: it is noted with the read."""

from pathlib import Path

from lesionflow.config.change_plan import CHANGE_PLAN, read_change_plan, require_fitting
from lesionflow.data.bundle import Bundle
from lesionflow.data.dataset import CASE_COLUMNS
from lesionflow.errors import ConfigError
from lesionflow.metrics import ORDERED_METRICS


def plan_in_sight(splits: Path, bundle: Bundle) -> dict[str, str | int]:
    """Return version and digest of the change plan beside the split or its folder; nothing where none lies there that could judge the model.

    Args:
        splits: The split; `data/splits.json` of a workspace. A pod has no plan beside it.
        bundle: The model.
    """
    for folder in (splits.parent, splits.parent.parent):
        if not (folder / CHANGE_PLAN).is_file():
            continue
        try:
            plan = read_change_plan(folder / CHANGE_PLAN)
            require_fitting(plan, (target.name for target in bundle.plan.targets), ORDERED_METRICS, CASE_COLUMNS)
        except ConfigError:
            # It is mended before anybody is judged by it.
            return {}
        return {"change_plan_version": plan.version, "change_plan_sha256": plan.digest}
    return {}
