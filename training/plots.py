"""Draw what was measured: confusion, ROC, PR, calibration, scores, risk, robustness, history."""

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from training.batches import paired_sources
from training.metrics import Scored
from training.risk import reliability, risk_curve

REAL, FAKE, INK, GREY = "#3b7ea1", "#c8553d", "#22262b", "#9aa3ad"
COLOURS = [
    "#22262b", "#c8553d", "#3b7ea1", "#5a8f4e", "#8a63a6", "#c69214",
    "#3aa6a0", "#b05a82", "#7a6a58", "#5b6fb5", "#98a83a",
]  # fmt: skip
STYLE: Any = {  # matplotlib spells out 300 keys in its type
    "font.family": "DejaVu Sans",  # the one that matplotlib brings along
    "font.size": 9,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#eceff2",
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": "#59626c",
    "ytick.color": "#59626c",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "svg.hashsalt": "fakesweep",
}


def draw_confusion(confusion: dict[str, int], fake_threshold: float) -> Figure:
    """Draw the confusion matrix at `fake_threshold` with counts and shares of each true class."""
    counts = np.array([[confusion["tn"], confusion["fp"]], [confusion["fn"], confusion["tp"]]])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with _figure() as (figure, axes):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xticks([0, 1], ["not flagged", "flagged fake"])
        axes.set_yticks([0, 1], ["real", "fake"])
        axes.set_ylabel("label")
        axes.set_title(f"score at or above {fake_threshold:.4f}")
        for row in range(2):
            for column in range(2):
                axes.text(
                    column,
                    row,
                    f"{counts[row, column]:,}\n{shares[row, column]:.1%}",
                    ha="center",
                    va="center",
                    fontsize=11,
                    color="white" if shares[row, column] > 0.5 else INK,
                )
    return figure


def draw_roc(found: Scored) -> Figure:
    """Draw the ROC curve of all images and of each source that holds both classes."""
    with _figure() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        for colour, (name, group) in zip(COLOURS, _groups(found), strict=False):
            false, true, _ = roc_curve(group.labels, group.scores)
            axes.plot(false, true, color=colour, label=f"{name}: {auc(false, true):.3f}")
        _label(axes, "false-positive rate", "true-positive rate")
        axes.legend(loc="lower right", title="AUC", title_fontsize=8)
    return figure


def draw_precision(found: Scored) -> Figure:
    """Draw precision against recall of all images and of each source that holds both classes."""
    with _figure() as (figure, axes):
        for colour, (name, group) in zip(COLOURS, _groups(found), strict=False):
            precision, recall, _ = precision_recall_curve(group.labels, group.scores)
            axes.plot(recall, precision, color=colour, label=name)
        _label(axes, "recall", "precision")
        axes.set_ylim(0, 1.02)
        axes.legend(loc="lower left")
    return figure


def draw_reliability(found: Scored) -> Figure:
    """Draw the share of fakes against the mean score, before and after the calibration."""
    with _figure() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        for scores, name, colour in (
            (found.before, "before calibration", GREY),
            (found.scores, "after calibration", INK),
        ):
            bins = reliability(found.labels, scores)
            sizes = [12 + 90 * (step["n"] / len(found.labels)) ** 0.5 for step in bins]
            x, y = [step["score"] for step in bins], [step["fakes"] for step in bins]
            axes.plot(x, y, color=colour, linewidth=1)
            axes.scatter(x, y, s=sizes, color=colour, label=name, zorder=3)
        _label(axes, "mean score of a bin (dot: number of images)", "share of fakes in it")
        axes.legend(loc="upper left")
    return figure


def draw_scores(found: Scored, thresholds: tuple[float, float]) -> Figure:
    """Draw how the scores of both classes are spread, with the band of `uncertain`."""
    with _figure() as (figure, axes):
        axes.axvspan(*thresholds, color="#f3efe4", zorder=0, label="uncertain")
        bins = np.linspace(0, 1, 41).tolist()
        for label, name, colour in ((0, "real", REAL), (1, "fake", FAKE)):
            scores = found.scores[found.labels == label]
            if len(scores):
                weights = np.full(len(scores), 1 / len(scores))
                axes.hist(
                    scores,
                    bins=bins,
                    weights=weights.tolist(),
                    alpha=0.65,
                    label=name,
                    color=colour,
                )
        for threshold in thresholds:
            axes.axvline(threshold, color=INK, linewidth=0.9, linestyle="--")
        axes.set_yscale("symlog", linthresh=0.01)
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
        _label(axes, "score", "share of the class")
        axes.legend(loc="upper center", ncols=3)
    return figure


def draw_risk(found: Scored) -> Figure:
    """Draw the share of wrong calls among the surest images against how many are covered."""
    with _figure() as (figure, axes):
        points = risk_curve(found.labels, found.scores)
        axes.plot([100 * c for c, _ in points], [100 * r for _, r in points], color=INK)
        axes.set_ylim(bottom=0)
        _label(axes, "images covered, surest first (%)", "wrong calls at 0.5 (%)")
    return figure


def draw_robustness(robustness: dict[str, Any]) -> Figure:
    """Draw the AUC of each source against the strength of each kind of rewriting."""
    kinds = robustness["kinds"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 6.4), layout="constrained")
        panels = figure.subplots(2, 3, sharey=True).flatten()
        for axes, (kind, facts) in zip(panels, kinds.items(), strict=False):
            steps = ["as is", *(f"{level:g}" for level in facts["levels"])]
            if len(facts["levels"]) == 1:
                steps = ["as is", "rewritten"]
            for colour, name in zip(COLOURS, _overall_first(facts["auc"]), strict=False):
                curve = [robustness["as_is"][name], *facts["auc"][name]]
                if None not in curve:
                    width = 2.2 if name == "overall" else 1.2
                    axes.plot(steps, curve, color=colour, label=name, marker=".", linewidth=width)
            axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
            axes.set_title(kind)
        panels[0].set_ylabel("AUC")
        panels[3].set_ylabel("AUC")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=6)
    return figure


def draw_history(history: Sequence[dict[str, Any]], best_epoch: int | None) -> Figure:
    """Draw the loss and the validation AUCs of every epoch."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(12, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [record.get("epoch", number) + 1 for number, record in enumerate(history)]
        for axes, wanted, label in ((left, "loss", "loss"), (right, "auc", "validation AUC")):
            names = sorted({key for record in history for key in record if wanted in key})
            for colour, name in zip(COLOURS, names, strict=False):
                values = [record.get(name) for record in history]
                axes.plot(
                    epochs,
                    [np.nan if value is None else value for value in values],
                    color=colour,
                    label=name.removeprefix("val_"),
                    marker="." if len(epochs) < 3 else "",
                )
            if best_epoch is not None:
                axes.axvline(best_epoch + 1, color=GREY, linewidth=0.8, linestyle="--")
            _label(axes, "epoch (dashed: the one kept)", label)
            if names:
                axes.legend(fontsize=7)
    return figure


def as_png(figure: Figure) -> bytes:
    """Render as a PNG file."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="png", dpi=130)
    return stream.getvalue()


def as_data_uri(figure: Figure) -> str:
    """Render as an SVG that stands inside a page, the same bytes for the same figure."""
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(stream.getvalue()).decode()}"


@contextmanager
def _figure(width: float = 4.6, height: float = 4.0) -> Iterator[tuple[Figure, Axes]]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()


def _groups(found: Scored) -> list[tuple[str, Scored]]:
    names = np.array(found.sources)
    paired = paired_sources(found.sources, found.labels.tolist())
    return [("all images", found), *((name, found.take(names == name)) for name in paired)]


def _overall_first(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != "overall", name))


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
