"""A due moment is taken once; what was missed is made up for once; two runs never overlap."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from db.ledger import Ledger
from db.scans import cancel_scan, list_scans
from db.schedules import latest_run, list_schedules
from db.schema import schedules
from fakesweep.errors import SourceError
from fakesweep.settings import ScheduledScan, Settings
from producer.schedules import (
    DueRun,
    add_schedule,
    begin_run,
    check_cron,
    list_states,
    read_settings,
    take_due,
)
from producer.sources import named_sources
from tests.pictures import write_pictures
from tests.sweeping import finish

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)


def add(ledger: Ledger, folder: Path, cron: str = "0 2 * * *", *, since: datetime) -> None:
    write_pictures(folder, 3)
    add_schedule(ledger, "nightly", cron, named_sources([str(folder)], None), priority="bulk")
    with ledger.write() as connection:
        connection.execute(update(schedules).values(since=since))


def take(ledger: Ledger, settings: Settings, now: datetime) -> list[DueRun]:
    return take_due(ledger, settings, now)


def test_missed_moments_are_made_up_for_once(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    add(ledger, tmp_path / "in", since=NOW - timedelta(days=3))

    (run,) = take(ledger, settings, NOW)

    assert (run.due_at, run.missed) == (datetime(2026, 11, 20, 2, tzinfo=UTC), 2)
    assert take(ledger, settings, NOW) == []
    begin_run(ledger, "nightly", run.run_id, settings=settings)
    assert take(ledger, settings, NOW + timedelta(hours=13)) == []
    (later,) = take(ledger, settings, NOW + timedelta(hours=15))
    assert (later.due_at, later.missed) == (datetime(2026, 11, 21, 2, tzinfo=UTC), 0)


def test_of_many_that_look_at_once_one_takes_it(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    add(ledger, tmp_path / "in", since=NOW - timedelta(days=1))
    taken: list[DueRun] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(take(ledger, settings, NOW))) for _ in range(6)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1


def test_times_are_those_of_the_time_zone(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    add(ledger, tmp_path / "in", since=datetime(2026, 6, 30, 23, tzinfo=UTC))
    berlin = settings.model_copy(update={"time_zone": "Europe/Berlin"})

    (summer,) = take(ledger, berlin, datetime(2026, 7, 1, 1, tzinfo=UTC))

    assert summer.due_at == datetime(2026, 7, 1, 0, tzinfo=UTC)
    (state,) = list_states(ledger, berlin)
    assert state.next_at is not None
    assert state.next_at.hour == 1  # two o'clock in winter


def test_no_two_scans_of_a_schedule_at_once(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    add(ledger, tmp_path / "in", since=NOW - timedelta(days=1))
    (first,) = take(ledger, settings, NOW)
    opened = begin_run(ledger, "nightly", first.run_id, settings=settings)
    assert opened is not None
    (second,) = take(ledger, settings, NOW + timedelta(days=1))

    again = begin_run(ledger, "nightly", second.run_id, settings=settings)

    assert again is not None  # its listing had broken off, and goes on
    assert again.scan.id == opened.scan.id
    finish(ledger, settings, again)
    (third,) = take(ledger, settings, NOW + timedelta(days=2))
    after = begin_run(ledger, "nightly", third.run_id, settings=settings)
    assert after is not None
    assert after.scan.id != opened.scan.id
    from tests.sweeping import record_all

    record_all(ledger, settings, after)
    (fourth,) = take(ledger, settings, NOW + timedelta(days=3))
    assert begin_run(ledger, "nightly", fourth.run_id, settings=settings) is None
    with ledger.read() as connection:
        run = latest_run(connection, "nightly")
    assert run is not None
    assert "still under way" in str(run.note)


def test_a_run_that_came_to_nothing_is_taken_again(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    add(ledger, tmp_path / "in", since=NOW - timedelta(days=1))
    (run,) = take(ledger, settings, NOW)

    soon = take(ledger, settings, NOW + timedelta(minutes=4))
    later = take(ledger, settings, NOW + timedelta(minutes=6))

    assert soon == []
    assert [one.run_id for one in later] == [run.run_id]
    begin_run(ledger, "nightly", run.run_id, settings=settings)
    assert take(ledger, settings, NOW + timedelta(minutes=30)) == []


def test_a_run_that_cannot_begin_keeps_the_reason(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    add(ledger, tmp_path / "in", since=NOW - timedelta(days=1))
    for path in (tmp_path / "in").iterdir():
        path.unlink()
    (run,) = take(ledger, settings, NOW)

    with pytest.raises(SourceError, match="no image"):
        begin_run(ledger, "nightly", run.run_id, settings=settings)

    assert take(ledger, settings, NOW + timedelta(hours=1)) == []
    (state,) = list_states(ledger, settings)
    assert state.run is not None
    assert "no image" in str(state.run.note)


def test_the_scan_of_a_run_names_it(ledger: Ledger, settings: Settings, tmp_path: Path) -> None:
    add(ledger, tmp_path / "in", since=NOW - timedelta(days=1))
    (run,) = take(ledger, settings, NOW)
    begin_run(ledger, "nightly", run.run_id, settings=settings)

    with ledger.write() as connection:
        (scan,) = list_scans(connection, 5)
        cancel_scan(connection, scan.id)
    (state,) = list_states(ledger, settings)

    assert scan.schedule_run == run.run_id
    assert state.run is not None
    assert (state.run.scan_id, state.run.scan_status) == (scan.id, "cancelled")


def test_schedules_of_the_settings_come_and_go(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    def said(**named: ScheduledScan) -> Settings:
        return settings.model_copy(update={"schedules": named})

    nightly = ScheduledScan(cron="0 2 * * *", sources=(str(tmp_path),))
    read_settings(ledger, said(a=nightly, b=nightly))
    with ledger.read() as connection:
        before = list_schedules(connection)
    read_settings(ledger, said(a=nightly, c=nightly))
    with ledger.read() as connection:
        after = list_schedules(connection)

    assert [schedule.name for schedule in before] == ["a", "b"]
    assert [schedule.name for schedule in after] == ["a", "c"]
    assert after[0].since == before[0].since
    add_schedule(ledger, "mine", "0 3 * * *", named_sources([str(tmp_path)], None), priority="bulk")
    with pytest.raises(SourceError, match="made by command"):
        read_settings(ledger, said(mine=nightly))


@pytest.mark.parametrize("cron", ["", "0 2 * *", "61 * * * *", "0 0 31 2 *", "nightly"])
def test_a_cron_line_that_is_none_is_refused(cron: str) -> None:
    with pytest.raises(SourceError, match="expected minute, hour") as caught:
        check_cron(cron)

    assert repr(cron) in str(caught.value)
