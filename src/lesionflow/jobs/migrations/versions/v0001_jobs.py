"""The table of jobs as it was first."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    long = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("queue", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("order_json", long, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(64)),
        sa.Column("lease_until_ms", sa.BigInteger),
        sa.Column("cancel_requested", sa.Integer, nullable=False),
        sa.Column("outcome_json", long),
    )
    op.create_index("ix_jobs_line", "jobs", ["queue", "state", "number"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("jobs")
