"""Evaluate a model file through the code that serves.

It scores the images as their files are, laundered, and with what could give a class away swapped.
Laundered means that both classes pass through JPEG of one seeded range of qualities before the view
is made, so that neither keeps its own codec.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from detector.image import decode_image
from detector.model import Detector, load_detector
from detector.views import whole_view
from training.augment import encode_jpeg, encode_png
from training.draft import as_published, draft_card
from training.load import LIMIT_PX, decode_file
from training.metrics import rank_sources
from training.prepare import Prepared

log = logging.getLogger(__name__)

JPEG_QUALITIES = (75, 95)
SWAP_QUALITY = 90
SWAP_LIMIT = 0.02
SLICE = 256

Scores = NDArray[np.float64]
Rewrite = Callable[[NDArray[np.uint8], int], bytes]


def open_model(file: Path) -> Detector:
    """Load a model file as a worker would, uncalibrated.

    Raises:
        ModelError: The file is no model that the detector can load.
    """
    return load_detector(as_published(file.parent, draft_card(file, "draft")))


def score_split(detector: Detector, prepared: Prepared, inside: Sequence[int]) -> Scores:
    """Score images as their files are, shape `(n,)`, uncalibrated."""
    rows = prepared.row[list(inside)]
    return np.concatenate(
        [
            detector.score_views(prepared.views[rows[start : start + SLICE]])
            for start in range(0, len(rows), SLICE)
        ]
    )


def score_rewritten(
    detector: Detector, prepared: Prepared, inside: Sequence[int], rewrite: Rewrite, threads: int
) -> Scores:
    """Score images whose decoded pixels were written anew by `rewrite(pixels, index)`, shape
    `(n,)`, uncalibrated.
    """

    def view(index: int) -> NDArray[np.uint8]:
        pixels = decode_file(prepared.images[index].path)[0].pixels
        content = rewrite(pixels, index)
        return whole_view(decode_image(content, limit_px=LIMIT_PX).pixels, prepared.views.shape[1])

    scores: list[Scores] = []
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(inside), SLICE):
            views = np.stack(list(pool.map(view, inside[start : start + SLICE])))
            scores.append(detector.score_views(views))
    return np.concatenate(scores)


def launder(seed: int) -> Rewrite:
    """Return a rewriting as JPEG of a quality in 75-95 that seed and index decide, whatever the
    label.
    """

    def rewrite(pixels: NDArray[np.uint8], index: int) -> bytes:
        low, high = JPEG_QUALITIES
        quality = int(np.random.default_rng((seed, index)).integers(low, high + 1))
        return encode_jpeg(pixels, quality)

    return rewrite


def measure_format_swap(
    detector: Detector, prepared: Prepared, inside: Sequence[int], threads: int
) -> dict[str, Any]:
    """Write one class as JPEG and the other as PNG, then the other way round.

    A sound model's AUC barely moves.
    """
    labels = [prepared.images[index].label for index in inside]
    sources = [prepared.images[index].source for index in inside]
    aucs = {}
    for name, jpeg_label in (("real_jpeg_fake_png", 0), ("real_png_fake_jpeg", 1)):

        def rewrite(pixels: NDArray[np.uint8], index: int, jpeg_label: int = jpeg_label) -> bytes:
            if prepared.images[index].label == jpeg_label:
                return encode_jpeg(pixels, SWAP_QUALITY)
            return encode_png(pixels)

        scores = score_rewritten(detector, prepared, inside, rewrite, threads)
        aucs[name] = rank_sources(np.array(labels), scores, sources)
    first, second = aucs.values()
    changes = {
        "auc_change": abs(first["val_auc"] - second["val_auc"]),
        "auc_paired_change": abs(first["val_auc_paired"] - second["val_auc_paired"]),
    }
    return {
        **{
            name: {"auc": a["val_auc"], "auc_paired": a["val_auc_paired"]}
            for name, a in aucs.items()
        },
        **changes,
        "limit": SWAP_LIMIT,
        "passed": max(changes.values()) <= SWAP_LIMIT,
    }


def measure_file_facts(
    prepared: Prepared, train: Sequence[int], held_out: Sequence[int], seed: int
) -> dict[str, Any]:
    """Classify by width, height and bytes per pixel alone.

    What it gains is what the files give away without their pixels.
    """
    labels = np.array([image.label for image in prepared.images])
    classifier = HistGradientBoostingClassifier(
        class_weight="balanced", random_state=seed, max_iter=100
    )
    classifier.fit(prepared.file_facts[list(train)], labels[list(train)])
    scores = classifier.predict_proba(prepared.file_facts[list(held_out)])[:, 1]
    sources = [prepared.images[index].source for index in held_out]
    aucs = rank_sources(labels[list(held_out)], scores, sources)
    return {
        "auc": float(roc_auc_score(labels[list(held_out)], scores)),
        "auc_paired": aucs["val_auc_paired"],
        "per_paired_source": {
            name.removeprefix("val_auc."): auc
            for name, auc in aucs.items()
            if name.startswith("val_auc.")
        },
    }
