"""Draw and write what a run measured.

Confusion matrix, ROC curves and score histogram as PNG, all numbers as JSON.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from training.batches import paired_sources
from training.files import write_bytes, write_text

DECIMALS = 4

Labels = NDArray[np.int64]
Scores = NDArray[np.float64]


def write_metrics(path: Path, facts: dict[str, Any]) -> None:
    """Write facts as indented JSON, floats to four decimals."""
    write_text(path, json.dumps(round_floats(facts), indent=2) + "\n")


def round_floats(facts: Any) -> Any:
    """Round every float in nested dicts and lists to four decimals."""
    if isinstance(facts, dict):
        return {key: round_floats(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [round_floats(value) for value in facts]
    return round(facts, DECIMALS) if isinstance(facts, float) else facts


def draw_confusion(path: Path, confusion: dict[str, int], fake_threshold: float) -> None:
    """Draw the confusion matrix at `fake_threshold` with counts and shares of each true class."""
    counts = np.array([[confusion["tn"], confusion["fp"]], [confusion["fn"], confusion["tp"]]])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks([0, 1], ["not flagged", "flagged fake"])
    axes.set_yticks([0, 1], ["real", "fake"])
    axes.set_ylabel("label")
    axes.set_title(f"score >= {fake_threshold:.3f}")
    for row in range(2):
        for column in range(2):
            axes.text(
                column,
                row,
                f"{counts[row, column]}\n{shares[row, column]:.1%}",
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
            )
    _save(figure, path)


def draw_roc(path: Path, labels: Labels, scores: Scores, sources: Sequence[str]) -> None:
    """Draw the ROC curve of all images and of each source that holds both classes."""
    names = np.array(sources)
    curves = {"all": np.ones(len(labels), dtype=bool)}
    curves |= {name: names == name for name in paired_sources(sources, labels.tolist())}
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    for name, inside in curves.items():
        fpr, tpr, _ = roc_curve(labels[inside], scores[inside])
        auc = roc_auc_score(labels[inside], scores[inside])
        axes.plot(fpr, tpr, label=f"{name}: AUC {auc:.3f}, n {inside.sum()}")
    axes.set_xlabel("FPR")
    axes.set_ylabel("TPR")
    axes.legend(loc="lower right", fontsize=8)
    _save(figure, path)


def draw_scores(
    path: Path, labels: Labels, scores: Scores, thresholds: tuple[float, float]
) -> None:
    """Draw the histogram of the scores of both classes, with `(real_threshold, fake_threshold)`."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    bins = [step / 40 for step in range(41)]
    for label, name in ((0, "real"), (1, "fake")):
        axes.hist(scores[labels == label], bins=bins, alpha=0.6, label=name)
    for threshold in thresholds:
        axes.axvline(threshold, color="black", linewidth=1, linestyle="--")
    axes.set_xlabel("score")
    axes.set_ylabel("images")
    axes.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    write_bytes(path, stream.getvalue())
