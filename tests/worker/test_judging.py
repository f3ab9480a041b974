"""Copies within a batch share one verdict, however they are grouped; a device that fails is heard of."""

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from db.batches import ImageOutcome
from detector.model import Detector, load_detector
from detector.registry import find_model
from fakesweep.errors import ModelError
from fakesweep.settings import Settings
from tests.models import publish_small_model
from tests.pictures import write_pictures
from worker.judging import KnownContents, judge_images
from worker.threads import ImageThreads


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    publish_small_model(tmp_path / "models", "small-1")
    return load_detector(find_model(tmp_path / "models", "small-1"), device_batch=2)


@pytest.fixture
def patient(detector: Detector, tmp_path: Path) -> Detector:
    """A detector that has many images prepared ahead."""
    return load_detector(find_model(tmp_path / "models", "small-1"), device_batch=32)


def judge(paths: list[Path], detector: Detector, known: KnownContents | None) -> list[ImageOutcome]:
    with closing(ImageThreads(Settings(threads=2))) as threads:
        return list(
            judge_images(
                [str(path) for path in paths],
                detector,
                threads=threads,
                known=known,
                progress=lambda: None,
            )
        )


def copies(folder: Path, of: list[Path], times: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}-{path.name}" for number in range(times) for path in of]
    for path in paths:
        shutil.copy(of[0].parent / path.name.split("-", 1)[1], path)
    return paths


def test_copies_in_a_batch_are_scored_once(tmp_path: Path, detector: Detector) -> None:
    pictures = write_pictures(tmp_path / "in", 3)
    paths = copies(tmp_path / "copies", pictures, 7)
    asked: list[str] = []

    def known(hashes: list[str]) -> dict[str, ImageOutcome]:
        asked.extend(hashes)
        return {}

    outcomes = judge(paths, detector, known)

    assert [outcome.uri for outcome in outcomes] == [str(path) for path in paths]
    assert [outcome.reused for outcome in outcomes] == [False] * 3 + [True] * 18
    assert len({outcome.score for outcome in outcomes}) == 3
    assert all(outcomes[n].score == outcomes[n % 3].score for n in range(21))
    assert len(asked) == len(set(asked)) == 3


def test_known_contents_are_looked_up_once_and_taken_over(
    tmp_path: Path, detector: Detector
) -> None:
    pictures = write_pictures(tmp_path / "in", 3)
    paths = copies(tmp_path / "copies", pictures, 4)
    (earlier,) = judge(pictures[:1], detector, None)
    asked: list[str] = []

    def known(hashes: list[str]) -> dict[str, ImageOutcome]:
        asked.extend(hashes)
        return {str(earlier.sha256): earlier} if earlier.sha256 in hashes else {}

    outcomes = judge(paths, detector, known)

    assert [outcome.reused for outcome in outcomes[:6]] == [True, False, False, True, True, True]
    assert {outcome.score for outcome in outcomes[::3]} == {earlier.score}
    assert len(asked) == 3


def test_a_rescan_scores_every_copy(tmp_path: Path, detector: Detector) -> None:
    paths = copies(tmp_path / "copies", write_pictures(tmp_path / "in", 1), 5)

    outcomes = judge(paths, detector, None)

    assert not any(outcome.reused for outcome in outcomes)
    assert len({outcome.score for outcome in outcomes}) == 1


def test_a_device_that_fails_ends_the_batch(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fail(views: np.ndarray) -> np.ndarray:
        calls.append(len(views))
        if len(calls) == 2:
            raise ModelError("the device is gone")
        return np.zeros(len(views), dtype=np.float32)

    monkeypatch.setattr(detector.engine, "score", fail)

    with pytest.raises(ModelError, match="the device is gone"):
        judge(write_pictures(tmp_path / "in", 12), detector, lambda hashes: {})


def test_threads_end_though_images_are_left(
    tmp_path: Path, patient: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(views: np.ndarray) -> np.ndarray:
        raise ModelError("the device is gone")

    monkeypatch.setattr(patient.engine, "score", fail)
    monkeypatch.setattr(patient.engine, "least_batch", 1)

    with pytest.raises(ModelError, match="the device is gone"):
        judge(write_pictures(tmp_path / "in", 300), patient, lambda hashes: {})
