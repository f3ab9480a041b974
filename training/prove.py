"""Prove a model folder in a fresh process: load it by checksum and repeat the card's golden scores.

`python -m training.prove FOLDER` ends with 0, or with 2 and one line that says what is wrong.
"""

import sys
from pathlib import Path

import numpy as np

from detector.card import ModelCard, read_card
from detector.engine import OPENVINO, TENSORFLOW
from detector.golden import compare_golden, golden_views
from detector.model import Detector, load_detector
from detector.registry import CARD_FILE
from fakesweep.errors import ModelError
from training.draft import as_published


def score_golden(detector: Detector) -> dict[str, float]:
    """Score each golden view, by name."""
    names, views = zip(*golden_views(), strict=True)
    return dict(zip(names, detector.score_views(np.stack(views)).tolist(), strict=True))


def prove(folder: Path) -> None:
    """Load a model folder into each engine that can serve it, and compare golden scores with the card's.

    Raises:
        ModelError: A file is not what the card says, or a golden score is off by more than 1e-4.
    """
    card = read_card(folder / CARD_FILE)
    for engine in (TENSORFLOW, OPENVINO):
        if engine == TENSORFLOW or card.serving is not None:
            _compare(
                folder, card, score_golden(load_detector(as_published(folder, card), engine=engine))
            )


def _compare(folder: Path, card: ModelCard, scores: dict[str, float]) -> None:
    expected = {golden.name: golden.score for golden in card.golden}
    if expected.keys() != scores.keys():
        raise ModelError(
            f"{folder / CARD_FILE}: golden scores expected for {', '.join(sorted(scores))};"
            f" received: {', '.join(sorted(expected)) or 'none'}"
        )
    if fault := compare_golden(scores, expected):
        raise ModelError(f"{folder}: {fault}")


def main(arguments: list[str]) -> int:
    """Prove the one folder named."""
    try:
        prove(Path(arguments[0]))
    except ModelError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
