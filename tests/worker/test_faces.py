"""A worker judges the faces of an image and says why one could not be judged."""

import json
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.model import Detector, load_detector
from detector.registry import find_model
from fakesweep.settings import Settings
from tests.models import publish_small_model
from worker.judging import judge_images
from worker.threads import ImageThreads


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    folder = tmp_path_factory.mktemp("models")
    publish_small_model(folder, "faces-1", finds_faces=True)
    return load_detector(find_model(folder, "faces-1"), device_batch=8)


@pytest.fixture
def face(test_data: Path) -> np.ndarray:
    return cv2.imread(str(sorted((test_data / "faces/celeba").rglob("*.jpg"))[0]))


def judge(paths: list[Path], detector: Detector) -> list:
    with closing(ImageThreads(Settings(threads=2))) as threads:
        return list(
            judge_images(
                [str(path) for path in paths],
                detector,
                threads=threads,
                known=None,
                progress=lambda: None,
            )
        )


def test_each_face_has_a_record(tmp_path: Path, detector: Detector, face: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "two.png"), np.concatenate([face, face[:, ::-1]], axis=1))

    (outcome,) = judge([tmp_path / "two.png"], detector)

    faces = json.loads(outcome.faces)
    assert len(faces) == 2
    assert outcome.score == max(record["score"] for record in faces)
    assert {(record["reason"], record["finder"]) for record in faces} == {(None, "blaze")}
    assert outcome.reason is None


@pytest.mark.parametrize("reason", ["face_too_small", "face_degraded"])
def test_an_image_whose_face_cannot_be_judged_says_why(
    tmp_path: Path, detector: Detector, face: np.ndarray, reason: str
) -> None:
    if reason == "face_too_small":
        face = cv2.resize(face, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    else:
        face = cv2.resize(cv2.GaussianBlur(face, (0, 0), 4), None, fx=3, fy=3)
    cv2.imwrite(str(tmp_path / "face.png"), face)

    (outcome,) = judge([tmp_path / "face.png"], detector)

    assert (outcome.status, outcome.verdict, outcome.score) == ("done", "uncertain", None)
    assert outcome.reason == reason
    (record,) = json.loads(outcome.faces)
    assert record["reason"] == reason
    assert 0 <= record["score"] <= 1


def test_group_pictures_and_empty_ones_go_through_one_batch(
    tmp_path: Path, detector: Detector, face: np.ndarray
) -> None:
    cv2.imwrite(str(tmp_path / "group.png"), np.tile(face, (2, 5, 1)))
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((200, 200, 3), 90, dtype=np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = [tmp_path / f"{name}.png" for name in ("group", "empty", "broken")] * 4

    outcomes = judge(paths, detector)

    assert [outcome.uri for outcome in outcomes] == [str(path) for path in paths]
    assert len(json.loads(outcomes[0].faces)) == 8
    assert [outcome.verdict for outcome in outcomes[1:3]] == ["no_face", None]
    assert outcomes[2].error_code == "unreadable"
    assert {outcome.score for outcome in outcomes[::3]} == {outcomes[0].score}
