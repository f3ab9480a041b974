"""Drawn pictures of two classes, and one real training run on them that several tests look at."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.fit import FitOptions
from training.runs import TrainOptions
from training.train import RunFacts, train


def draw_picture(seed: int, *, fake: bool, side: int = 96) -> np.ndarray:
    """Draw soft random colour; a fake one carries a fine grid."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (6, 6, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(int)
    if fake:
        y, x = np.mgrid[0:side, 0:side]
        picture += ((x // 4 + y // 4) % 2 * 60 - 30)[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_pictures(folder: Path, count: int, *, fake: bool, start: int = 0) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(start, start + count):
        path = folder / f"{number:03}.jpg"
        assert cv2.imwrite(str(path), draw_picture(number + 1000 * fake, fake=fake))
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder / "real", 20, fake=False)
    write_pictures(folder / "fake", 20, fake=True)
    return folder


@pytest.fixture(scope="session")
def run(pictures, tmp_path_factory) -> RunFacts:
    return train(
        TrainOptions(
            output=tmp_path_factory.mktemp("run"),
            real=[pictures / "real"],
            fake=[pictures / "fake"],
            val_share=0.4,
            arch="cnn",
            views=["whole"],
            fit=FitOptions(epochs=2, batch_size=8, seed=3),
        )
    )
