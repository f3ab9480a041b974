"""Draw how the AUC of every source falls as its images are rewritten: JPEG, WebP, scale, blur, noise.

Measured on a seeded sample, at most 60 images per source and class; levels are short lists, so that
they travel in a card.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.model import Detector
from training.rewrite import (
    Rewrite,
    add_noise,
    blur,
    crop_screenshot,
    keep,
    rescale,
    write_jpeg,
    write_webp,
)
from training.scoring import score_images

SAMPLE = 60
AS_IS = "as is"

Labels = NDArray[np.int64]


def list_rewrites(seed: int) -> dict[str, list[tuple[float, Rewrite]]]:
    """List the rewritings by kind, each with its level, from mild to strong."""
    return {
        "JPEG quality": [(q, write_jpeg(q)) for q in (95, 80, 65, 50, 40, 30)],
        "WebP quality": [(q, write_webp(q)) for q in (90, 75, 50)],
        "rescaled to": [(f, rescale(f)) for f in (0.9, 0.75, 0.6, 0.5)],
        "blur, sigma px": [(s, blur(s)) for s in (0.5, 1.0, 1.5, 2.0)],
        "noise, sigma of 255": [(s, add_noise(s, seed)) for s in (2, 5, 10)],
        "screenshot-like crop": [(1, crop_screenshot(seed))],
    }


def pick_sample(
    labels: Labels, sources: Sequence[str], *, seed: int, most: int = SAMPLE
) -> list[int]:
    """Pick at most `most` images of every source and class, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    picked: list[int] = []
    cells = sorted(set(zip(sources, labels.tolist(), strict=True)))
    for source, label in cells:
        members = np.flatnonzero((np.array(sources) == source) & (labels == label))
        picked += rng.permutation(members)[:most].tolist()
    return sorted(picked)


def measure_robustness(
    detector: Detector,
    paths: Sequence[Path],
    labels: Labels,
    sources: Sequence[str],
    *,
    splits: Sequence[str],
    seed: int,
    threads: int,
    on_scored: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure the AUC per source under each rewriting.

    A source of one class is ranked against all images of the other class of its split; `overall`
    ranks the images of the first split named.

    Returns:
        `n` per source and of the `split` that is `overall`; `as_is` per source; and per kind its `levels` with a list of AUCs per source
        (None where nothing could be ranked) and `overall`, and of the share without a score.
    """
    kinds = list_rewrites(seed)
    rewrites: dict[str, Rewrite] = {AS_IS: keep}
    for kind, steps in kinds.items():
        rewrites |= {f"{kind} {level}": rewrite for level, rewrite in steps}
    judged, _ = score_images(detector, paths, rewrites, threads=threads, on_scored=on_scored)
    ranked = {
        name: rank_groups(labels, found.raw, sources, splits) for name, found in judged.items()
    }
    names = list(ranked[AS_IS])
    return {
        "split": splits[0],
        "n": {name: list(sources).count(name) for name in names}
        | {"overall": list(splits).count(splits[0])},
        "as_is": ranked[AS_IS],
        "kinds": {
            kind: {
                "levels": [level for level, _ in steps],
                "auc": {
                    name: [ranked[f"{kind} {level}"][name] for level, _ in steps] for name in names
                },
                "without_score": [
                    float(np.isnan(judged[f"{kind} {level}"].raw).mean()) for level, _ in steps
                ],
            }
            for kind, steps in kinds.items()
        },
    }


def rank_groups(
    labels: Labels,
    raw: NDArray[np.float64],
    sources: Sequence[str],
    splits: Sequence[str] | None = None,
) -> dict[str, float | None]:
    """Give the AUC of every source, and `overall` of the first split; without images that have no
    score. All images are of one split where none are named.
    """
    scored = ~np.isnan(raw)
    names, parts = np.array(sources), np.array(splits or [""] * len(labels))
    aucs: dict[str, float | None] = {}
    for name in sorted(set(sources)):
        inside = names == name
        if len(set(labels[inside].tolist())) < 2:
            beside = np.isin(parts, parts[inside])
            inside = inside | (beside & (labels != labels[inside][0]))
        aucs[name] = auc_or_none(labels[inside & scored], raw[inside & scored])
    first = scored & (parts == parts[0])
    return aucs | {"overall": auc_or_none(labels[first], raw[first])}


def auc_or_none(labels: Labels, scores: NDArray[np.float64]) -> float | None:
    """Return the AUC, None where a class is missing."""
    return float(roc_auc_score(labels, scores)) if len(set(labels.tolist())) == 2 else None
