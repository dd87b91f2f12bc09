"""Jobs may be for a model beside the main one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add its name; jobs that are there already are the main model's."""
    op.add_column("jobs", sa.Column("model", sa.String(255)))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("jobs", "model")
