"""Schedules and their runs, telling of the end of scans, where the time of a batch went."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables of schedules and let a scan name the run that began it."""
    op.create_table(
        "schedules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "schedule_runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("claimed_at", TIME, nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("schedule", "due_at", name="uq_schedule_runs_due"),
    )
    op.create_table(
        "rounds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("done_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("scans", sa.Column("schedule_run", ID))
    for name in ("read_s", "decode_s", "score_s", "write_s"):
        op.add_column("batches", sa.Column(name, sa.Float()))
    op.add_column("scans", sa.Column("notify_at", sa.Float()))
    op.add_column(
        "scans", sa.Column("notify_tries", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_index("ix_scans_schedule_run", "scans", ["schedule_run"])
