"""A change plan for tests of the gate, whose parts a test changes by name."""

import json
from pathlib import Path
from typing import Any

from lesionflow.config.change_plan import CHANGE_PLAN, ChangePlan


def change_plan(**changes: Any) -> ChangePlan:
    """Return a plan of one endpoint, Dice of all targets, with the parts that a test names put in."""
    values: dict[str, Any] = {
        "version": 1,
        "what_may_change": ["data", "training"],
        "primary": {"metric": "dice", "target": "all", "min_gain": 0.0},
        "noninferiority": [{"metric": "dice", "target": "all", "margin": 0.03}],
        "floors": [{"metric": "dice", "target": "all", "min_score": 0.3}],
        "min_test_patients": 8,
        "claim": True,
        "alpha": 0.025,
        "looks": 20,
        "subgroups": {"columns": ["sex"], "min_patients": 10, "margin": 0.05},
        "safety": {
            "large_lesion_ml": 10.0,
            "max_new_misses_alpha": 0.05,
            "catastrophic_fall": 0.3,
            "max_catastrophic_fraction": 0.1,
        },
        "noninferior_may_enter": False,
        "unsigned_bundles": "allowed",
        "may_override": [],
        "first_authorized_version": None,
        "creep_margin": 0.05,
    }
    return ChangePlan.model_validate({**values, **changes})


def write_demonstration_plan(folder: Path, **changes: Any) -> Path:
    """Write a plan that claims nothing and lets any first model in: what is tested there is the way, not the score."""
    may = ["data", "training", "plan", "preprocessing"]
    plan = change_plan(**{"claim": False, "min_test_patients": 1, "floors": [], "what_may_change": may, **changes})
    path = folder / CHANGE_PLAN
    # JSON is YAML.
    path.write_text(json.dumps(plan.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    return path
