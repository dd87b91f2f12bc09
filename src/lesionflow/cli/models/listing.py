"""`models list`, `show` and `history`: what versions there are, all that is known of one, who was champion when and why."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from lesionflow.cli.chosen_store import find_ledger, known_entries, ledger_of, model_name, require_run, settings_of
from lesionflow.cli.parser import wording_of
from lesionflow.data.ledger import EntryKind, LedgerEntry
from lesionflow.registry.secrets import without_password

#: Tag of a version: how it compares with the champion, in a sentence.
AGAINST_CHAMPION = "against_champion"
LONGEST_LINE = 400
#: Of a decision as much is shown as a line holds: the verdict, some rules that did not hold, the beginning of a sentence.
MOST_RULES, MOST_OF_A_SENTENCE = 2, 120
ALL_REASONS = "All reasons: `lesionflow models show VERSION`."
LIST_HEADS = ("model", "version", "aliases", "test Dice", "against the champion of its day", "run", "made")
HISTORY_HEADS = ("version", "champion since", "until", "by", "name", "why")


def print_versions(parsed: argparse.Namespace) -> int:
    """List all versions with aliases and scores."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from lesionflow.io.stores.ledger import read_ledger
    from lesionflow.registry.pages.version_record import BARRED
    from lesionflow.registry.succession import bars
    from lesionflow.registry.versions import list_models, list_versions

    settings = settings_of(parsed)
    require_run(settings)
    names = list_models(settings.tracking_uri)
    if parsed.model_name:
        names = (model_name(parsed.model_name, settings),)
    ledger = find_ledger(parsed)
    entries = () if ledger is None else read_ledger(ledger)
    table = Table(*LIST_HEADS, box=None, pad_edge=False)
    for name in names:
        barred = bars(entries, name)
        for v in list_versions(name, settings.tracking_uri):
            # Square brackets are rich's own marks; an interval's are meant as they stand.
            score = f"{v.tags.get('test_dice', '')} \\[{v.tags.get('test_dice_interval', '')}]"
            bar = barred.get(v.version)
            since = f"since {bar.at:.10} ({bar.kind})" if bar else v.tags.get(BARRED, "").partition(":")[0]
            against = escape("; ".join(one for one in (f"BARRED {since}" if since else "", _decided(v.tags)) if one))
            table.add_row(name, v.version, ", ".join(v.aliases), score, against, v.run_id[:12], v.created_at)
    # Lines are kept whole, so that they can be searched and cut: rich would shorten names to fit 80 columns.
    console = Console(width=LONGEST_LINE)
    console.print(table if table.row_count else f"No model is registered in {without_password(settings.tracking_uri)}.")
    if table.row_count:
        console.print(escape(wording_of(parsed)(ALL_REASONS)))
    return 0


def print_version(parsed: argparse.Namespace) -> int:
    """Print all that is known of one version, as JSON; what became of it by the ledger, where there is one at hand."""
    from lesionflow.registry.succession import bars, version_events
    from lesionflow.registry.versions import require_version, rules_told

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    found = require_version(name, parsed.version, settings.tracking_uri)
    told: dict[str, Any] = {
        **found._asdict(),
        "tags": dict(found.tags),
        "rules": rules_told(found, settings.tracking_uri),
    }
    entries = known_entries(parsed, name, settings)
    if entries is not None:
        told["history"] = [event._asdict() for event in version_events(entries, name, found.version)]
        told["barred"] = (bar := bars(entries, name).get(found.version)) is not None
        told["barred_because"] = f"{bar.at}: {bar.kind}: {why(bar.facts)}" if bar else ""
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0


def print_history(parsed: argparse.Namespace) -> int:
    """Print who was champion when and why, what was refused, and what is barred or not ended."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from lesionflow.io.stores.ledger import read_ledger
    from lesionflow.registry.succession import bars, history, refusals, unfinished

    settings = settings_of(parsed)
    name = model_name(parsed.model_name, settings)
    entries = read_ledger(ledger_of(parsed))
    table = Table(*HISTORY_HEADS, box=None, pad_edge=False)
    for reign in history(entries, name):
        reason = reign.reason if reign.name else _beginning(reign.reason)
        table.add_row(*(escape(part) for part in reign._replace(until=reign.until or "now", reason=reason)))
    console = Console(width=LONGEST_LINE)
    console.print(table if table.row_count else f"The ledger knows of no champion of {name}.")
    refused = refusals(entries, name)
    for entry in refused:
        words = f"{entry.at}: version {entry.facts['version']} did not become champion: {_refused(entry.facts)}"
        console.print(escape(words))
    if refused:
        console.print(escape(wording_of(parsed)(ALL_REASONS)))
    for event in _lifted(entries, name):
        console.print(escape(event))
    for version, entry in sorted(bars(entries, name).items()):
        console.print(
            escape(f"version {version} is barred since {entry.at} ({entry.kind}{by(entry.facts)}): {why(entry.facts)}")
        )
    begun = unfinished(entries, name)
    if begun is not None:
        console.print(
            f"entry {begun.sequence} of {begun.at} is not ended: version {begun.facts['version']} was to become champion. The "
            "next command that changes the champion carries it out, or says why not."
        )
    return 0


def why(facts: object) -> str:
    """Return the reason that an entry of the ledger tells."""
    from lesionflow.registry.succession.history import reason_of

    return reason_of(facts if isinstance(facts, dict) else {}) or "no reason was told"


def by(facts: Mapping[str, Any]) -> str:
    """Return who decided an entry, to stand behind what it is; empty where nobody is named."""
    return f" by {facts['name']}" if facts.get("name") else ""


def _lifted(entries: Sequence[LedgerEntry], name: str) -> list[str]:
    """Say of each bar that was lifted when, by whom, why, and what it was for."""
    from lesionflow.registry.succession import version_events

    lifted = {
        str(entry.facts["version"]) for entry in entries if entry.kind is EntryKind.LIFTED and "version" in entry.facts
    }
    return [
        f"{event.at}: version {version} {event.what} by {event.name or 'nobody named'}: {event.reason or 'no reason was told'}"
        for version in sorted(lifted)
        for event in version_events(entries, name, version)
        if event.kind == "lifted"
    ]


def _decided(tags: Mapping[str, str]) -> str:
    """Return a version's verdict by its tags; until there is one, how `evaluate` found it to compare."""
    verdict = tags.get("promotion.verdict")
    if verdict is None:
        return _beginning(tags.get(AGAINST_CHAMPION, ""))
    outcome, _, broken = tags.get("promotion", "").partition(": ")
    return _with_rules(verdict, broken.split(", ") if outcome == "refused" and broken else [])


def _refused(facts: Mapping[str, Any]) -> str:
    """Return the verdict of an entry and some of the rules that did not hold, those that refuse first; else the beginning of its reason."""
    reasons = [one for one in facts.get("reasons") or () if isinstance(one, dict) and not one.get("held")]
    if not facts.get("verdict") or not reasons:
        return _beginning(why(facts))
    reasons.sort(key=lambda one: not one.get("refuses"))
    return _with_rules(str(facts["verdict"]), [str(one.get("rule")) for one in reasons])


def _with_rules(verdict: str, rules: Sequence[str]) -> str:
    more = f" and {len(rules) - MOST_RULES} more" if len(rules) > MOST_RULES else ""
    return f"{verdict} ({', '.join(rules[:MOST_RULES])}{more})" if rules else verdict


def _beginning(sentence: str) -> str:
    return shorten(sentence, MOST_OF_A_SENTENCE, placeholder=" ...")
