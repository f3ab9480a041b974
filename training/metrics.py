"""Measure scores against labels: overall, per source, and on the sources that hold both classes.

A source of one class has no AUC of its own; it is ranked against all images of the other class.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from training.batches import paired_sources
from training.calibrate import Thresholds

ECE_BINS = 15

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


def rank_sources(labels: Labels, scores: Scores, sources: Sequence[str]) -> dict[str, float]:
    """Give the AUCs that epochs are chosen by.

    Keys: `val_auc` over all images, `val_auc.<source>` of each paired source, `val_auc_paired`,
    their mean weighted by their images (the AUC of a small source is mostly noise), and `val_choice`, the
    mean of overall and paired.
    """
    overall = float(roc_auc_score(labels, scores))
    names = np.array(sources)
    paired = paired_sources(sources, labels.tolist())
    aucs = {
        f"val_auc.{name}": float(roc_auc_score(labels[names == name], scores[names == name]))
        for name in paired
    }
    sizes = [int((names == name).sum()) for name in paired]
    mean = float(np.average(list(aucs.values()), weights=sizes)) if aucs else overall
    return {"val_auc": overall, **aucs, "val_auc_paired": mean, "val_choice": (mean + overall) / 2}


def measure(labels: Labels, scores: Scores, thresholds: Thresholds) -> dict[str, Any]:
    """Measure one group of images, at `fake_threshold` where a decision is needed.

    Ranks are None for one class only.
    """
    flagged = (scores >= thresholds.fake_threshold).astype(np.int64)
    (tn, fp), (fn, tp) = confusion_matrix(labels, flagged, labels=[0, 1]).tolist()
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, flagged, average="binary", zero_division=0
    )
    both = len(set(labels.tolist())) == 2
    return {
        "n": len(labels),
        "real": int((labels == 0).sum()),
        "fake": int((labels == 1).sum()),
        "accuracy": (tp + tn) / len(labels),
        "precision": float(precision) if tp + fn else None,
        "recall": float(recall) if tp + fn else None,
        "f1": float(f1) if tp + fn else None,
        "fpr": fp / (fp + tn) if fp + tn else None,
        "auc": float(roc_auc_score(labels, scores)) if both else None,
        "ap": float(average_precision_score(labels, scores)) if both else None,
        "tpr_at_fpr_1": tpr_at_fpr(labels, scores, 0.01) if both else None,
        "ece": expected_calibration_error(labels, scores),
        "brier": float(np.mean((scores - labels) ** 2)),
        "accuracy_at_half": float(np.mean((scores >= 0.5) == labels)),
        "confusion": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
        "verdicts": {
            name: count_verdicts(scores[labels == label], thresholds)
            for label, name in ((0, "real"), (1, "fake"))
            if (labels == label).any()
        },
    }


def count_verdicts(scores: Scores, thresholds: Thresholds) -> dict[str, int]:
    """Count the verdicts that scores get."""
    fake = int((scores >= thresholds.fake_threshold).sum())
    real = int((scores < thresholds.real_threshold).sum())
    return {"real": real, "uncertain": len(scores) - real - fake, "fake": fake}


def measure_sources(
    labels: Labels, scores: Scores, sources: Sequence[str], thresholds: Thresholds
) -> dict[str, Any]:
    """Measure a split: `overall`, and `per_source`, where a source of one class is ranked against
    all of the other class.
    """
    names = np.array(sources)
    per_source: dict[str, Any] = {}
    for name in sorted(set(sources)):
        inside = names == name
        facts = measure(labels[inside], scores[inside], thresholds)
        facts["paired"] = facts["auc"] is not None
        if not facts["paired"]:
            against = inside | (labels != labels[inside][0])
            if len(set(labels[against].tolist())) == 2:
                ranks = measure(labels[against], scores[against], thresholds)
                facts |= {key: ranks[key] for key in ("auc", "ap", "tpr_at_fpr_1")}
        per_source[name] = facts
    aucs = [facts["auc"] for facts in per_source.values() if facts["paired"]]
    overall = measure(labels, scores, thresholds)
    overall["auc_paired_mean"] = float(np.mean(aucs)) if aucs else None
    overall["auc_paired_worst"] = min(aucs) if aucs else None
    return {"overall": overall, "per_source": per_source}


def tpr_at_fpr(labels: Labels, scores: Scores, fpr: float) -> float:
    """Return the highest true-positive rate that flags at most `fpr` of the real images."""
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(true[false <= fpr].max())


def expected_calibration_error(labels: Labels, scores: Scores) -> float:
    """Return the ECE over 15 equal bins (Guo et al. 2017).

    How far the mean score is from the share of fakes.
    """
    bins = np.minimum((scores * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [
        (bins == number).mean() * abs(scores[bins == number].mean() - labels[bins == number].mean())
        for number in np.unique(bins)
    ]
    return float(np.sum(gaps))
