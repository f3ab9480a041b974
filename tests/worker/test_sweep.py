"""One batch: what the model cannot answer is a row with its reason, and messages are plain."""

from pathlib import Path

import pytest
from sqlalchemy import select

from db.batches import next_batch
from db.ledger import Ledger
from db.schema import verdicts
from fakesweep.settings import Settings
from producer.listing import record_images
from producer.scan import begin_scan
from producer.sources import named_sources
from tests.models import publish_small_model
from tests.pictures import write_pictures
from worker.messages import BatchMessage
from worker.sweep import Sweeper


def test_an_image_without_a_number_is_failed_never_real(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    publish_small_model(tmp_path / "models", "broken", bias=float("nan"))
    write_pictures(tmp_path / "in", 3)
    broken = settings.model_copy(update={"model_dir": tmp_path / "models"})
    opened = begin_scan(
        ledger,
        named_sources([str(tmp_path / "in")], None),
        settings=broken,
        model="broken",
        rescan=False,
        priority="bulk",
    )
    assert opened.images is not None
    record_images(ledger, opened.scan, opened.images, opened.findings, settings=broken)
    with ledger.read() as connection:
        batch_id = next_batch(connection, opened.scan.id)
    assert batch_id is not None
    sweeper = Sweeper(broken)

    swept = sweeper.sweep(batch_id, "broken")
    again = sweeper.sweep(batch_id, "broken")

    sweeper.close()
    assert (swept, again) == (3, None)
    with ledger.read() as connection:
        rows = connection.execute(select(verdicts)).all()
    assert {(row.status, row.error_code, row.verdict, row.score) for row in rows} == {
        ("failed", "internal", None, None)
    }


def test_a_message_keeps_its_fields_through_json() -> None:
    message = BatchMessage(7, 3, "m-1", ["/a b.jpg", "file:///%FF.jpg"])

    assert BatchMessage.from_json(message.to_json() | {"newer": 1}) == message


def test_a_message_without_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="without images"):
        BatchMessage.from_json({"batch_id": 1, "scan_id": 1, "model_version": "m"})
