"""`drift`: recent scans beside their model's card, or beside its earliest scan."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from db.ledger import Ledger
from db.scans import create_scan, end_listing
from db.schema import scans, verdicts
from tests.commands import run

EDGES = [number / 20 for number in range(21)]
LOW = [number / 400 for number in range(100)]  # scores of the two lowest tenths, and a bit
HIGH = [1 - score for score in LOW]
MIDDLE = [0.4 + score for score in LOW]


@pytest.fixture
def commands(
    ledger: Ledger,
    database_url: str,
    tmp_path: Path,
    small_models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The command finds this ledger and a registry of its own, which is given."""
    models = tmp_path / "models"
    shutil.copytree(small_models, models)
    monkeypatch.setenv("FAKESWEEP_MODEL_DIR", str(models))
    monkeypatch.setenv("FAKESWEEP_DATABASE_URL", database_url)
    return models


def give_reference(models: Path, **changes: object) -> None:
    file = models / "small-1/card.json"
    card = json.loads(file.read_text())
    real = [25 if low < 0.25 else 0 for low in EDGES[:-1]]
    card["training"] = {
        "reference": {
            "edges": EDGES,
            "real": real,
            "fake": real[::-1],
            "no_face_share": 0.0,
            "failed_share": 0.0,
        }
        | changes
    }
    file.write_text(json.dumps(card))


def record(
    ledger: Ledger, root: str, scores: Sequence[float], *, folder: str = "", failed: int = 0
) -> int:
    with ledger.write() as connection:
        scan_id = create_scan(
            connection,
            sources={"paths": [root]},
            model_version="small-1",
            priority="bulk",
            rescan=False,
        )
        closed = {"scan_id": scan_id, "batch_id": 1, "attempts": 1, "reused": False}
        judged = [{"status": "done", "verdict": "real", "score": score} for score in scores]
        rows = judged + [{"status": "failed", "verdict": None, "score": None}] * failed
        connection.execute(
            insert(verdicts),
            [
                closed
                | row
                | {
                    "uri": f"{root}{folder}/{number}.jpg",
                    "model_version": "small-1",
                    "decided_at": datetime.now(UTC),
                }
                for number, row in enumerate(rows)
            ],
        )
        end_listing(connection, scan_id, [])
    return scan_id


def drift(*arguments: str) -> tuple[int, list[dict[str, object]]]:
    done = run("drift", "--json", *arguments)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_each_root_is_compared_with_the_card(ledger: Ledger, commands: Path) -> None:
    give_reference(commands)
    record(ledger, "/steady", LOW)
    record(ledger, "/mixed", [*LOW, *HIGH])
    record(ledger, "/new-kind", MIDDLE)
    record(ledger, "/small", LOW[:10])

    status, found = drift()
    shown = run("drift")

    assert status == 1
    assert {one["root"]: one["state"] for one in found} == {
        "/steady": "steady",
        "/mixed": "more_fakes",
        "/new-kind": "drift",
        "/small": "too_few",
    }
    assert {one["reference"] for one in found} == {"the card of small-1"}
    assert shown.returncode == 1
    assert "warning: /mixed: scores: not those of real photos" in shown.stdout
    assert "warning: /new-kind: scores: large drift" in shown.stdout


def test_no_drift_exits_with_0(ledger: Ledger, commands: Path) -> None:
    give_reference(commands)
    record(ledger, "/steady", LOW)

    assert drift()[0] == 0


def test_a_share_of_failures_is_a_warning(ledger: Ledger, commands: Path) -> None:
    give_reference(commands)
    record(ledger, "/steady", LOW, failed=60)

    status, (one,) = drift()

    assert (status, one["state"]) == (1, "steady")
    assert one["warnings"] == ["failed 37.5% of the images, 0.0% in the reference"]


def test_without_a_reference_the_earliest_scan_of_the_root_stands_in(
    ledger: Ledger, commands: Path
) -> None:
    record(ledger, "/other", HIGH)
    first = record(ledger, "/archive", LOW)
    steady = record(ledger, "/archive", LOW, folder="/new")

    status, found = drift("--scan", str(steady))
    moved = record(ledger, "/archive", MIDDLE)

    assert (status, found[0]["reference"], found[0]["state"]) == (0, f"scan {first}", "steady")
    status, found = drift("--scan", str(moved))
    assert (status, found[0]["state"]) == (1, "drift")


def test_the_earliest_scan_can_be_asked_for(ledger: Ledger, commands: Path) -> None:
    give_reference(commands)
    record(ledger, "/archive", HIGH)
    record(ledger, "/archive", HIGH)

    assert drift()[0] == 1
    assert drift("--against", "earliest")[0] == 0


def test_one_scan_alone_has_nothing_to_be_compared_with(ledger: Ledger, commands: Path) -> None:
    record(ledger, "/archive", LOW)

    done = run("drift")

    assert (done.returncode, done.stdout) == (
        0,
        "no images were judged in these scans, or there is only one scan\n",
    )


def test_folders_are_looked_at_apart(ledger: Ledger, commands: Path) -> None:
    give_reference(commands)
    record(ledger, "/archive", LOW, folder="/2025")
    record(ledger, "/archive", MIDDLE, folder="/2026/11")

    _, found = drift("--by-folder")

    assert {one["root"]: one["state"] for one in found} == {
        "/archive/2025": "steady",
        "/archive/2026": "drift",
    }


def test_only_recent_scans_are_looked_at(ledger: Ledger, commands: Path) -> None:
    give_reference(commands)
    old = record(ledger, "/archive", MIDDLE)
    with ledger.write() as connection:
        connection.execute(
            update(scans)
            .where(scans.c.id == old)
            .values(created_at=datetime(2026, 1, 1, tzinfo=UTC))
        )

    assert drift() == (0, [])
    assert drift("--since", "2025-12-31")[0] == 1
    assert drift("--scan", str(old))[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "yesterday"], "30d"),
        (["--since", "999999d"], "30d"),
        (["--scan", "7"], "no scan 7"),
        ([], "card of small-1: the reference for drift needs"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(
    ledger: Ledger, commands: Path, arguments: list[str], message: str
) -> None:
    give_reference(commands, real=[1, 2, 3])
    record(ledger, "/archive", LOW)

    done = run("drift", *arguments)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert message in done.stderr
