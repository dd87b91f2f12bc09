"""Champions for tests: one that stands there without a decision, and what is seen of those that were decided."""

import mlflow

from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.versions import (
    CHAMPION,
    PREVIOUS,
    find_version,
    list_versions,
    mark_aliases,
    require_version,
    set_alias,
)

NAME = "lesionflow-knees"
FACTS = {"verdict": "superior", "promote": True, "reason": "better by 0.03"}
SET_ALIAS = "set_registered_model_alias"


def set_champion(model_name: str, version: str, tracking_uri: str) -> tuple[str | None, str]:
    """Let the aliases name a version champion and the one before it `previous`; return both."""
    after = require_version(model_name, version, tracking_uri).version
    old = find_version(model_name, CHAMPION, tracking_uri)
    if old is not None and old.version != after:
        set_alias(model_name, PREVIOUS, old.version, tracking_uri)
    set_alias(model_name, CHAMPION, after, tracking_uri)
    mark_aliases(model_name, tracking_uri)
    return (old.version if old else None), after


def aliases(uri):
    return {v.version: set(v.aliases) - {"challenger"} for v in list_versions(NAME, uri)}


def kinds(ledger):
    return [str(entry.kind) for entry in read_ledger(ledger)]


def refusing(monkeypatch, wanted):
    """Let the store refuse to set an alias, as a read-only one does."""
    original = mlflow.MlflowClient.set_registered_model_alias

    def refuse(self, name, alias, version):
        if alias == wanted:
            raise OSError(30, "attempt to write a readonly database")
        original(self, name, alias, version)

    monkeypatch.setattr(mlflow.MlflowClient, SET_ALIAS, refuse)
