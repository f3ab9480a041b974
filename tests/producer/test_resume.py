"""A scan goes on from whatever stopped it, and nothing is listed or sent twice."""

import socket
import subprocess
import threading
from pathlib import Path

import pytest

from db.counts import read_progress
from db.ledger import Ledger
from db.scans import cancel_scan
from db.tending import take_unsent
from fakesweep.errors import SourceError
from fakesweep.settings import Settings
from producer.listing import ListingStopped, record_images
from producer.scan import reopen_scan
from tests.pictures import write_pictures
from tests.sweeping import begin, claim_first, finish, record_all, rows


def test_a_stopped_listing_is_completed_by_resume(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 150)  # more than the 64 images of one transaction
    opened = begin(ledger, settings, tmp_path / "in")
    assert opened.images is not None
    stop = threading.Event()
    with pytest.raises(ListingStopped):
        record_images(
            ledger,
            opened.scan,
            opened.images,
            opened.findings,
            settings=settings,
            recorded=stop.set,
            stop=stop,
        )
    assert 0 < len(rows(ledger, opened.scan.id)) < 150

    progress = finish(ledger, settings, reopen_scan(ledger, opened.scan.id, settings=settings))

    assert progress.scan.status == "done"
    assert (progress.scan.images, progress.judged) == (150, 150)
    assert len(rows(ledger, opened.scan.id)) == 150


def test_what_a_dead_process_held_is_taken_up_by_resume(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    dead = subprocess.Popen(["/bin/true"])
    dead.wait()
    write_pictures(tmp_path / "in", 6)
    opened = begin(ledger, settings, tmp_path / "in")
    record_all(ledger, settings, opened)
    claim_first(ledger, opened, worker=f"{socket.gethostname()}:{dead.pid}", lease_s=3600)

    progress = finish(ledger, settings, reopen_scan(ledger, opened.scan.id, settings=settings))

    assert (progress.scan.status, progress.judged) == ("done", 6)
    assert sorted(str(row["attempts"]) for row in rows(ledger, opened.scan.id).values()) == [
        *"112222"
    ]


def test_a_scan_waits_for_a_batch_that_a_process_elsewhere_lost(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 6)
    opened = begin(ledger, settings, tmp_path / "in")
    record_all(ledger, settings, opened)
    claim_first(ledger, opened, worker="elsewhere:77", lease_s=0.5)

    progress = finish(ledger, settings, opened)

    assert (progress.scan.status, progress.judged) == ("done", 6)


def test_nothing_is_recorded_after_a_scan_was_cancelled(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 6)
    opened = begin(ledger, settings, tmp_path / "in")
    with ledger.write() as connection:
        cancel_scan(connection, opened.scan.id)

    with pytest.raises(ListingStopped):
        record_all(ledger, settings, opened)

    assert rows(ledger, opened.scan.id) == {}


def test_resume_takes_the_listing_over_from_a_producer_that_still_lists(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 6)
    first = begin(ledger, settings, tmp_path / "in")
    second = reopen_scan(ledger, first.scan.id, settings=settings)
    record_all(ledger, settings, second)

    with pytest.raises(ListingStopped):
        record_all(ledger, settings, first)

    with ledger.read() as connection:
        assert read_progress(connection, first.scan.id).scan.images == 6
    assert len(rows(ledger, first.scan.id)) == 6


def test_a_source_that_is_away_at_resume_leaves_the_scan_open(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 3)
    opened = begin(ledger, settings, tmp_path / "in")
    (tmp_path / "in").rename(tmp_path / "away")

    with pytest.raises(SourceError, match="does not exist"):
        reopen_scan(ledger, opened.scan.id, settings=settings)

    assert rows(ledger, opened.scan.id) == {}


def test_resume_sends_again_only_when_the_broker_has_lost_messages(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 8)
    opened = begin(ledger, settings, tmp_path / "in")
    record_all(ledger, settings, opened)
    with ledger.write() as connection:
        sent = len(take_unsent(connection, 10))

    reopen_scan(ledger, opened.scan.id, settings=settings, broker_holds=sent)
    with ledger.write() as connection:
        after_nothing_was_lost = take_unsent(connection, 10)
    reopen_scan(ledger, opened.scan.id, settings=settings, broker_holds=sent - 1)
    with ledger.write() as connection:
        after_a_loss = take_unsent(connection, 10)

    assert (sent, len(after_nothing_was_lost), len(after_a_loss)) == (2, 0, 2)
