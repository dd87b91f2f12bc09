"""The tables of jobs and of who may ask for them, as SQLAlchemy sees them; `migrations/` is how a database gets there."""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT

METADATA = MetaData()
#: An order names every file of a study: more than the 64 kB of a TEXT there.
LONG = Text().with_variant(LONGTEXT(), "mysql", "mariadb")

#: All times are milliseconds since 1970 UTC: the same number on every database.
JOBS = Table(
    "jobs",
    METADATA,
    # Grows with each job: the order of the line.
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    # Whose work it is: services of different models may share a database.
    Column("queue", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("idempotency_key", String(255), unique=True),
    Column("request_sha256", String(64), nullable=False),
    Column("order_json", LONG, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", String(64)),
    Column("lease_until_ms", BigInteger),
    Column("cancel_requested", Integer, nullable=False),
    Column("outcome_json", LONG),
    # The id of the API key that handed it in.
    Column("owner", String(32)),
    # The name of the model that is to do it; null: the main one of the services of this queue.
    Column("model", String(255)),
    Index("ix_jobs_line", "queue", "state", "number"),
    Index("ix_jobs_owner", "owner", "number"),
    Index("ix_jobs_served", "queue", "owner", "started_ms"),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    # Of the secret part, which nobody has but whom it was given to.
    Column("secret_sha256", String(64), nullable=False),
    Column("scopes", String(255), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
)

#: Rows are only ever added; each is sealed by a digest over itself and the row before it.
AUDIT = Table(
    "audit",
    METADATA,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("facts_json", LONG, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
)
