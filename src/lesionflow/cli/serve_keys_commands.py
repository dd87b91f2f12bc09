"""`lesionflow serve keys`: who may ask the service for what; and its audit trail."""

import argparse
import datetime as dt
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionflow.config.sqlite_address import sqlite_address
from lesionflow.errors import ConfigError
from lesionflow.workspace.layout import STAGES

if TYPE_CHECKING:
    from lesionflow.jobs.api_keys import ApiKey

#: As `lesionflow.jobs.api_keys.Scope`, which is loaded with its database alone.
SCOPES = ("submit", "read", "metrics", "admin")


def add_keys(serve: Any) -> None:
    """Add `keys` to `serve`."""
    keys = serve.add_subparsers(metavar="[keys ...]").add_parser("keys", help="API keys: add, list, revoke, audit")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("add", help="make a key; it is written to stdout, once")
    add.add_argument("name", help="who will use it; lists and logs tell it")
    add.add_argument(
        "--scope", action="append", required=True, choices=SCOPES, help="what it opens; may stand several times"
    )
    add.add_argument("--days", type=float, help="for how long; without, until it is revoked")
    add.set_defaults(run=_add)
    listing = actions.add_parser("list", help="all keys, revoked ones too")
    listing.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="have a key open nothing from now on")
    revoke.add_argument("key", help="its name or id")
    revoke.set_defaults(run=_revoke)
    audit = actions.add_parser("audit", help="the audit trail, after its chain was verified")
    audit.set_defaults(run=_audit)
    for action in (add, listing, revoke, audit):
        words = "the workspace whose service is meant; without, the one here"
        action.add_argument("--workdir", type=Path, default=argparse.SUPPRESS, help=words)


def service_state(workdir: Path | None) -> Path | None:
    """Return where `lesionflow serve` keeps its state: what LESIONFLOW_STATE_DIR says, or a folder of the workspace; None without either."""
    if "LESIONFLOW_STATE_DIR" in os.environ:
        return Path(os.environ["LESIONFLOW_STATE_DIR"])
    workspace = workdir or Path()
    return (workspace / "service").absolute() if (workspace / STAGES).exists() else None


@contextmanager
def _database(parsed: argparse.Namespace) -> Iterator[Any]:
    from lesionflow.jobs.job_database import open_database

    url, state = os.environ.get("LESIONFLOW_DATABASE_URL"), service_state(getattr(parsed, "workdir", None))
    if url is None and state is None:
        raise ConfigError(
            "Expected a service whose keys are meant, found no workspace here. Name it by --workdir, LESIONFLOW_STATE_DIR or LESIONFLOW_DATABASE_URL."
        )
    if url is None and state is not None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        url = sqlite_address(state / "jobs.db")
    engine = open_database(url or "")
    try:
        yield engine
    finally:
        engine.dispose()


def _add(parsed: argparse.Namespace) -> int:
    from lesionflow.jobs.api_keys import ApiKeys, Scope
    from lesionflow.jobs.audit import AuditKind, AuditTrail

    with _database(parsed) as engine:
        key, token = ApiKeys(engine).add(parsed.name, {Scope(one) for one in parsed.scope}, days=parsed.days)
        AuditTrail(engine).append(AuditKind.KEY_ADDED, {"key": key.id, "name": key.name, "scopes": sorted(key.scopes)})
    sys.stdout.write(f"{token}\n")
    sys.stderr.write(f"{_line(key)}\nGive it to {key.name} and to nobody else: it can't be shown again.\n")
    return 0


def _list(parsed: argparse.Namespace) -> int:
    from lesionflow.jobs.api_keys import ApiKeys

    with _database(parsed) as engine:
        for key in ApiKeys(engine).all().values():
            sys.stdout.write(f"{_line(key)}\n")
    return 0


def _revoke(parsed: argparse.Namespace) -> int:
    from lesionflow.jobs.api_keys import ApiKeys
    from lesionflow.jobs.audit import AuditKind, AuditTrail

    with _database(parsed) as engine:
        key = ApiKeys(engine).revoke(parsed.key)
        AuditTrail(engine).append(AuditKind.KEY_REVOKED, {"key": key.id, "name": key.name})
    sys.stdout.write(f"{_line(key)}\n")
    return 0


def _audit(parsed: argparse.Namespace) -> int:
    from lesionflow.jobs.audit import AuditTrail

    with _database(parsed) as engine:
        last = ""
        for entry in AuditTrail(engine).entries():
            facts = "  ".join(f"{name} {value}" for name, value in entry.facts.items())
            sys.stdout.write(f"{entry.at}  {entry.kind}  {facts}\n")
            last = entry.sha256
    sys.stderr.write(f"The chain holds. Its end, to be kept elsewhere: {last or 'no row yet'}\n")
    return 0


def _line(key: "ApiKey") -> str:
    until = f"until {_day(key.expires_ms)}" if key.expires_ms else "until revoked"
    ends = until if key.revoked_ms is None else f"revoked {_day(key.revoked_ms)}"
    return f"{key.id}  {key.name}  {','.join(sorted(key.scopes))}  since {_day(key.created_ms)}  {ends}"


def _day(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).isoformat(timespec="minutes")
