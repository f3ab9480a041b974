"""The format-swap gate: a sound model's AUC barely moves when the classes swap file formats."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import rank_sources

SWAP_QUALITY = 90
SWAP_LIMIT = 0.02

Scores = NDArray[np.float64]


def measure_format_swap(
    labels: NDArray[np.int64], sources: Sequence[str], *, as_png: Scores, as_jpeg: Scores
) -> dict[str, Any] | None:
    """Rank with one class as JPEG and the other as PNG, then the other way round.

    Args:
        as_png: Scores of all images as PNG, which has the very pixels that were decoded.
        as_jpeg: Scores of all images as JPEG of quality 90.

    Returns:
        Both AUCs, overall and on paired sources, their changes and whether they are at most 0.02;
        None where one class has no score.
    """
    scored = ~(np.isnan(as_png) | np.isnan(as_jpeg))
    kept, names = labels[scored], np.array(sources)[scored].tolist()
    if len(set(kept.tolist())) < 2:
        return None
    aucs = {}
    for name, jpeg_label in (("real_jpeg_fake_png", 0), ("real_png_fake_jpeg", 1)):
        scores = np.where(kept == jpeg_label, as_jpeg[scored], as_png[scored])
        ranks = rank_sources(kept, scores, names)
        aucs[name] = {"auc": ranks["val_auc"], "auc_paired": ranks["val_auc_paired"]}
    first, second = aucs.values()
    changes = {f"{key}_change": abs(first[key] - second[key]) for key in ("auc", "auc_paired")}
    return {
        **aucs,
        **changes,
        "images": len(kept),
        "limit": SWAP_LIMIT,
        "passed": max(changes.values()) <= SWAP_LIMIT,
    }
