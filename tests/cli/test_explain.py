"""`explain` says what a scan would, and draws it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands import run
from tests.models import publish_small_model
from tests.pictures import write_picture


@pytest.fixture(scope="session")
def face_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a model that judges faces, and one whose every score is fake."""
    folder = tmp_path_factory.mktemp("face-models")
    publish_small_model(folder, "faces-1", finds_faces=True)
    publish_small_model(folder, "alarm-1", bias=50.0)
    (folder / "current").write_text("faces-1\n")
    return folder


@pytest.fixture
def face_dir(face_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKESWEEP_MODEL_DIR", str(face_models))
    return face_models


@pytest.fixture
def face(test_data: Path) -> Path:
    return sorted((test_data / "faces/celeba").rglob("*.jpg"))[0]


def test_an_image_is_explained_as_a_scan_judges_it(face_dir: Path, face: Path) -> None:
    explained = json.loads(run("explain", str(face), "--json").stdout)
    run("scan", str(face), "--fail-on", "never")
    sql = "SELECT verdict, score, reason, faces, model_version FROM verdicts"
    row = json.loads(run("query", sql, "--json").stdout)

    faces = json.loads(row.pop("faces")) if isinstance(row["faces"], str) else row.pop("faces")
    assert len(faces) == 1
    assert explained["faces"] == faces
    assert {name: explained[name] for name in row} == row


def test_the_answer_names_verdict_score_faces_and_version(face_dir: Path, face: Path) -> None:
    done = run("explain", str(face))

    assert done.returncode in (0, 1)
    verdict, model, first = done.stdout.splitlines()
    assert verdict.split(",")[0] in ("real", "fake", "uncertain")
    assert model == "model faces-1: real below 0.45, fake from 0.55"
    assert first.startswith("face 1: score 0.")
    assert "found by blaze" in first
    assert done.stderr == ""


@pytest.mark.parametrize("suffix", [".png", ".JPEG"])
def test_the_picture_shows_the_image_with_captions(
    face_dir: Path, face: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"heat{suffix}"

    done = run("explain", str(face), "--output", str(output))

    assert done.returncode in (0, 1)
    picture = cv2.imread(str(output))
    plain = cv2.resize(cv2.imread(str(face)), None, fx=480 / 218, fy=480 / 218)
    assert picture.shape[1] == plain.shape[1]
    assert picture.shape[0] > 480
    assert np.abs(picture[:480].astype(int) - plain[:480]).mean() < 60
    assert (picture[:480] != plain[:480]).any()


def test_a_fake_exits_with_1_and_the_whole_image_is_drawn(face_dir: Path, tmp_path: Path) -> None:
    image = write_picture(tmp_path / "a.png", 3)

    done = run(
        "explain", str(image), "--model-version", "alarm-1", "-o", str(tmp_path / "heat.png")
    )

    assert done.returncode == 1
    assert done.stdout.startswith("fake, score 1.0")
    assert cv2.imread(str(tmp_path / "heat.png")) is not None


def test_an_image_without_a_face_says_so(face_dir: Path, tmp_path: Path) -> None:
    image = write_picture(tmp_path / "a.png", 3)

    done = run("explain", str(image), "-o", str(tmp_path / "heat.png"))

    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "no_face"
    assert "no face was found in it" in done.stdout
    assert cv2.imread(str(tmp_path / "heat.png")) is not None


def test_nothing_is_recorded(face_dir: Path, tmp_path: Path) -> None:
    run("explain", str(write_picture(tmp_path / "a.png", 3)))

    assert not list(tmp_path.rglob("*.db"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gone.png", [], "gone.png does not exist"),
        ("text.png", [], "text.png: unreadable"),
        ("a.png", ["-o", "heat.gif"], "ends in .png, .jpg, .jpeg"),
        ("a.png", ["-o", "/nowhere/heat.png"], "/nowhere is not a folder"),
        ("a.png", ["-o", "/proc/heat.png"], "/proc/heat.png cannot be written"),
        ("a.png", ["-o", "a.png"], "a.png is the image itself"),
        ("a.png", ["--model-version", "unheard-of"], "unheard-of"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_2(
    face_dir: Path, tmp_path: Path, name: str, options: list[str], message: str
) -> None:
    write_picture(tmp_path / "a.png", 3)
    (tmp_path / "text.png").write_text("no picture")

    done = run("explain", name, *options, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert message in done.stderr


@pytest.mark.parametrize("content", [None, b"no network"])
def test_a_yunet_file_that_is_none_stops_a_scan_before_it_begins(
    face_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    file = tmp_path / "yunet.onnx"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("FAKESWEEP_YUNET_FILE", str(file))

    done = run("scan", str(write_picture(tmp_path / "a.png", 3)))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert f"FAKESWEEP_YUNET_FILE: expected a YuNet ONNX file. Received: {file}" in done.stderr
