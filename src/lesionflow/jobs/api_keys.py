"""API keys: who may hand work in and ask for it. The database has a digest of each; the key itself is told once, to whom it is given.

A key is `lfk_<id>_<secret>` with a secret of 256 random bits. One SHA-256 of it is enough: what argon2 adds is time for each guess at a password
that people chose, and nobody guesses 256 bits, while each request would pay for it.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, Row, and_, or_, select
from sqlalchemy.exc import IntegrityError

from lesionflow.errors import ConfigError
from lesionflow.jobs.short_transactions import reading, writing
from lesionflow.jobs.tables import API_KEYS

TOKEN = re.compile(r"lfk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
NAME_OF_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,79}")
MS_PER_DAY = 86_400_000


class Scope(StrEnum):
    """What a key opens."""

    SUBMIT = "submit"
    READ = "read"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as everybody may see it.

    Args:
        id: 12 hexadecimal digits; the owner of what is handed in with it.
        name: Who uses it, in the words of who made it.
        scopes: What it opens.
        created_ms: When it was made, in ms since 1970.
        expires_ms: From when on it opens nothing; None: never by itself.
        revoked_ms: When it was revoked.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def allows(self, scope: Scope) -> bool:
        """Tell whether it opens what needs a scope; `ADMIN` opens everything."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


class ApiKeys:
    """The keys of a database.

    Args:
        engine: Of `open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, name: str, scopes: Collection[Scope], *, days: float | None = None) -> tuple[ApiKey, str]:
        """Make a key.

        Args:
            name: Who will use it; told in logs and lists, unlike the key.
            scopes: What it opens.
            days: For how long; without, until it is revoked.

        Returns:
            What is kept of it, and the key itself, which nobody can tell a second time.

        Raises:
            ConfigError: When the name is taken or none that a list can show, when nothing is opened, or for no time.
        """
        if not NAME_OF_KEY.fullmatch(name) or not scopes or (days is not None and days <= 0):
            raise ConfigError(
                f"Expected a key's name of at most 80 letters, digits, spaces and ._@-, at least one scope and a time above 0, found {name!r:.90} "
                f"with {', '.join(sorted(scopes)) or 'no scope'}."
            )
        key_id, secret, now = secrets.token_hex(6), secrets.token_urlsafe(32), time.time_ns() // 1_000_000
        row = {
            "id": key_id, "name": name, "secret_sha256": _digest(secret), "scopes": " ".join(sorted(scopes)), "created_ms": now,
            "expires_ms": None if days is None else now + int(days * MS_PER_DAY),
        }  # fmt: skip
        try:
            with writing(self._engine) as connection:
                connection.execute(API_KEYS.insert().values(row))
        except IntegrityError as error:
            raise ConfigError(
                f"Expected a name that no key has or had, found {name}. Take another, so that logs tell them apart."
            ) from error
        return self.all()[key_id], f"lfk_{key_id}_{secret}"

    def all(self) -> dict[str, ApiKey]:
        """Return every key, revoked ones too, by id, oldest first."""
        with reading(self._engine) as connection:
            found = connection.execute(select(API_KEYS).order_by(API_KEYS.c.created_ms, API_KEYS.c.id))
            return {row.id: _key(row) for row in found}

    def revoke(self, named: str) -> ApiKey:
        """Have a key open nothing from now on.

        Args:
            named: Its id or its name.

        Raises:
            ConfigError: When there is none that still opens anything.
        """
        which = and_(or_(API_KEYS.c.id == named, API_KEYS.c.name == named), API_KEYS.c.revoked_ms.is_(None))
        with writing(self._engine) as connection:
            found = connection.execute(select(API_KEYS.c.id).where(which)).first()
            if found is not None:
                now = time.time_ns() // 1_000_000
                connection.execute(API_KEYS.update().where(API_KEYS.c.id == found.id).values(revoked_ms=now))
        if found is None:
            raise ConfigError(
                f"Expected the name or id of a key that is not revoked, found {named!r:.90}. See: serve keys list."
            )
        return self.all()[found.id]

    def find(self, token: str) -> ApiKey | None:
        """Return the key that somebody shows; None when there is no such, or it is revoked or expired."""
        parts = TOKEN.fullmatch(token)
        if parts is None:
            return None
        with reading(self._engine) as connection:
            row = connection.execute(select(API_KEYS).where(API_KEYS.c.id == parts[1])).first()
        if row is None or not hmac.compare_digest(row.secret_sha256, _digest(parts[2])):
            return None
        key = _key(row)
        over = key.expires_ms is not None and key.expires_ms <= time.time_ns() // 1_000_000
        return None if over or key.revoked_ms is not None else key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Row[Any]) -> ApiKey:
    scopes = frozenset(Scope(scope) for scope in row.scopes.split())
    return ApiKey(row.id, row.name, scopes, row.created_ms, row.expires_ms, row.revoked_ms)
