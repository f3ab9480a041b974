"""Fewer index entries for a verdict: one of its name instead of two, scores of `real` in none.

On SQLite the table is written anew, since a constraint cannot be taken off it: for that time the file
needs room for the table twice.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from db.schema import LATEST_VERDICTS

revision = "0005"
down_revision = "0004"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
URI = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# As `=` joined by OR: SQLite uses a partial index only where the query repeats a part of its condition.
FLAGGED = "verdict = 'fake' OR verdict = 'uncertain' OR verdict = 'no_face'"
WITH_VERDICT = "verdict IS NOT NULL"
WITH_ERROR = "error_code IS NOT NULL"
ORIGINAL = "status = 'done' AND NOT reused"

# Name, columns, which rows; those that both revisions have are made anew after SQLite's table is.
Indexes = Sequence[tuple[str, list[str], str | None]]
BEFORE: Indexes = (
    ("ix_verdicts_batch", ["batch_id"], None),
    ("ix_verdicts_scan_verdict", ["scan_id", "verdict", "score"], WITH_VERDICT),
    ("ix_verdicts_uri", ["uri", "decided_at", "id"], None),
    ("ix_verdicts_verdict", ["verdict", "score"], WITH_VERDICT),
)
AFTER: Indexes = (
    ("ix_verdicts_batch", ["scan_id", "batch_id"], None),
    ("ix_verdicts_scan_verdict", ["scan_id", "verdict", "score"], FLAGGED),
    ("ix_verdicts_verdict", ["verdict", "score"], FLAGGED),
)
BOTH: Indexes = (
    ("ix_verdicts_error", ["scan_id", "error_code"], WITH_ERROR),
    ("ix_verdicts_original", ["sha256", "model_version"], ORIGINAL),
)


def upgrade() -> None:
    """Let one unique index of name and scan serve both, and take `real` out of those of scores."""
    if op.get_bind().dialect.name == "sqlite":
        _rewrite()
        _make(BOTH)
    else:
        _drop(BEFORE)
        op.drop_constraint("uq_verdicts_scan_uri", "verdicts")
        # An image's row is three times as long when it is closed: with room beside it, it stays on its page.
        op.execute("ALTER TABLE verdicts SET (fillfactor = 30)")
    op.create_index("uq_verdicts_uri_scan", "verdicts", ["uri", "scan_id"], unique=True)
    _make(AFTER)
    # With the number, or PostgreSQL looks for the next open batch among all that are closed.
    op.drop_index("ix_batches_scan")
    op.create_index("ix_batches_scan", "batches", ["scan_id", "status", "id"])


def downgrade() -> None:
    """Go back to the indexes of 0004."""
    unique = sa.UniqueConstraint("scan_id", "uri", name="uq_verdicts_scan_uri")
    if op.get_bind().dialect.name == "sqlite":
        _rewrite(unique)
        _make(BOTH)
    else:
        _drop(AFTER)
        op.drop_index("uq_verdicts_uri_scan")
        op.create_unique_constraint("uq_verdicts_scan_uri", "verdicts", ["scan_id", "uri"])
        op.execute("ALTER TABLE verdicts RESET (fillfactor)")
    _make(BEFORE)
    op.drop_index("ix_batches_scan")
    op.create_index("ix_batches_scan", "batches", ["scan_id", "status"])


def _make(indexes: Indexes) -> None:
    for name, columns, rows in indexes:
        where = None if rows is None else sa.text(rows)
        op.create_index(name, "verdicts", columns, sqlite_where=where, postgresql_where=where)


def _drop(indexes: Indexes) -> None:
    for name, _, _ in indexes:
        op.drop_index(name)


def _rewrite(*constraints: sa.UniqueConstraint) -> None:
    """Copy the table into one with other constraints, without indexes: made afterwards they are sorted."""
    op.execute("DROP VIEW latest_verdicts")
    columns: list[sa.Column[Any]] = [
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
        sa.Column("reason", sa.Text()),
        sa.Column("etag", sa.Text()),
        sa.Column("record", sa.Text()),
    ]
    names = ", ".join(column.name for column in columns)
    op.create_table(
        "verdicts_copy",
        *columns,
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        *constraints,
    )
    op.execute(f"INSERT INTO verdicts_copy ({names}) SELECT {names} FROM verdicts ORDER BY id")  # noqa: S608
    op.drop_table("verdicts")
    op.rename_table("verdicts_copy", "verdicts")
    op.execute(LATEST_VERDICTS)
