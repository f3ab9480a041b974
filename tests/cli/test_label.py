"""`label`: who said what about which bytes."""

import getpass
import hashlib
import json
from pathlib import Path

import pytest

from tests.commands import run
from tests.pictures import write_pictures
from training.manifest import read_manifest


def labels() -> list[dict[str, object]]:
    return [json.loads(line) for line in run("label", "--list", "--json").stdout.splitlines()]


def test_several_images_are_labelled_at_once(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "in", 2)

    done = run("label", *map(str, pictures), "fake", "--who", "ann", "--note", "six fingers")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "labelled by ann: 0 real, 2 fake\n"
    assert [(row["uri"], row["sha256"], row["label"], row["who"], row["note"]) for row in labels()] == [
        (str(path), hashlib.sha256(path.read_bytes()).hexdigest(), "fake", "ann", "six fingers")
        for path in pictures
    ]  # fmt: skip


def test_labelling_again_corrects_and_keeps_the_history(tmp_path: Path) -> None:
    (picture,) = write_pictures(tmp_path / "in", 1)

    run("label", str(picture), "fake")
    run("label", str(picture), "real")

    assert [(row["label"], row["who"]) for row in labels()] == [("real", getpass.getuser())]
    history = json.loads(run("query", "--json", "SELECT count(*) AS n FROM labels").stdout)
    assert history == {"n": 2}


def test_an_image_that_is_gone_is_labelled_by_its_verdict(tmp_path: Path, model_dir: Path) -> None:
    (picture,) = write_pictures(tmp_path / "in", 1)
    sha256 = hashlib.sha256(picture.read_bytes()).hexdigest()
    run("scan", str(picture))
    picture.unlink()

    done = run("label", str(picture), "real")

    assert done.returncode == 0, done.stderr
    assert [row["sha256"] for row in labels()] == [sha256]


def test_a_review_queue_is_taken_as_a_whole(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "in", 3)
    queue = tmp_path / "queue.csv"
    queue.write_text(
        f"uri,score,label,note\n{pictures[0]},0.9,fake,ears\n{pictures[1]},0.5,,\n"
        f"{pictures[2]},0.1,Real,\n"
    )

    done = run("label", "--from", str(queue), "--who", "ann")

    assert done.stdout == "labelled by ann: 1 real, 1 fake\n"
    assert [(row["uri"], row["label"], row["note"]) for row in labels()] == [
        (str(pictures[0]), "fake", "ears"),
        (str(pictures[2]), "real", None),
    ]


def test_an_exported_manifest_is_what_training_reads(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "in", 2)
    run("label", str(pictures[0]), "fake")
    run("label", str(pictures[1]), "real")
    manifest = tmp_path / "reviewed.csv"

    done = run("label", "--export", str(manifest))

    assert done.returncode == 0, done.stderr
    assert manifest.read_text().splitlines()[0] == "path,label,source,group,split"
    read = read_manifest(manifest)
    assert [(image.path, image.label, image.source) for image in read.images] == [
        (pictures[0], 1, "reviewed"),
        (pictures[1], 0, "reviewed"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of"),
        (["a.jpg", "real", "--list"], "give one of"),
        (["a.jpg"], "and then real or fake"),
        (["a.jpg", "maybe"], "and then real or fake"),
        (["nowhere.jpg", "real"], "no such file"),
        (["folder", "real"], "no regular file"),
        (["a.jpg", "real", "--who", " "], "--who is empty"),
        (["--from", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["--from", "columns.csv"], "has no column label"),
        (["--from", "word.csv"], "word.csv, line 3: a label is real (0) or fake (1)"),
        (["--from", "gone.csv"], "gone.csv, line 2: nowhere.jpg"),
        (["--export", "labels.xlsx"], ".csv, .parquet"),
    ],
)
def test_a_mistake_is_one_line_and_records_nothing(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    run("db", "upgrade")
    (tmp_path / "a.jpg").write_bytes(b"any bytes")
    (tmp_path / "folder").mkdir()
    (tmp_path / "columns.csv").write_text("uri,verdict\na.jpg,real\n")
    (tmp_path / "word.csv").write_text("uri,label\na.jpg,real\na.jpg,perhaps\n")
    (tmp_path / "gone.csv").write_text("uri,label\nnowhere.jpg,real\na.jpg,real\n")

    done = run("label", *arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert message in done.stderr
    assert labels() == []
