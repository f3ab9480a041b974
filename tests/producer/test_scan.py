"""A scan inside one process: every image gets one row, and only what is new is judged."""

import os
from pathlib import Path

import pytest

from db.ledger import Ledger
from db.scans import list_scans
from fakesweep.errors import ModelError, SourceError
from fakesweep.settings import Settings
from fakesweep.uri import path_of_uri
from producer.here import sweep_here
from tests.pictures import write_picture, write_pictures
from tests.sweeping import begin, record_all, rows, sweep


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
