"""The change plans that ship with the package, one a preset and one for any params; how one is found. What one may hold belongs to `config.change_plan`."""

from pathlib import Path

from lesionflow.config.change_plan import CHANGE_PLAN
from lesionflow.config.presets import PRESETS

#: The made change plans, each by its preset's name.
CHANGE_PLANS = Path(__file__).resolve().parent
#: That of params which are no preset: all targets alike.
ANY = "any"


def find_change_plan(params: Path) -> Path:
    """Return the change plan that goes with a params file.

    Args:
        params: A preset's file, or somebody's own.

    Returns:
        The `change_plan.yaml` beside it, where there is one; the preset's; else one in which all targets are alike.
    """
    beside = params.with_name(CHANGE_PLAN)
    if beside.is_file():
        return beside
    own = CHANGE_PLANS / params.name
    return own if params.parent == PRESETS and own.is_file() else CHANGE_PLANS / f"{ANY}.yaml"
