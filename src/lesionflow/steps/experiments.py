"""Experiments of DVC: they are trained and evaluated like a run, and register and promote nothing."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

from lesionflow.config.change_plan import ChangePlan
from lesionflow.data.gate_decision import GateDecision
from lesionflow.io.stores.registrations import Registration
from lesionflow.registry.versions import find_version

#: What DVC (3.67, `repo/experiments/queue/base.py`) sets for the stages of `dvc exp run`, in the workspace and in a folder of its own.
NAME, BASELINE = "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"
NOT_JUDGED = "not judged"
CHAMPION = "champion"


def experiment_name(environment: Mapping[str, str] = os.environ) -> str:
    """Return the name of the experiment that this step belongs to; empty outside of one."""
    return environment.get(NAME) or environment.get(BASELINE, "")


def undecided(registration: Registration, plan: ChangePlan, experiment: str, tracking_uri: str) -> GateDecision:
    """Return what is kept of an experiment instead of a decision: nobody was judged, no score was read, and the champion stays.

    Args:
        registration: What `register` wrote.
        plan: By which it would be judged.
        experiment: Its name.
        tracking_uri: The store; it is only asked who is champion.

    Raises:
        ServiceError: When MLflow can't be reached.
    """
    found = find_version(registration.model_name, CHAMPION, tracking_uri)
    champion = found.version if found else None
    return GateDecision(
        promote=False,
        verdict=NOT_JUDGED,
        sentence=(
            f"Not judged: {experiment} is an experiment, and experiments are neither registered nor promoted. To have it judged: "
            f"dvc exp apply {experiment}, then lesionflow run."
        ),
        reasons=(),
        model_name=registration.model_name,
        challenger_version=registration.version or f"({experiment})",
        champion_version_before=champion,
        champion_version_after=champion,
        run_id=registration.run_id,
        bundle_digest=registration.bundle_digest,
        alpha=0.0,
        look=0,
        looks=plan.looks,
        claim=plan.claim,
        change_plan_version=plan.version,
        change_plan_sha256=plan.digest,
        test_set_sha256="",
        n_test_patients=0,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
