"""The decision where people look for it: beside the report, and in MLflow on the pages of version and run."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lesionflow.config import Settings
from lesionflow.config.change_plan import ChangePlan
from lesionflow.data.gate_decision import GateDecision
from lesionflow.errors import ServiceError
from lesionflow.evaluation.promotion_documents.decision_page import decision_markdown, embed_decision, render_decision
from lesionflow.io.files import write_text
from lesionflow.io.stores.cases import read_dataset
from lesionflow.io.stores.evaluations import REPORT
from lesionflow.io.stores.promotions import write_decision
from lesionflow.registry.pages.descriptions import describe_run, describe_version
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import RULE_TAG, tag_version
from lesionflow.steps.promote.test_set_scoring import Scored

#: Where a run keeps its decision.
FOLDER = "decision"
SECTION = "decision"
logger = logging.getLogger(__name__)


def keep_decision(outputs: Mapping[str, Path], decision: GateDecision) -> None:
    """Write the decision for programs and for people."""
    write_decision(outputs["promotion"], decision)
    write_text(outputs["decision"], render_decision(decision))


def show_decision(
    decision: GateDecision,
    scores: Mapping[str, Scored],
    plan: ChangePlan,
    inputs: Mapping[str, Path],
    settings: Settings,
) -> None:
    """Say the decision at the version and at the run that trained it.

    It is carried out and in the ledger already: a run that was deleted, or a store that refuses now, is warned of and stops nothing.
    """
    try:
        _show_at_version(decision, settings)
        _show_at_run(decision, scores, plan, inputs, settings)
    except ServiceError as error:
        logger.warning("the decision stands, but is not shown in MLflow: %s", error)


def _show_at_version(decision: GateDecision, settings: Settings) -> None:
    name, version, uri = decision.model_name, decision.challenger_version, settings.tracking_uri
    # The rules stand in the description: a tag each makes a row of MLflow's table of versions longer than a screen.
    tag_version(name, version, _tags(decision), uri)
    describe_version(name, version, SECTION, decision_markdown(decision), uri)


def _show_at_run(
    decision: GateDecision,
    scores: Mapping[str, Scored],
    plan: ChangePlan,
    inputs: Mapping[str, Path],
    settings: Settings,
) -> None:
    tracker = Tracker(settings.tracking_uri, read_dataset(inputs["cases"]).name)
    if not tracker.has_run(decision.run_id):
        logger.warning("the run %s is not in this store: its page can't show the decision", decision.run_id or "(none)")
        return
    tracker.set_tags(decision.run_id, {**_tags(decision), **_rule_tags(decision)})
    text = decision_markdown(decision)
    describe_run(tracker, decision.run_id, SECTION, f"### Decision\n\n{text}")
    with tempfile.TemporaryDirectory(prefix="lesionflow-decision-") as temporary:
        folder = Path(temporary)
        write_decision(folder / "decision.json", decision)
        (folder / "decision.md").write_text(text, encoding="utf-8")
        (folder / "decision.html").write_text(render_decision(decision), encoding="utf-8")
        (folder / "change_plan.json").write_text(plan.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for name, one in scores.items():
            # Read and written as bytes: the digest that the decision names is of these.
            (folder / f"scores_{name.replace(' ', '_')}.csv").write_bytes(one.csv().encode())
        tracker.log_artifacts(decision.run_id, folder, FOLDER)
        report = inputs["evaluation"] / REPORT
        if report.is_file():
            (folder / REPORT).write_text(embed_decision(report.read_text(encoding="utf-8"), decision), encoding="utf-8")
            tracker.log_artifact(decision.run_id, folder / REPORT, "evaluation")


def _tags(decision: GateDecision) -> dict[str, str]:
    broken = [rule.rule for rule in decision.broken]
    tags = {
        "promotion": "promoted" if decision.promote else f"refused: {', '.join(broken)}",
        "promotion.verdict": decision.verdict,
        "promotion.change_plan_sha256": decision.change_plan_sha256,
    }
    if decision.against_champion:
        tags["against_champion"] = f"{decision.sentence} (version {decision.champion_version_before})"
    return tags


def _rule_tags(decision: GateDecision) -> dict[str, str]:
    # MLflow takes no colon in the name of a tag.
    return {
        f"{RULE_TAG}{rule.rule.replace(':', '.')}": f"{'held' if rule.held else 'not held'}: {rule.detail}"
        for rule in decision.reasons
    }
