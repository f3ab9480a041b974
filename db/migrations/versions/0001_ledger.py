"""The first ledger: scans, batches, verdicts and the views for people."""

import sqlalchemy as sa
from alembic import op

from db.schema import LATEST_VERDICTS, SCAN_SUMMARY

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
URI = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create all tables, indexes and views."""
    op.create_table(
        "scans",
        sa.Column("id", ID, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("rescan", sa.Boolean(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("listing_token", sa.Text()),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("unchanged_fake", sa.BigInteger(), nullable=False),
        sa.Column("passed_over", sa.BigInteger(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("listed_at", TIME),
        sa.Column("finished_at", TIME),
        sa.Column("error_message", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "batches",
        sa.Column("id", ID, nullable=False),
        sa.Column("scan_id", ID, nullable=False),
        sa.Column("parent_id", ID),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.Float()),
        sa.Column("worker", sa.Text()),
        sa.Column("lease_token", sa.Text()),
        sa.Column("lease_until", sa.Float()),
        sa.Column("fake", sa.Integer(), nullable=False),
        sa.Column("real", sa.Integer(), nullable=False),
        sa.Column("uncertain", sa.Integer(), nullable=False),
        sa.Column("no_face", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("closed_at", sa.Float()),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_batches_open",
        "batches",
        ["status", "priority", "id"],
        sqlite_where=sa.text("status IN ('queued', 'running')"),
        postgresql_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_index("ix_batches_scan", "batches", ["scan_id", "status"])
    op.create_table(
        "verdicts",
        sa.Column("id", ID, nullable=False),
        sa.Column("scan_id", ID, nullable=False),
        sa.Column("batch_id", ID, nullable=False),
        sa.Column("uri", URI, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text()),
        sa.Column("score", sa.Float()),
        sa.Column("model_version", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("mtime", sa.Float()),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("format", sa.Text()),
        sa.Column("faces", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("decided_at", TIME),
        sa.Column("frames", sa.Integer()),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("scan_id", "uri", name="uq_verdicts_scan_uri"),
    )
    op.create_index("ix_verdicts_batch", "verdicts", ["batch_id"])
    op.create_index(
        "ix_verdicts_error",
        "verdicts",
        ["scan_id", "error_code"],
        sqlite_where=sa.text("error_code IS NOT NULL"),
        postgresql_where=sa.text("error_code IS NOT NULL"),
    )
    op.create_index(
        "ix_verdicts_original",
        "verdicts",
        ["sha256", "model_version"],
        sqlite_where=sa.text("status = 'done' AND NOT reused"),
        postgresql_where=sa.text("status = 'done' AND NOT reused"),
    )
    op.create_index(
        "ix_verdicts_scan_verdict",
        "verdicts",
        ["scan_id", "verdict", "score"],
        sqlite_where=sa.text("verdict IS NOT NULL"),
        postgresql_where=sa.text("verdict IS NOT NULL"),
    )
    op.create_index("ix_verdicts_uri", "verdicts", ["uri", "decided_at", "id"])
    op.create_index(
        "ix_verdicts_verdict",
        "verdicts",
        ["verdict", "score"],
        sqlite_where=sa.text("verdict IS NOT NULL"),
        postgresql_where=sa.text("verdict IS NOT NULL"),
    )
    op.execute(LATEST_VERDICTS)
    op.execute(SCAN_SUMMARY)
