"""What buckets and archives say about an image, and what a manifest said beside its name."""

import sqlalchemy as sa
from alembic import op

from db.schema import LATEST_VERDICTS

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the etag and the manifest's record to verdicts."""
    # PostgreSQL fixed the columns of the view when it was made.
    op.execute("DROP VIEW latest_verdicts")
    op.add_column("verdicts", sa.Column("etag", sa.Text()))
    op.add_column("verdicts", sa.Column("record", sa.Text()))
    op.execute(LATEST_VERDICTS)
