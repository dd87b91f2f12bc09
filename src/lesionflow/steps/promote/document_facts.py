"""What the ledger and the split say for the change plan's document: decisions, champion, test set, looks."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lesionflow.config.change_plan import ChangePlan
from lesionflow.data.gate_decision import GateDecision
from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.evaluation.promotion_documents.change_plan_document import Surroundings
from lesionflow.evaluation.promotion_documents.decisions_taken import TakenDecision
from lesionflow.evaluation.statistics.test_set_looks import looks_spent
from lesionflow.io.stores.ledger import ledger_path, read_ledger
from lesionflow.io.stores.splits import read_split
from lesionflow.registry.succession import champion_by_ledger, history, reason_of
from lesionflow.steps.promote.test_set_scoring import open_test_set

#: Who stands for what no person decided.
NAMELESS = {EntryKind.UNDONE: "lesionflow", EntryKind.CHAMPION: "not known"}


def decisions_of(splits: Path, model_name: str) -> tuple[GateDecision, ...]:
    """Return the gate's decisions about a model, oldest first.

    Args:
        splits: The split, beside which the ledger lies.
        model_name: The registered model.

    Raises:
        ArtifactError: When the ledger was altered.
    """
    entries = (one for one in read_ledger(ledger_path(splits)) if one.facts.get("model_name") == model_name)
    return tuple(decision for entry in entries if (decision := _by_gate(entry)) is not None)


def decisions_taken(splits: Path, model_name: str) -> tuple[TakenDecision, ...]:
    """Return what decided who is or may be champion of a model, by the gate and by people, oldest first.

    Args:
        splits: The split, beside which the ledger lies.
        model_name: The registered model.

    Raises:
        ArtifactError: When the ledger was altered.
    """
    return tuple(_taken(read_ledger(ledger_path(splits)), model_name))


def _by_gate(entry: LedgerEntry) -> GateDecision | None:
    if entry.kind is not EntryKind.DECISION:
        return None
    try:
        return GateDecision.model_validate(
            {key: entry.facts[key] for key in GateDecision.model_fields if key in entry.facts}
        )
    except ValidationError:
        return None  # made by hand: it has no verdict


def _taken(entries: Sequence[LedgerEntry], model_name: str) -> Iterator[TakenDecision]:
    ended = {entry.facts["of"]: entry.kind for entry in entries if entry.facts.get("of")}
    for entry in entries:
        facts = entry.facts
        if facts.get("model_name") != model_name or (words := _in_words(entry, ended.get(entry.sha256))) is None:
            continue
        one = TakenDecision(
            entry.at,
            str(facts.get("version", "")),
            str(facts.get("before") or ""),
            *words,
            by=str(facts.get("name") or NAMELESS.get(entry.kind, "nobody named")),
            why=reason_of(facts) or "no reason was told",
        )
        gate = _by_gate(entry)
        if gate is None:
            yield one
            continue
        yield one._replace(
            version=gate.challenger_version,
            before=gate.champion_version_before or "",
            decision=f"by the gate: {gate.verdict}",
            by="the gate",
            why=" ".join(rule.detail for rule in gate.broken) or gate.sentence,
            look=f"{gate.look} of {gate.looks}" if gate.look else "",
            change_plan_version=gate.change_plan_version,
            change_plan_sha256=gate.change_plan_sha256,
        )


def _in_words(entry: LedgerEntry, end: EntryKind | None) -> tuple[str, str] | None:
    """Return what was decided, and what became of it; None for an entry that decides nothing of champions."""
    facts = entry.facts
    carried_out = {EntryKind.CHAMPION: "became champion", EntryKind.UNDONE: "not carried out"}
    became = "begun, not ended" if end is None else carried_out.get(end, "")
    words = {
        EntryKind.DECISION: ("promotion by hand", became if facts.get("promote", True) else "did not become champion"),
        EntryKind.ROLLBACK: ("rollback", f"{became}; version {facts.get('before') or 'none'} is barred"),
        EntryKind.UNDONE: ("a change is undone", "did not become champion"),
        EntryKind.BARRED: ("barred", "may not become champion"),
        EntryKind.LIFTED: ("bar lifted", "may become champion again"),
    }
    if not facts.get("of"):
        # One that ends a change is told of with what began it.
        words[EntryKind.CHAMPION] = ("found as champion", "is champion by no decision of this ledger")
    return words.get(entry.kind)


def surroundings(plan: ChangePlan, params: Mapping[str, Mapping[str, Any]], splits: Path, cases: Path) -> Surroundings:
    """Gather what the document says beside the plan.

    Args:
        plan: The change plan.
        params: Of the workspace.
        splits: The split; it may not be made yet.
        cases: The cases; they may not be made yet.

    Raises:
        ArtifactError: When the ledger was altered, or split or cases can't be read.
    """
    ingest, name = params["ingest"], str(params["promote"]["model_name"])
    entries = read_ledger(ledger_path(splits))
    reigns = history(entries, name)
    first = plan.first_authorized_version or (reigns[0].version if reigns else "")
    about = Surroundings(
        model_name=name,
        dataset=str(ingest["dataset_name"]),
        targets=tuple(ingest["regions"] or ingest["labels"]),
        champion=champion_by_ledger(entries, name) or "",
        first_authorized=first,
    )
    if not splits.exists() or not cases.exists():
        return about
    test_set = open_test_set(cases, splits, read_split(splits))
    spent = looks_spent(entries, test_set.sha256, test_patients=test_set.patients)
    return Surroundings(
        **{
            **about.__dict__,
            "n_test_patients": len(test_set.patients),
            "test_set_sha256": test_set.sha256,
            "looks_spent": spent,
        }
    )
