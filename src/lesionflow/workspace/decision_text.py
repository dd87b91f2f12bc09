"""The last lines of a run or retraining: what was decided of the new model."""

from pathlib import Path

from lesionflow.errors import ArtifactError


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
    return "\n".join(("", *decision_lines(decision), f"  All of it: {promotion.with_name('decision.html')}", ""))
