"""Send images again whose storage did not answer."""

from collections import Counter

from sqlalchemy import Connection, select, update

from db.batches import UNWRITTEN
from db.listing import add_batch
from db.schema import batches, scans, verdicts
from fakesweep.errors import UnreachableImage


def requeue_unreachable(connection: Connection, scan_id: int, *, batch_images: int) -> int:
    """Queue the `unreachable` images of a scan that is done, and open the scan again.

    Returns how many there were; without any, nothing is changed.
    """
    scan = connection.execute(
        select(scans.c.status, scans.c.priority).where(scans.c.id == scan_id).with_for_update()
    ).one()
    if scan.status != "done":
        return 0
    rows = connection.execute(
        select(verdicts.c.id, verdicts.c.batch_id)
        .where(
            verdicts.c.scan_id == scan_id,
            verdicts.c.error_code == UnreachableImage.code,
            verdicts.c.status == "failed",
        )
        .order_by(verdicts.c.id)
    ).all()
    if not rows:
        return 0
    for batch_id, moved in Counter(row.batch_id for row in rows).items():
        connection.execute(
            update(batches)
            .where(batches.c.id == batch_id)
            .values(images=batches.c.images - moved, failed=batches.c.failed - moved)
        )
    for first in range(0, len(rows), batch_images):
        group = [row.id for row in rows[first : first + batch_images]]
        batch_id = add_batch(connection, scan_id, len(group), scan.priority)
        connection.execute(
            update(verdicts)
            .where(verdicts.c.id.in_(group))
            .values(
                status="queued",
                batch_id=batch_id,
                decided_at=None,
                **UNWRITTEN,
            )
        )
    connection.execute(
        update(scans).where(scans.c.id == scan_id).values(status="running", finished_at=None)
    )
    return len(rows)
