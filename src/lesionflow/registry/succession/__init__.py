"""How one champion follows another, by the ledger: decided, carried out, undone, rolled back. Whether it should belongs to `evaluation.gate`."""

from lesionflow.registry.succession.history import (
    FOUND,
    Reign,
    bars,
    champion_by_ledger,
    decision_of,
    describe_bar,
    digest_by_ledger,
    history,
    learned_from_withdrawn,
    reason_of,
    refusals,
    unfinished,
)
from lesionflow.registry.succession.ledger_agreement import hold_against_ledger
from lesionflow.registry.succession.moves import fetch_known
from lesionflow.registry.succession.overrides import lift, promote_by_hand
from lesionflow.registry.succession.rollbacks import roll_back
from lesionflow.registry.succession.settling import current_champion, settle
from lesionflow.registry.succession.told_pages import tell_pages
from lesionflow.registry.succession.transactions import carry_out
from lesionflow.registry.succession.verification import VersionFinding, verify_versions
from lesionflow.registry.succession.version_events import VersionEvent, version_events

__all__ = [
    "FOUND",
    "Reign",
    "VersionEvent",
    "VersionFinding",
    "bars",
    "carry_out",
    "champion_by_ledger",
    "current_champion",
    "decision_of",
    "describe_bar",
    "digest_by_ledger",
    "fetch_known",
    "history",
    "hold_against_ledger",
    "learned_from_withdrawn",
    "lift",
    "promote_by_hand",
    "reason_of",
    "refusals",
    "roll_back",
    "settle",
    "tell_pages",
    "unfinished",
    "verify_versions",
    "version_events",
]
