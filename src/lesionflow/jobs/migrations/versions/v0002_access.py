"""Jobs have owners; API keys and the audit trail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the owner, and both tables."""
    long = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
    op.add_column("jobs", sa.Column("owner", sa.String(32)))
    op.create_index("ix_jobs_owner", "jobs", ["owner", "number"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False, unique=True),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(255), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("facts_json", long, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("audit")
    op.drop_table("api_keys")
    op.drop_index("ix_jobs_owner", "jobs")
    op.drop_column("jobs", "owner")
