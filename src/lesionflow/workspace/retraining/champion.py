"""What a retraining asks of the present champion before it trains: its plan, what it learned from, how its patients scatter."""

import hashlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from lesionflow.config import Settings
from lesionflow.config.change_plan import ChangePlan
from lesionflow.config.sqlite_address import sqlite_file
from lesionflow.data.bundle import Bundle
from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.errors import ArtifactError
from lesionflow.registry.evaluations import fetch_evaluation, read_run_file
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.versions import CHAMPION, RegisteredVersion, find_version, list_versions
from lesionflow.workspace.retraining.forecast import Scatter, scatter_of

#: Decisions whose scores are fetched to say what can be shown: each takes a moment.
MOST_PAIRS = 5


class Champion(NamedTuple):
    """The version and its bundle."""

    version: RegisteredVersion
    bundle: Bundle

    @property
    def source(self) -> str:
        """What `train.transfer.source` names it by: its number, as the alias moves."""
        return f"models:/{self.version.model_name}/{self.version.version}"

    @property
    def learned(self) -> frozenset[str]:
        """Cases that it learned from, or chose its weights by, in any fold."""
        card = self.bundle.card
        folds = (case_id for fold in card.folds for case_id in (*fold.trained_cases, *fold.validation_cases))
        return frozenset((*card.trained_cases, *card.validation_cases, *folds))


def find_present_champion(model_name: str, settings: Settings) -> Champion | None:
    """Fetch the champion; None where there is none yet, or no store.

    Raises:
        ArtifactError: When its bundle was harmed.
        ServiceError: When the store can't be reached.
    """
    database = sqlite_file(settings.tracking_uri)
    if database is not None and not database.exists():
        return None
    version = find_version(model_name, CHAMPION, settings.tracking_uri)
    if version is None:
        return None
    return Champion(version, fetch_bundle(model_name, version.version, settings.tracking_uri))


def measure_scatter(
    champion: Champion, plan: ChangePlan, settings: Settings, entries: Sequence[LedgerEntry] = ()
) -> tuple[Scatter, ...]:
    """Measure how patients scatter; nothing where the champion has no scores.

    By the paired differences of all decisions with the champion in them, or else of the last one; else by the newest other version that was
    evaluated on the same test set; else by the champion alone.

    Args:
        champion: The champion.
        plan: Names the primary endpoint.
        settings: The tracking URI.
        entries: The ledger, whose decisions name the tables that they were taken by.

    Raises:
        ServiceError: When the store can't be reached.
    """
    compared = _by_decisions(champion, plan, settings, entries)
    ours = None if compared else _scores(champion.version, settings)
    if ours is None:
        return compared
    digest, table = ours
    for version in list_versions(champion.version.model_name, settings.tracking_uri):
        theirs = None if version.version == champion.version.version else _scores(version, settings)
        if theirs is not None and theirs[0] == digest:
            between = f"versions {version.version} and {champion.version.version}, as each was evaluated,"
            return (scatter_of(table, theirs[1], plan, between),)
    return (scatter_of(table, None, plan),)


def _by_decisions(
    champion: Champion, plan: ChangePlan, settings: Settings, entries: Sequence[LedgerEntry]
) -> tuple[Scatter, ...]:
    name, number = champion.version.model_name, champion.version.version
    decisions = [
        entry
        for entry in entries
        if entry.kind is EntryKind.DECISION
        and entry.facts.get("model_name") == name
        and {"challenger", "champion"} <= set(entry.facts.get("scores") or ())
    ]
    own = [one for one in decisions if number in {one.facts["version"], one.facts["before"]}]
    found: list[Scatter] = []
    for entry in reversed(own or decisions):
        ours, theirs = (_decided(entry, who, settings) for who in ("challenger", "champion"))
        if ours is None or theirs is None or plan.primary.metric not in ours:
            continue
        between = (
            f"versions {entry.facts['version']} and {entry.facts['before']}, as they were judged on {entry.at:.10},"
        )
        scatter = scatter_of(ours, theirs, plan, between)
        if scatter.paired:
            found.append(scatter)
        if len(found) == (MOST_PAIRS if own else 1):
            break
    return tuple(found)


def _decided(entry: LedgerEntry, who: str, settings: Settings) -> pd.DataFrame | None:
    """Return a table that a decision was taken by; None where it is gone, or no longer the one that the ledger names."""
    content = read_run_file(settings.tracking_uri, str(entry.facts.get("run_id")), f"decision/scores_{who}.csv")
    if content is None or hashlib.sha256(content).hexdigest() != entry.facts["scores"][who]:
        return None
    return pd.read_csv(io.BytesIO(content))


def _scores(version: RegisteredVersion, settings: Settings) -> tuple[str, pd.DataFrame] | None:
    try:
        found = fetch_evaluation(settings.tracking_uri, version.run_id, f"version {version.version}")
    except ArtifactError:
        return None
    return found.test_set_sha256, found.cases
