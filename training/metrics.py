"""Measure scores against labels: overall, per source, and on the sources that hold both classes.

A source of one class has no AUC of its own; it is ranked against all images of the other class of the
same split. An image without a score (no face, or none that can be judged) is counted and left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
from training.intervals import auc_interval, rate_bound, tpr_interval
from training.risk import area_under_risk, expected_calibration_error

RANKS = (
    "auc",
    "auc_interval",
    "ap",
    "eer",
    "tpr_at_fpr_1",
    "tpr_at_fpr_1_interval",
    "tpr_at_fpr_01",
    "tpr_at_fpr_01_interval",
    "fpr_bound",
)

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """A split's scores beside what is known of its images, each of shape `(n,)`.

    Attributes:
        labels: 0 real, 1 fake.
        sources: The source of each image.
        scores: Calibrated; NaN where the image has none.
        before: The same before the calibration.
        reasons: Why an image has no score (`no_face`, `face_too_small`, ...), else None.
    """

    labels: Labels
    sources: Sequence[str]
    scores: Scores
    before: Scores
    reasons: Sequence[str | None]

    def take(self, inside: NDArray[np.bool_]) -> "Scored":
        """Take some of the images."""
        return Scored(
            self.labels[inside],
            [name for name, taken in zip(self.sources, inside, strict=True) if taken],
            self.scores[inside],
            self.before[inside],
            [reason for reason, taken in zip(self.reasons, inside, strict=True) if taken],
        )

    def judged(self) -> "Scored":
        """Take the images that have a score."""
        return self.take(~np.isnan(self.scores))


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


def measure(found: Scored, thresholds: Thresholds) -> dict[str, Any]:
    """Measure one group of images, at `fake_threshold` where a decision is needed.

    Rates and ranks count the images that have a score; `fake_flagged` counts all fakes. A figure
    that needs a class which is not there is None.
    """
    judged = found.judged()
    labels, scores = judged.labels, judged.scores
    flagged = (scores >= thresholds.fake_threshold).astype(np.int64)
    (tn, fp), (fn, tp) = confusion_matrix(labels, flagged, labels=[0, 1]).tolist()
    real, fake, n = tn + fp, tp + fn, len(labels)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, flagged, average="binary", zero_division=0
    )
    fakes = int((found.labels == 1).sum())
    return {
        "n": len(found.labels),
        "real": int((found.labels == 0).sum()),
        "fake": fakes,
        "judged": n,
        "unjudged": count_reasons(found.reasons),
        "accuracy": (tp + tn) / n if n else None,
        "precision": float(precision) if fake else None,
        "recall": float(recall) if fake else None,
        "f1": float(f1) if fake else None,
        "fpr": fp / real if real else None,
        "fpr_upper": rate_bound(fp, real) if real else None,
        "false_positives_per_million": _per_million(fp, real),
        "fake_flagged": tp / fakes if fakes else None,
        **rank(labels, scores),
        "ece": expected_calibration_error(labels, scores) if n else None,
        "ece_before": expected_calibration_error(labels, judged.before) if n else None,
        "ece_balanced": _balanced_ece(labels, scores),
        "brier": float(np.mean((scores - labels) ** 2)) if n else None,
        "aurc": area_under_risk(labels, scores) if n else None,
        "accuracy_at_half": float(np.mean((scores >= 0.5) == labels)) if n else None,
        "uncertain": _share_uncertain(scores, thresholds),
        "confusion": {"tn": tn, "fp": fp, "fn": fn, "tp": tp},
        "verdicts": {
            name: count_verdicts(scores[labels == label], thresholds)
            for label, name in ((0, "real"), (1, "fake"))
            if (labels == label).any()
        },
    }


def rank(labels: Labels, scores: Scores) -> dict[str, Any]:
    """Measure how well scores rank; every figure is None for one class only.

    `fpr_bound` is the lowest FPR of which these reals could say, with 95 %, that it is not exceeded.
    """
    if len(set(labels.tolist())) < 2:
        return dict.fromkeys(RANKS)
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "auc_interval": auc_interval(labels, scores),
        "ap": float(average_precision_score(labels, scores)),
        "eer": equal_error_rate(labels, scores),
        "tpr_at_fpr_1": tpr_at_fpr(labels, scores, 0.01),
        "tpr_at_fpr_1_interval": tpr_interval(labels, scores, 0.01),
        "tpr_at_fpr_01": tpr_at_fpr(labels, scores, 0.001),
        "tpr_at_fpr_01_interval": tpr_interval(labels, scores, 0.001),
        "fpr_bound": rate_bound(0, int((labels == 0).sum())),
    }


def measure_sources(found: Scored, thresholds: Thresholds) -> dict[str, Any]:
    """Measure a split: `overall`, and `per_source`, where a source of one class is ranked against
    all of the other class.
    """
    names = np.array(found.sources)
    per_source: dict[str, Any] = {}
    for name in sorted(set(found.sources)):
        inside = names == name
        facts = measure(found.take(inside), thresholds)
        facts["paired"] = len(set(found.labels[inside].tolist())) == 2
        if not facts["paired"]:
            against = found.take(inside | (found.labels != found.labels[inside][0])).judged()
            facts |= rank(against.labels, against.scores)
        per_source[name] = facts
    ranked = {name: facts for name, facts in per_source.items() if facts["auc"] is not None}
    paired = [facts["auc"] for facts in ranked.values() if facts["paired"]]
    aucs = [facts["auc"] for facts in ranked.values()]
    overall = measure(found, thresholds)
    overall["auc_paired_mean"] = float(np.mean(paired)) if paired else None
    overall["auc_paired_worst"] = min(paired) if paired else None
    overall["auc_source_mean"] = float(np.mean(aucs)) if aucs else None
    overall["auc_source_worst"] = min(aucs) if aucs else None
    return {"overall": overall, "per_source": per_source}


def count_verdicts(scores: Scores, thresholds: Thresholds) -> dict[str, int]:
    """Count the verdicts that scores get."""
    fake = int((scores >= thresholds.fake_threshold).sum())
    real = int((scores < thresholds.real_threshold).sum())
    return {"real": real, "uncertain": len(scores) - real - fake, "fake": fake}


def count_reasons(reasons: Sequence[str | None]) -> dict[str, int]:
    """Count why images have no score."""
    return {
        reason: list(reasons).count(reason)
        for reason in sorted({reason for reason in reasons if reason is not None})
    }


def tpr_at_fpr(labels: Labels, scores: Scores, fpr: float) -> float:
    """Return the highest true-positive rate that flags at most `fpr` of the real images."""
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    return float(true[false <= fpr].max())


def equal_error_rate(labels: Labels, scores: Scores) -> float:
    """Return the error rate where as large a share of the reals is flagged as of the fakes missed."""
    false, true, _ = roc_curve(labels, scores)
    gaps = false - (1 - true)
    after = int(np.argmax(gaps >= 0))
    before = max(after - 1, 0)
    step = gaps[after] - gaps[before]
    share = -gaps[before] / step if step else 0.0
    return float(false[before] + share * (false[after] - false[before]))


def _per_million(fp: int, real: int) -> dict[str, float] | None:
    if not real:
        return None
    return {"measured": round(1e6 * fp / real), "at_most": round(1e6 * rate_bound(fp, real))}


def _balanced_ece(labels: Labels, scores: Scores) -> float | None:
    if len(set(labels.tolist())) < 2:
        return None
    weights = np.where(labels == 1, 0.5 / (labels == 1).sum(), 0.5 / (labels == 0).sum())
    return expected_calibration_error(labels, scores, weights)


def _share_uncertain(scores: Scores, thresholds: Thresholds) -> float | None:
    if not len(scores):
        return None
    return count_verdicts(scores, thresholds)["uncertain"] / len(scores)
