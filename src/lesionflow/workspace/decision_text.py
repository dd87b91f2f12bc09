"""The last lines of a run or retraining: what was decided of the new model."""

from pathlib import Path

from lesionflow.data.gate_decision import GateDecision
from lesionflow.errors import ArtifactError
from lesionflow.workspace.layout import PATHS, STAGES


def decision_text(promotion: Path) -> str:
    """Say a decision in lines; nothing where there is none, or one of an older version.

    Args:
        promotion: What the step `promote` wrote.
    """
    from lesionflow.evaluation.promotion_documents.decision_page import decision_lines
    from lesionflow.io.stores.promotions import read_decision

    try:
        decision = read_decision(promotion)
    except (ArtifactError, FileNotFoundError):
        return ""
    last = f"  All of it: {promotion.with_name('decision.html')}"
    return "\n".join(("", *decision_lines(decision), *_bar(promotion, decision), last, ""))


def _bar(promotion: Path, decision: GateDecision) -> tuple[str, ...]:
    """Say that the champion which stays is barred, by the ledger of the workspace in which the decision lies."""
    from lesionflow.io.stores.ledger import ledger_path, read_ledger
    from lesionflow.registry.succession.history import bars, describe_bar

    root = next((folder for folder in promotion.resolve().parents if (folder / STAGES).exists()), None)
    champion = decision.champion_version_after
    if root is None or decision.promote or champion is None:
        return ()
    try:
        entry = bars(read_ledger(ledger_path(root / PATHS["splits"])), decision.model_name).get(champion)
    except ArtifactError:
        return ()
    if entry is None:
        return ()
    return (
        f"  The champion that stays is barred: {describe_bar(champion, entry)} `lesionflow models rollback --name NAME --reason REASON` goes to the one before it.",
    )
