"""A scan inside one process: every image gets one row, and only what is new is judged."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from db.batches import claim_batch, next_batch
from db.counts import Progress, read_progress
from db.ledger import Ledger
from db.scans import cancel_scan, list_scans
from db.schema import verdicts
from db.tending import take_unsent
from fakesweep.errors import ModelError, SourceError
from fakesweep.settings import Settings
from fakesweep.uri import path_of_uri
from producer.here import sweep_here
from producer.listing import ListingStopped, record_images
from producer.scan import OpenedScan, begin_scan, reopen_scan
from producer.sources import local_sources
from tests.pictures import write_picture, write_pictures


def sweep(
    ledger: Ledger,
    settings: Settings,
    *paths: Path,
    rescan: bool = False,
    model: str | None = None,
) -> Progress:
    opened = begin_scan(
        ledger,
        local_sources([str(path) for path in paths], None),
        settings=settings,
        model=model,
        rescan=rescan,
        priority="bulk",
    )
    sweep_here(ledger, opened, settings=settings, observe=lambda: None)
    with ledger.read() as connection:
        return read_progress(connection, opened.scan.id)


def begin(ledger: Ledger, settings: Settings, folder: Path) -> OpenedScan:
    return begin_scan(
        ledger,
        local_sources([str(folder)], None),
        settings=settings,
        model=None,
        rescan=False,
        priority="bulk",
    )


def record_all(ledger: Ledger, settings: Settings, opened: OpenedScan) -> None:
    assert opened.images is not None
    record_images(ledger, opened.scan, opened.images, opened.findings, settings=settings)
    opened.images = None


def rows(ledger: Ledger, scan_id: int) -> dict[str, dict[str, object]]:
    with ledger.read() as connection:
        found = connection.execute(select(verdicts).where(verdicts.c.scan_id == scan_id))
        return {row.uri: dict(row._mapping) for row in found}


def test_every_image_gets_one_row_and_a_broken_one_a_reason(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "in", 11)
    (tmp_path / "in/empty.jpg").write_bytes(b"")

    progress = sweep(ledger, settings, tmp_path / "in")

    assert progress.scan.status == "done"
    assert (progress.judged, progress.failed, progress.scan.images) == (12, 1, 12)
    found = rows(ledger, progress.scan.id)
    assert set(found) == {str(path) for path in [*pictures, tmp_path / "in/empty.jpg"]}
    assert found[str(tmp_path / "in/empty.jpg")]["error_code"] == "unreadable"
    judged = found[str(pictures[0])]
    assert judged["verdict"] in {"fake", "real", "uncertain"}
    assert judged["model_version"] == "small-1"
    assert (judged["width"], judged["height"], judged["format"]) == (96, 96, "jpeg")
    assert judged["size_bytes"] == pictures[0].stat().st_size
    assert judged["mtime"] == pictures[0].stat().st_mtime


def test_unchanged_images_are_not_judged_again(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "in", 6)
    first = sweep(ledger, settings, tmp_path / "in")
    write_picture(pictures[0], 77)
    os.utime(pictures[1], (1, 1))
    write_picture(tmp_path / "in/new.jpg", 78)

    second = sweep(ledger, settings, tmp_path / "in")

    assert (second.scan.images, second.scan.unchanged, second.judged) == (7, 4, 3)
    assert second.scan.status == "done"
    again = rows(ledger, second.scan.id)
    assert set(again) == {str(path) for path in [*pictures[:2], tmp_path / "in/new.jpg"]}
    assert again[str(pictures[1])]["reused"]
    before = rows(ledger, first.scan.id)
    assert again[str(pictures[1])]["score"] == before[str(pictures[1])]["score"]


def test_a_rescan_judges_all(ledger: Ledger, settings: Settings, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", 5)
    sweep(ledger, settings, tmp_path / "in")

    again = sweep(ledger, settings, tmp_path / "in", rescan=True)

    assert (again.scan.unchanged, again.judged) == (0, 5)
    assert not any(row["reused"] for row in rows(ledger, again.scan.id).values())


def test_another_model_version_judges_all(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 5)
    first = sweep(ledger, settings, tmp_path / "in")

    second = sweep(ledger, settings, tmp_path / "in", model="small-2")

    assert (second.scan.unchanged, second.judged) == (0, 5)
    scores = [
        {uri: row["score"] for uri, row in rows(ledger, progress.scan.id).items()}
        for progress in (first, second)
    ]
    assert scores[0] != scores[1]


def test_copies_take_over_the_verdict_without_inference(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "in/a.jpg", 1)
    (tmp_path / "in/b.jpg").write_bytes(picture.read_bytes())
    first = sweep(ledger, settings, tmp_path / "in")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/c.jpg").write_bytes(picture.read_bytes())

    second = sweep(ledger, settings, tmp_path / "other")

    both = [*rows(ledger, first.scan.id).values(), *rows(ledger, second.scan.id).values()]
    assert sorted(bool(row["reused"]) for row in both) == [False, True, True]
    assert len({(row["verdict"], row["score"], row["sha256"]) for row in both}) == 1


def test_a_file_that_vanishes_or_changes_after_listing_is_recorded_as_it_is_read(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    gone, changed = write_pictures(tmp_path / "in", 2)
    opened = begin(ledger, settings, tmp_path / "in")
    record_all(ledger, settings, opened)
    gone.unlink()
    write_picture(changed, 50)
    os.utime(changed, (5, 5))

    sweep_here(ledger, opened, settings=settings, observe=lambda: None)

    found = rows(ledger, opened.scan.id)
    assert found[str(gone)]["error_code"] == "missing"
    assert found[str(changed)]["mtime"] == 5
    assert found[str(changed)]["size_bytes"] == changed.stat().st_size


def test_images_with_strange_names_are_judged(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "one.jpg", 1).read_bytes()
    strange = [
        "new\nline.jpg",
        "-dash.jpg",
        "=1+1.jpg",
        "漢 ü%20.jpg",
        os.fsdecode(b"\xff\xfe.jpg"),
    ]
    for number, name in enumerate(strange):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(picture + bytes([number]))

    progress = sweep(ledger, settings, tmp_path / "in")

    found = rows(ledger, progress.scan.id)
    assert {path_of_uri(uri) for uri in found} == {str(tmp_path / "in" / n) for n in strange}
    assert {row["status"] for row in found.values()} == {"done"}
    assert sweep(ledger, settings, tmp_path / "in").scan.unchanged == len(strange)


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

    sweep_here(
        ledger,
        reopen_scan(ledger, opened.scan.id, settings=settings),
        settings=settings,
        observe=lambda: None,
    )

    with ledger.read() as connection:
        progress = read_progress(connection, opened.scan.id)
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
    with ledger.write() as connection:
        batch_id = next_batch(connection, opened.scan.id)
        assert batch_id is not None
        claim_batch(connection, batch_id, worker=f"{socket.gethostname()}:{dead.pid}", lease_s=3600)

    sweep_here(
        ledger,
        reopen_scan(ledger, opened.scan.id, settings=settings),
        settings=settings,
        observe=lambda: None,
    )

    with ledger.read() as connection:
        progress = read_progress(connection, opened.scan.id)
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
    with ledger.write() as connection:
        batch_id = next_batch(connection, opened.scan.id)
        assert batch_id is not None
        claim_batch(connection, batch_id, worker="elsewhere:77", lease_s=0.5)

    sweep_here(ledger, opened, settings=settings, observe=lambda: None)

    with ledger.read() as connection:
        progress = read_progress(connection, opened.scan.id)
    assert (progress.scan.status, progress.judged) == ("done", 6)


def test_a_failed_image_is_tried_again_though_an_older_verdict_fits_it(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    picture = write_picture(tmp_path / "in/a.jpg", 1)
    content, facts = picture.read_bytes(), picture.stat()
    sweep(ledger, settings, tmp_path / "in")
    picture.write_bytes(b"")
    assert sweep(ledger, settings, tmp_path / "in").failed == 1
    picture.write_bytes(content)
    os.utime(picture, ns=(facts.st_mtime_ns, facts.st_mtime_ns))

    again = sweep(ledger, settings, tmp_path / "in")

    assert (again.scan.unchanged, again.judged, again.failed) == (0, 1, 0)


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


def test_a_folder_without_images_records_nothing(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/notes.txt").write_text("words")

    with pytest.raises(SourceError, match=r"no image in .*1 files were passed over"):
        sweep(ledger, settings, tmp_path / "in")

    with ledger.read() as connection:
        assert list_scans(connection, 10) == []


def test_an_altered_model_file_records_nothing(
    ledger: Ledger, settings: Settings, tmp_path: Path, small_models: Path
) -> None:
    write_pictures(tmp_path / "in", 1)
    altered = tmp_path / "models"
    for name in ("model.keras", "card.json"):
        (altered / "small-1").mkdir(parents=True, exist_ok=True)
        (altered / "small-1" / name).write_bytes((small_models / "small-1" / name).read_bytes())
    with (altered / "small-1/model.keras").open("r+b") as file:
        file.seek(200)
        file.write(b"x")

    with pytest.raises(ModelError, match=r"model\.keras"):
        sweep(
            ledger, settings.model_copy(update={"model_dir": altered}), tmp_path / "in",
            model="small-1",
        )  # fmt: skip

    with ledger.read() as connection:
        assert list_scans(connection, 10) == []
