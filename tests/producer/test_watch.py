"""New images are judged as they arrive, once, and only when they are fully written."""

import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from db.ledger import Ledger
from db.schema import verdicts
from fakesweep.settings import Settings
from producer.scan import begin_scan
from producer.sources import Sources, named_sources
from producer.watch import Arrivals, Watch
from tests.buckets import s3_server, upload
from tests.pictures import write_picture, write_pictures
from tests.sweeping import finish, sweep

PATIENCE_S = 60.0


@contextmanager
def watching(ledger: Ledger, settings: Settings, *sources: str) -> Iterator[threading.Thread]:
    def begin(new: Sources) -> None:
        opened = begin_scan(
            ledger, new, settings=settings, model=None, rescan=False, priority="high"
        )
        finish(ledger, settings, opened)

    watch = Watch(ledger, settings, named_sources(sources, None), 0.4, 0.5, begin)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            watch.run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        watch.stop.set()
        thread.join()
        assert not failed, failed


def judged(ledger: Ledger) -> dict[str, int]:
    """Count the closed rows of each image."""
    with ledger.read() as connection:
        uris = connection.execute(
            select(verdicts.c.uri).where(verdicts.c.status.in_(("done", "failed")))
        ).scalars()
        counts: dict[str, int] = {}
        for uri in uris:
            counts[uri] = counts.get(uri, 0) + 1
        return counts


def wait_until(watch: threading.Thread, reached: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not reached():
        assert watch.is_alive()
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.1)


def test_what_arrives_is_judged_once(ledger: Ledger, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    old = write_pictures(folder, 2)
    sweep(ledger, settings, folder)
    late = write_picture(folder / "sub/late.jpg", 10)  # arrived while nobody watched

    with watching(ledger, settings, str(folder)) as watch:
        wait_until(watch, lambda: str(late) in judged(ledger))
        new = write_picture(tmp_path / "new.png", 11)
        shutil.move(new, folder / "new.png")
        (folder / "notes.txt").write_text("words")
        (folder / ".part.jpg").write_bytes(b"x")
        (folder / "deep/er").mkdir(parents=True)
        write_picture(folder / "deep/er/x.jpg", 12)
        moved = write_pictures(tmp_path / "moved", 2)
        shutil.move(tmp_path / "moved", folder / "moved")
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            archive.write(old[0], "in/x.jpg")
        expected = {
            *map(str, old),
            str(late),
            f"{folder}/new.png",
            f"{folder}/deep/er/x.jpg",
            *(f"{folder}/moved/{path.name}" for path in moved),
            f"{folder}/a.zip!/in/x.jpg",
        }
        wait_until(watch, lambda: set(judged(ledger)) >= expected)

    assert set(judged(ledger)) == expected
    assert set(judged(ledger).values()) == {1}


def test_a_bucket_is_looked_at_again_and_again(
    ledger: Ledger, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server(monkeypatch):
        write_pictures(tmp_path / "in", 2)
        upload(tmp_path / "in")
        with watching(ledger, settings, "s3://archive") as watch:
            wait_until(watch, lambda: len(judged(ledger)) == 2)
            write_picture(tmp_path / "new/b.jpg", 30)
            upload(tmp_path / "new")
            wait_until(watch, lambda: "s3://archive/b.jpg" in judged(ledger))
            time.sleep(1.5)

        assert set(judged(ledger).values()) == {1}


def test_a_file_settles_when_it_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "growing.jpg"
    arrivals = Arrivals([str(tmp_path)], named_sources((str(tmp_path),), None), 2.0)
    path.write_bytes(b"x")
    arrivals.add(str(path), 0.0)

    assert arrivals.ready(1.9) == []
    path.write_bytes(b"xx")
    assert arrivals.ready(2.1) == []
    assert arrivals.ready(4.0) == []
    assert arrivals.ready(4.2) == [str(path)]
    assert arrivals.ready(9.0) == []
    arrivals.add(str(path), 10.0)
    assert arrivals.ready(20.0) == []  # given before, and still the same
    path.write_bytes(b"xxx")
    arrivals.add(str(path), 30.0)
    path.unlink()
    assert arrivals.ready(40.0) == []


def test_what_lies_in_a_folder_that_comes_is_found_without_events(tmp_path: Path) -> None:
    arrivals = Arrivals([str(tmp_path)], named_sources((str(tmp_path),), None), 2.0)
    first = write_picture(tmp_path / "new/a.jpg", 1)
    arrivals.add(str(tmp_path / "new"), 0.0)
    second = write_picture(tmp_path / "new/b/c.jpg", 2)
    write_picture(tmp_path / "new/.git/c.jpg", 2)

    assert arrivals.ready(1.0) == []
    assert arrivals.ready(2.5) == [str(first)]
    assert arrivals.ready(5.0) == []
    assert arrivals.ready(8.0) == [str(second)]
    assert arrivals.ready(20.0) == []
