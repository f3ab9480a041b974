"""The models that ship judge as they did when they were published, and fit into a package."""

from pathlib import Path

import numpy as np
import pytest

from detector.golden import golden_views
from detector.image import decode_image
from detector.judge import judge_views
from detector.model import load_detector
from detector.registry import BUILTIN_DIR, find_model, list_models, verify_model
from detector.views import make_views

NOWHERE = Path("/nowhere")
SHIPPED = sorted(path.name for path in BUILTIN_DIR.iterdir())


def test_the_newest_is_the_default() -> None:
    newest = max((find_model(NOWHERE, name) for name in SHIPPED), key=lambda m: m.card.created_at)

    assert find_model(NOWHERE).version == newest.version == "lite-1"
    assert {model.version for model in list_models(NOWHERE)} == set(SHIPPED)


@pytest.mark.parametrize("version", SHIPPED)
def test_each_repeats_the_scores_of_its_card(version: str) -> None:
    model = find_model(NOWHERE, version)
    verify_model(model)
    detector = load_detector(model)

    scores = detector.score_views(np.stack([pixels for _, pixels in golden_views()]))

    assert scores == pytest.approx([golden.score for golden in model.card.golden], abs=1e-4)


def test_they_fit_into_a_package() -> None:
    sizes = [path.stat().st_size for path in BUILTIN_DIR.rglob("*") if path.is_file()]

    assert sum(sizes) < 20_000_000


def test_the_default_tells_photos_from_generated_portraits(test_data: Path) -> None:
    detector = load_detector(find_model(NOWHERE))
    scores: dict[str, list[float]] = {"lfw": [], "generated_photos": []}
    for source, found in scores.items():
        for path in sorted((test_data / "faces" / source).rglob("*.jpg"))[-12:]:
            pixels = decode_image(path.read_bytes(), limit_px=10**8).pixels
            views = make_views(pixels, detector.card, detector.finder)
            raw = detector.score_views(np.stack([view.pixels for view in views]))
            judgement = judge_views(views, raw.tolist(), detector.card)
            assert judgement.score is not None
            found.append(judgement.score)

    assert np.median(scores["lfw"]) < 0.5 < np.median(scores["generated_photos"])
    assert max(scores["lfw"]) < detector.card.thresholds.fake_threshold
