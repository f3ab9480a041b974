"""A manifest names images, and what else it says about them comes out with the verdicts."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from db.export import Selection, export_rows
from db.ledger import Ledger
from fakesweep.errors import SourceError
from fakesweep.settings import Settings
from producer.sources import named_sources
from tests.pictures import write_pictures
from tests.sweeping import rows, sweep


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    pictures = write_pictures(tmp_path / "in", 4)
    names = ["0000.jpg", str(pictures[1]), f"file://{pictures[2]}", "gone.jpg"]
    return pd.DataFrame(
        {"id": [7, 8, 9, 10], "uri": names, "desk": ["foreign", "home", None, "=1+1"]}
    )


def write(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_of_a_manifest_come_out_with_the_verdicts(
    ledger: Ledger, settings: Settings, tmp_path: Path, table: pd.DataFrame, suffix: str
) -> None:
    manifest = write(table, tmp_path / f"in/list{suffix}")

    progress = sweep(ledger, settings, manifest)

    found = rows(ledger, progress.scan.id)
    folder = tmp_path / "in"
    assert {Path(uri).name: row["status"] for uri, row in found.items()} == {
        "0000.jpg": "done",
        "0001.jpg": "done",
        "0002.jpg": "done",
        "gone.jpg": "failed",
    }
    assert set(found) == {
        f"{folder}/{name}" for name in ("0000.jpg", "0001.jpg", "0002.jpg", "gone.jpg")
    }
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        with ledger.read() as connection:
            assert export_rows(connection, Selection(progress.scan.id), str(tmp_path / name)) == 4
    exported = pd.read_parquet(tmp_path / "out.parquet").set_index("uri")
    assert list(exported["id"]) == ["7", "8", "9", "10"]
    assert exported.loc[f"{folder}/0001.jpg", "desk"] == "home"
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [str(line["id"]) for line in lines] == ["7", "8", "9", "10"]
    with (tmp_path / "out.csv").open() as stream:
        written = list(csv.DictReader(stream))
    assert written[3]["desk"] == "'=1+1"


def test_a_column_of_our_own_name_is_told_apart(
    ledger: Ledger, settings: Settings, tmp_path: Path, table: pd.DataFrame
) -> None:
    manifest = write(table.rename(columns={"desk": "verdict"}), tmp_path / "in/list.csv")

    progress = sweep(ledger, settings, manifest)

    with ledger.read() as connection:
        export_rows(connection, Selection(progress.scan.id), str(tmp_path / "out.csv"))
    out = pd.read_csv(tmp_path / "out.csv")
    assert list(out["manifest_verdict"])[:2] == ["foreign", "home"]
    assert set(out["verdict"].dropna()) <= {"real", "fake", "uncertain", "no_face"}


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_manifest_without_uri_is_refused_before_anything_is_recorded(
    tmp_path: Path, name: str
) -> None:
    manifest = write(pd.DataFrame({"path": ["x.jpg"], "label": [1]}), tmp_path / name)

    with pytest.raises(SourceError, match="no column uri; expected one, received: path, label"):
        named_sources([str(manifest)], None)


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    (tmp_path / "a.csv").write_bytes(b"")

    with pytest.raises(SourceError, match="no Parquet"):
        named_sources([str(tmp_path / "a.parquet")], None)
    with pytest.raises(SourceError, match="received: none"):
        named_sources([str(tmp_path / "a.csv")], None)


def test_rows_that_name_nothing_are_told_and_the_rest_is_judged(
    ledger: Ledger, settings: Settings, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "in", 2)
    lines = ['{"uri": "0000.jpg"}', "{broken", '{"uri": ""}', "[1]", "", '{"uri": "0001.jpg"}']
    (tmp_path / "in/list.jsonl").write_text("\n".join(lines))

    progress = sweep(ledger, settings, tmp_path / "in/list.jsonl")

    assert (progress.scan.images, progress.failed) == (2, 0)
    assert "line 2: it names no uri" in str(progress.scan.error_message)
    assert "line 4" in str(progress.scan.error_message)
