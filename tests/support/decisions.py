"""A decision of the gate, whose parts a test changes by name."""

from typing import Any

from lesionflow.data.gate_decision import GateDecision, GateRule, TargetFigure


def decision(**changes: Any) -> GateDecision:
    """Return the decision that version 2 does not replace version 1."""
    values: dict[str, Any] = {
        "promote": False,
        "verdict": "refused",
        "sentence": "Refused: it does not become champion. Too low.",
        "reasons": (
            GateRule(
                rule="better_than_champion", held=False, detail="A gain of +0.01 is not shown.", figures={"gain": 0.01}
            ),
            GateRule(rule="floor:tumor:dice", held=False, detail="Too low.", refuses=True),
            GateRule(rule="look_budget", held=True, detail="Look 2 of 20 | fine."),
        ),
        "model_name": "lesionflow-knees",
        "challenger_version": "2",
        "champion_version_before": "1",
        "champion_version_after": "1",
        "run_id": "r1",
        "bundle_digest": "b" * 64,
        "alpha": 0.004,
        "look": 2,
        "looks": 20,
        "claim": True,
        "change_plan_version": 3,
        "change_plan_sha256": "c" * 64,
        "test_set_sha256": "e" * 64,
        "n_test_patients": 16,
        "targets": (TargetFigure(target="tumor", metric="dice", challenger=0.71, champion=0.7),),
        "scores": {"challenger": "f" * 64},
        "decided_at": "2024-05-06T07:08:09+00:00",
    }
    return GateDecision.model_validate({**values, **changes})
