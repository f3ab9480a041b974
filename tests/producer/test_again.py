"""Images whose latest verdict meets a condition are judged again, each once, kills or not."""

from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from db.batches import next_batch
from db.ledger import Ledger
from db.schema import scans, verdicts
from fakesweep.errors import NothingToJudge, QueryRefused
from fakesweep.settings import Settings
from producer import again, listing
from producer.listing import record_images
from producer.scan import OpenedScan, begin_scan, reopen_scan
from producer.sources import judged_sources
from tests.pictures import write_pictures
from tests.sweeping import finish, rows, sweep
from worker.sweep import Sweeper


def begin_where(
    ledger: Ledger,
    settings: Settings,
    where: str,
    *paths: Path,
    model: str | None = None,
) -> OpenedScan:
    return begin_scan(
        ledger,
        judged_sources([str(path) for path in paths], where),
        settings=settings,
        model=model,
        rescan=True,
        priority="bulk",
    )


def count_scans(ledger: Ledger) -> int:
    with ledger.read() as connection:
        return int(connection.execute(select(func.count()).select_from(scans)).scalar_one())


def set_verdict(ledger: Ledger, picture: Path, verdict: str, score: float) -> None:
    with ledger.write() as connection:
        connection.execute(
            update(verdicts)
            .where(verdicts.c.uri == str(picture))
            .values(verdict=verdict, score=score)
        )


@pytest.mark.parametrize("word", ["current", ":current", "CURRENT"])
def test_old_verdicts_are_judged_again_by_the_current_version(
    ledger: Ledger, settings: Settings, tmp_path: Path, word: str
) -> None:
    old, new = write_pictures(tmp_path / "old", 3), write_pictures(tmp_path / "new", 2)
    sweep(ledger, settings, tmp_path / "old", model="small-2")
    sweep(ledger, settings, tmp_path / "new")

    opened = begin_where(ledger, settings, f"model_version <> {word}")
    progress = finish(ledger, settings, opened)

    assert progress.scan.status == "done"
    assert set(rows(ledger, progress.scan.id)) == set(map(str, old))
    assert new[0].exists()
    with pytest.raises(NothingToJudge, match="nothing to judge"):
        begin_where(ledger, settings, f"model_version <> {word}")


def test_the_word_current_means_the_version_that_the_scan_judges_with(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 2)
    sweep(ledger, settings, tmp_path / "in")

    opened = begin_where(ledger, settings, "model_version <> current", model="small-2")

    assert finish(ledger, settings, opened).judged == 2


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("verdict = 'fake'", [0]),
        ("score BETWEEN 0.4 AND 0.6", [1]),
        ("latest_verdicts.score < 0.4 OR verdict = 'fake'", [0, 2]),
        ("uri LIKE '%/picture%' AND verdict = 'real'", [2]),
        ("verdict = 'current; :current --(' OR verdict = 'real'", [2]),
        ("uri IN (SELECT uri FROM verdicts WHERE verdict = 'uncertain')", [1]),
        ("CAST(score AS text) LIKE '0.9%'", [0]),
    ],
)
def test_a_condition_may_be_whatever_sql_allows(
    ledger: Ledger, settings: Settings, tmp_path: Path, where: str, chosen: list[int]
) -> None:
    pictures = [
        path.rename(path.with_name(f"picture{path.name}"))
        for path in write_pictures(tmp_path / "in", 3)
    ]
    sweep(ledger, settings, tmp_path / "in")
    for picture, verdict, score in zip(
        pictures, ("fake", "uncertain", "real"), (0.9, 0.5, 0.1), strict=True
    ):
        set_verdict(ledger, picture, verdict, score)

    opened = begin_where(ledger, settings, where)

    progress = finish(ledger, settings, opened)
    assert set(rows(ledger, progress.scan.id)) == {str(pictures[number]) for number in chosen}


def test_a_source_narrows_the_condition_down(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    inside = write_pictures(tmp_path / "in", 2)
    write_pictures(tmp_path / "in-beside", 2)
    odd = tmp_path / "in" / "\udcff.jpg"
    odd.write_bytes(inside[0].read_bytes())
    sweep(ledger, settings, tmp_path)

    progress = finish(ledger, settings, begin_where(ledger, settings, "1 = 1", tmp_path / "in"))

    found = set(rows(ledger, progress.scan.id))
    assert set(map(str, inside)) < found
    assert len(found) == 3


@pytest.mark.parametrize(
    "where",
    [
        "",
        "no_such_column = 1",
        "verdict = ",
        "verdict = 'fake",
        "1 = 1; DELETE FROM verdicts",
        "1 = 1) OR (1 = 1",
        "1 = 1)",
        "(1 = 1",
        "1 = 1 -- and nothing else",
        "1 = 1 /* and nothing else",
        "count(*) > 1",
        "uri = :other",
        "id IN (DELETE FROM verdicts RETURNING id)",
        "id IN (WITH gone AS (DELETE FROM verdicts RETURNING id) SELECT id FROM gone)",
    ],
)
def test_a_condition_that_is_wrong_or_writes_records_nothing(
    ledger: Ledger, settings: Settings, tmp_path: Path, where: str
) -> None:
    write_pictures(tmp_path / "in", 2)
    first = sweep(ledger, settings, tmp_path / "in")

    with pytest.raises(QueryRefused) as caught:
        begin_where(ledger, settings, where)

    assert "\n" not in str(caught.value)
    assert count_scans(ledger) == 1
    assert len(rows(ledger, first.scan.id)) == 2


def test_an_image_that_is_gone_says_so_on_its_row(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    gone, kept = write_pictures(tmp_path / "in", 2)
    sweep(ledger, settings, tmp_path / "in")
    gone.unlink()

    progress = finish(ledger, settings, begin_where(ledger, settings, "1 = 1"))

    found = rows(ledger, progress.scan.id)
    assert found[str(gone)]["error_code"] == "missing"
    assert found[str(kept)]["status"] == "done"


@pytest.mark.parametrize("recorded", [0, 1, 5])
def test_a_killed_rescan_is_resumed_without_loss_or_duplicates(
    ledger: Ledger,
    settings: Settings,
    tmp_path: Path,
    recorded: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = write_pictures(tmp_path / "in", 11)
    sweep(ledger, settings, tmp_path / "in", model="small-2")
    monkeypatch.setattr(again, "PAGE", 3)
    monkeypatch.setattr(listing, "GROUP_BATCHES", 1)
    opened = begin_where(ledger, settings, "model_version <> current")
    list_some_and_die(ledger, settings, opened, recorded)
    assert len(rows(ledger, opened.scan.id)) == recorded

    # What was recorded is judged before the listing goes on: its latest verdicts match no more.
    opened = reopen_scan(ledger, opened.scan.id, settings=settings)
    opened.images, images = None, opened.images
    sweep_recorded(ledger, settings, opened)
    opened.images = images
    progress = finish(ledger, settings, opened)

    assert progress.scan.status == "done"
    assert (progress.scan.images, progress.judged) == (11, 11)
    found = rows(ledger, progress.scan.id)
    assert set(found) == set(map(str, pictures))
    assert {row["attempts"] for row in found.values()} == {1}
    with pytest.raises(NothingToJudge):
        begin_where(ledger, settings, "model_version <> current")


def list_some_and_die(
    ledger: Ledger, settings: Settings, opened: OpenedScan, recorded: int
) -> None:
    """Leave behind what a listing that is killed after some images leaves behind."""
    assert opened.images is not None
    some = [next(opened.images) for _ in range(recorded)]

    class Killed(Exception):
        pass

    def until_killed() -> object:
        yield from some
        raise Killed

    with pytest.raises(Killed):
        record_images(
            ledger,
            opened.scan,
            until_killed(),
            opened.findings,
            settings=settings.model_copy(update={"message_images": 1}),
        )


def sweep_recorded(ledger: Ledger, settings: Settings, opened: OpenedScan) -> None:
    sweeper = Sweeper(settings)
    while True:
        with ledger.read() as connection:
            batch_id = next_batch(connection, opened.scan.id)
        if batch_id is None:
            break
        sweeper.sweep(batch_id, opened.scan.model_version)
    sweeper.close()
