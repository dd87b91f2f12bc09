"""What the ledger says of versions, told on their pages in MLflow too: whoever opens one sees that it was rolled back or barred since."""

import logging
from pathlib import Path

from lesionflow.data.ledger import LedgerEntry
from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.pages.version_record import VersionRecord, show_records
from lesionflow.registry.succession.history import bars, reason_of
from lesionflow.registry.succession.version_events import BY_GATES_DECISION, VersionEvent, version_events

LONGEST_REASON = 400
logger = logging.getLogger(__name__)


def tell_pages(model_name: str, ledger: Path, tracking_uri: str) -> None:
    """Bring the pages of a model's versions in line with the ledger.

    They only repeat it: a store that refuses is warned of and stops nothing; the next change of champion writes what is missing.

    Args:
        model_name: The registered model.
        ledger: The ledger.
        tracking_uri: The store.
    """
    try:
        entries = read_ledger(ledger)
        barred = bars(entries, model_name)

        def record(version: str) -> VersionRecord:
            return _record(version, version_events(entries, model_name, version), barred.get(version))

        show_records(model_name, record, tracking_uri)
    except (ServiceError, ArtifactError) as error:
        logger.warning("what became of versions of %s is not told on their pages in MLflow: %s", model_name, error)


def _record(version: str, events: tuple[VersionEvent, ...], bar: LedgerEntry | None) -> VersionRecord:
    if bar is None and all(event.kind in BY_GATES_DECISION for event in events):
        return VersionRecord("", "")
    first = f"**Now: {_plain(events[-1].what)}.**" if events else ""
    since = ""
    if bar is not None:
        since = f"since {bar.at:.10} ({bar.kind}: {_plain(reason_of(bar.facts)) or 'no reason was told'})"
        first = (
            f"**Barred {since}.** Neither the gate nor a person makes it champion before `lesionflow models lift {version} --name NAME "
            "--reason REASON`."
        )
    lines = "\n".join(f"- {_plain(event.line())}" for event in events)
    return VersionRecord(f"{first}\n\n### What became of it\n\n{lines}\n\nBelow: as it was judged then.", since)


def _plain(text: str) -> str:
    """Return what a person wrote as one line of text that is no mark of a page."""
    line = " ".join(text.split()).replace("<", "&lt;").replace(">", "&gt;")
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]} ..."
