"""When each owner was last served can be asked without looking through all jobs."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_jobs_served", "jobs", ["queue", "owner", "started_ms"])


def downgrade() -> None:
    """Remove it."""
    op.drop_index("ix_jobs_served", "jobs")
