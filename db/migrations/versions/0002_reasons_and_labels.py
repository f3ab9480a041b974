"""Why an image is uncertain, and what people said about images."""

import sqlalchemy as sa
from alembic import op

from db.schema import LATEST_LABELS, LATEST_VERDICTS

revision = "0002"
down_revision = "0001"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
URI = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the reason to verdicts and make the table of labels."""
    # PostgreSQL fixed the columns of the view when it was made.
    op.execute("DROP VIEW latest_verdicts")
    op.add_column("verdicts", sa.Column("reason", sa.Text()))
    op.execute(LATEST_VERDICTS)
    op.create_table(
        "labels",
        sa.Column("id", ID, nullable=False),
        sa.Column("uri", URI, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("labelled_at", TIME, nullable=False),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_labels_sha256", "labels", ["sha256", "labelled_at", "id"])
    op.create_index("ix_labels_uri", "labels", ["uri"])
    op.execute(LATEST_LABELS)
