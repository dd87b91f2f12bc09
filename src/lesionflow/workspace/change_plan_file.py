"""The change plan of a workspace: laid beside its params once, never over what somebody edited."""

import shutil
from pathlib import Path

from lesionflow.config import load_params
from lesionflow.config.change_plan import CHANGE_PLAN, ChangePlan, read_change_plan, require_fitting
from lesionflow.config.presets import PRESETS
from lesionflow.config.presets.change_plans import CHANGE_PLANS, find_change_plan
from lesionflow.data.dataset import CASE_COLUMNS
from lesionflow.io.files import replacing_file
from lesionflow.workspace.params_file import PARAMS, name_preset


def take_change_plan(folder: Path, params: Path) -> str:
    """Lay the change plan that goes with a params file into a workspace.

    One that is there stays, unless it is one of the package's own, as it came: then it follows the params.

    Args:
        folder: The workspace.
        params: The preset, or somebody's own params file.

    Returns:
        What was done, in a sentence; empty where nothing had to be.

    Raises:
        ConfigError: When a change plan beside somebody's own params does not fit.
    """
    path, source = folder / CHANGE_PLAN, find_change_plan(params)
    if path.exists() and (
        path.samefile(source) or is_own_change_plan(path) or path.read_bytes() == source.read_bytes()
    ):
        return ""
    read_change_plan(source)
    with replacing_file(path) as partial:
        shutil.copyfile(source, partial)
    if source.parent != CHANGE_PLANS:
        return f"{CHANGE_PLAN} is {source}"
    return (
        f"{CHANGE_PLAN} is that of the preset {source.stem}"
        if source.stem == params.stem
        else (f"{CHANGE_PLAN} takes all targets alike, as your params are no preset: look at its margins and floors")
    )


def make_change_plan(folder: Path) -> str:
    """Lay a change plan into a workspace that was made before there were any, by what its params are.

    Returns:
        What was done, in a sentence; empty where there is one.

    Raises:
        ConfigError: When the params can't be read.
    """
    if (folder / CHANGE_PLAN).exists():
        return ""
    params = folder / PARAMS
    load_params(params)
    return take_change_plan(folder, PRESETS / f"{name_preset(params)}.yaml" if name_preset(params) else params)


def is_own_change_plan(path: Path) -> bool:
    """Tell whether a change plan is another than those that ship with the package."""
    return path.read_bytes() not in {shipped.read_bytes() for shipped in CHANGE_PLANS.glob("*.yaml")}


def read_fitting_plan(folder: Path) -> ChangePlan:
    """Read a workspace's change plan and hold it against its params, before anything is trained.

    Raises:
        ConfigError: When there is none, or it speaks of targets or metrics that there are not.
    """
    # Numbers take their time to load, and the command line lists its commands without.
    from lesionflow.metrics import ORDERED_METRICS

    plan = read_change_plan(folder / CHANGE_PLAN)
    ingest = load_params(folder / PARAMS)["ingest"]
    require_fitting(plan, ingest["regions"] or ingest["labels"], ORDERED_METRICS, CASE_COLUMNS)  # type: ignore[arg-type]
    return plan
