"""The tables and views of the ledger, one definition for SQLite and PostgreSQL.

Indexes are named here with their columns; which rows each one holds, the migration says. Said here,
it would load PostgreSQL's dialect into every command, a quarter of the time that `status` takes.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

SCHEMA_REVISION = "0005"  # head of db/migrations; a test keeps the two equal

metadata = MetaData()
# Byte order, so that PostgreSQL's index also serves `uri LIKE '/archive/2024/%'`.
Uri = Text().with_variant(Text(collation="C"), "postgresql")
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER only


class UtcTime(TypeDecorator[datetime]):
    """A point in time, always in UTC, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Store as UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


scans = Table(
    "scans",
    metadata,
    Column("id", Id, primary_key=True),
    Column("status", Text, nullable=False),  # queued, running, done, failed, cancelled
    Column("paused", Boolean, nullable=False),
    Column("priority", Text, nullable=False),  # high, bulk
    Column("model_version", Text, nullable=False),
    Column("rescan", Boolean, nullable=False),
    Column("sources", Text, nullable=False),  # JSON: what to list and how, enough to list it again
    Column("listing_token", Text),  # of the one producer that may record; a newer one takes it over
    Column("images", BigInteger, nullable=False),  # found so far, unchanged ones included
    Column("unchanged", BigInteger, nullable=False),  # of these, not judged again
    Column("unchanged_fake", BigInteger, nullable=False),  # of these, fake by their last verdict
    Column("passed_over", BigInteger, nullable=False),  # files that are no image, hidden, or links
    Column("created_at", UtcTime, nullable=False),
    Column("listed_at", UtcTime),  # when the last image was recorded; empty while listing
    Column("finished_at", UtcTime),
    Column("error_message", Text),  # what kept the listing from being complete
    Column("schedule_run", Id),  # the run of a schedule that began it
    Column("notify_at", Float),  # when people are to be told of its end; empty: not, or done
    Column("notify_tries", Integer, nullable=False),
    Index("ix_scans_schedule_run", "schedule_run"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", Text, primary_key=True),
    Column("cron", Text, nullable=False),
    Column("sources", Text, nullable=False),  # JSON, as in scans
    Column("priority", Text, nullable=False),
    Column("origin", Text, nullable=False),  # command, or file: the settings
    Column("since", UtcTime, nullable=False),  # from when on its times count
)

# A moment at which a schedule was due, taken by one process.
schedule_runs = Table(
    "schedule_runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("schedule", Text, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime, nullable=False),
    Column("missed", Integer, nullable=False),  # due moments before it that nobody took
    Column("note", Text),  # why it began no scan
    UniqueConstraint("schedule", "due_at", name="uq_schedule_runs_due"),
)

# When a process of a host last did its round.
rounds = Table(
    "rounds",
    metadata,
    Column("name", Text, primary_key=True),  # role@host
    Column("done_at", Float, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scan_id", Id, ForeignKey("scans.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", Id),  # the batch this one is a half of
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("images", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", Float),  # seconds since 1970, database's clock; empty: not in the broker
    Column("worker", Text),
    Column("lease_token", Text),
    Column("lease_until", Float),
    Column("fake", Integer, nullable=False),
    Column("real", Integer, nullable=False),
    Column("uncertain", Integer, nullable=False),
    Column("no_face", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("closed_at", Float),
    # Where the time went, in seconds of all threads together.
    Column("read_s", Float),
    Column("decode_s", Float),
    Column("score_s", Float),
    Column("write_s", Float),
    Index("ix_batches_scan", "scan_id", "status", "id"),
    Index("ix_batches_open", "status", "priority", "id"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("scan_id", Id, ForeignKey("scans.id", ondelete="CASCADE"), nullable=False),
    Column("batch_id", Id, nullable=False),
    Column("uri", Uri, nullable=False),
    Column("status", Text, nullable=False),  # queued until its batch closes
    Column("verdict", Text),  # real, fake, uncertain, no_face
    Column("score", Float),  # calibrated probability of fake, 0 to 1
    Column("model_version", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("sha256", Text),
    Column("size_bytes", BigInteger),
    Column("mtime", Float),  # seconds since 1970, as the file system tells it
    Column("width", Integer),
    Column("height", Integer),
    Column("format", Text),
    Column("faces", Text),  # JSON list, empty where the model looks for none
    Column("attempts", Integer, nullable=False),  # while it is open: in earlier batches
    Column("decided_at", UtcTime),
    Column("frames", Integer),
    Column("reused", Boolean, nullable=False),  # verdict of identical bytes, not judged again
    Column("reason", Text),  # why it is uncertain although a face was found; else empty
    Column("etag", Text),  # what its bucket or archive calls its content; empty for files
    Column("record", Text),  # JSON: the other columns of the manifest that named it
    # A row has an entry in the first two from the beginning, in the others when it is closed.
    Index("uq_verdicts_uri_scan", "uri", "scan_id", unique=True),
    Index("ix_verdicts_batch", "scan_id", "batch_id"),
    Index("ix_verdicts_verdict", "verdict", "score"),
    Index("ix_verdicts_scan_verdict", "scan_id", "verdict", "score"),
    Index("ix_verdicts_error", "scan_id", "error_code"),
    # One entry for each judged content, however many copies an archive holds.
    Index("ix_verdicts_original", "sha256", "model_version"),
)

# What people said after looking, one row for each time they said it.
labels = Table(
    "labels",
    metadata,
    Column("id", Id, primary_key=True),
    Column("uri", Uri, nullable=False),
    Column("sha256", Text, nullable=False),  # a label belongs to these bytes, not to the name
    Column("label", Integer, nullable=False),  # 0 real, 1 fake
    Column("who", Text, nullable=False),
    Column("labelled_at", UtcTime, nullable=False),
    Column("note", Text),
    Index("ix_labels_sha256", "sha256", "labelled_at", "id"),
    Index("ix_labels_uri", "uri"),
)

# Newest closed row of every image: a file that has become unreadable no longer shows its old verdict.
LATEST_VERDICTS = """
CREATE VIEW latest_verdicts AS
SELECT v.* FROM verdicts v
WHERE v.status IN ('done', 'failed') AND NOT EXISTS (
    SELECT 1 FROM verdicts n
    WHERE n.uri = v.uri AND n.status IN ('done', 'failed')
      AND (n.decided_at, n.id) > (v.decided_at, v.id)
)
"""

SCAN_SUMMARY = """
CREATE VIEW scan_summary AS
SELECT s.id AS scan_id, s.status, s.paused, s.priority, s.model_version, s.created_at, s.finished_at,
    s.images, s.unchanged,
    COALESCE(SUM(b.fake), 0) AS fake, COALESCE(SUM(b.real), 0) AS real,
    COALESCE(SUM(b.uncertain), 0) AS uncertain, COALESCE(SUM(b.no_face), 0) AS no_face,
    COALESCE(SUM(b.failed), 0) AS failed,
    s.error_message
FROM scans s LEFT JOIN batches b ON b.scan_id = s.id
GROUP BY s.id
"""

# Newest label of every content: who labels again corrects what was said before.
LATEST_LABELS = """
CREATE VIEW latest_labels AS
SELECT l.* FROM labels l
WHERE NOT EXISTS (
    SELECT 1 FROM labels n
    WHERE n.sha256 = l.sha256 AND (n.labelled_at, n.id) > (l.labelled_at, l.id)
)
"""
