"""Where everything lies in a workspace, and the DVC stages made from `STEPS`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lesionflow.config.change_plan import CHANGE_PLAN
from lesionflow.config.sqlite_address import sqlite_address
from lesionflow.errors import ConfigError
from lesionflow.steps import STEPS

#: Inputs and outputs of the steps by name, relative to the workspace.
PATHS: Mapping[str, str] = {
    "raw": "data/raw",
    "change_plan": CHANGE_PLAN,
    "cases": "data/cases",
    "validation": "reports/validation",
    "splits": "data/splits.json",
    "plan": "data/plan.json",
    "preprocessed": "data/preprocessed",
    "bundle": "models/candidate",
    "evaluation": "reports/evaluation",
    "registration": "reports/registration.json",
    "promotion": "reports/promotion.json",
    "decision": "reports/decision.html",
}
#: Outputs that a step reads before it writes them: cases done already, the locked test set, the plan to stay near to, scores that
#: MLflow did not take.
KEPT_BETWEEN_RUNS = ("cases", "splits", "plan", "preprocessed", "evaluation")
#: What `dvc plots show` and `dvc plots diff` lay side by side of an evaluation: pictures, as DVC's own plots are drawn by scripts
#: that a page loads from another server, and are blank where there is none.
PLOTS = (f"{PATHS['evaluation']}/plots",)
#: The file that makes a folder a workspace, and that of its runs and models.
STAGES, STORE = "dvc.yaml", "mlflow.db"
HEADER = "# Made from lesionflow.steps.STEPS by `lesionflow init`; a test checks that it is current.\n"


def require_workspace(folder: Path) -> None:
    """Refuse a folder that is no workspace.

    Raises:
        ConfigError: When it holds no `dvc.yaml`.
    """
    if not (folder / STAGES).exists():
        raise ConfigError(
            f"Expected a workspace at {folder.resolve()}, found no {STAGES}. Make one with `lesionflow init DIR --preset NAME`, "
            "or name the one that is meant with --workdir."
        )


def store_uri(folder: Path) -> str:
    """Return the tracking URI of a workspace's own MLflow store."""
    return sqlite_address((folder / STORE).resolve())


def step_command(name: str) -> str:
    """Return the command line of a step in a workspace."""
    step = STEPS[name]
    options = " ".join(f"--{key} {PATHS[key]}" for key in (*step.inputs, *step.outputs))
    return f"lesionflow {name} --params params.yaml {options}"


def dvc_yaml() -> str:
    """Return the text of a workspace's `dvc.yaml`: one stage a step."""
    stages: dict[str, Any] = {}
    for name, step in STEPS.items():
        outs = [{PATHS[key]: {"persist": True}} if key in KEPT_BETWEEN_RUNS else PATHS[key] for key in step.outputs]
        stages[name] = {
            "cmd": step_command(name),
            "desc": step.summary,
            "deps": [PATHS[key] for key in step.inputs],
            "params": [name],
            "outs": outs,
        }
    content = {"stages": stages, "metrics": [f"{PATHS['evaluation']}/headline.json"], "plots": list(PLOTS)}
    return HEADER + yaml.safe_dump(content, sort_keys=False, width=160)


def step_paths(name: str, root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return a step's input and output paths in a workspace."""
    step = STEPS[name]
    return {key: root / PATHS[key] for key in step.inputs}, {key: root / PATHS[key] for key in step.outputs}
