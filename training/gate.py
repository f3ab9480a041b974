"""The publish gate: a new model must beat the current one on the same held-out images.

Both judge the laundered images of one set through their own views. Compared are the AUCs per source (a
source of one class against all images of the other), their mean, and the lowest of them. An image that
a model gives no score counts as 0.5 before thresholds, calibrated: it says nothing. So refusing hard
images wins nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.calibration import calibrate
from detector.model import Detector
from detector.registry import PublishedModel
from fakesweep.errors import ModelError
from training.intervals import fall_by_chance
from training.metrics import count_reasons
from training.rewrite import launder
from training.robustness import rank_groups
from training.scoring import open_raw, score_images

LEAST = 10
NOTHING_SAID = 0.5

Labels = NDArray[np.int64]


def compare_models(
    new: PublishedModel,
    current: PublishedModel,
    paths: Sequence[Path],
    labels: Labels,
    sources: Sequence[str],
    *,
    held_out: str,
    seed: int,
    threads: int = 2,
) -> dict[str, Any]:
    """Score both models on the same laundered images and say whether the new one is better.

    Raises:
        ModelError: A model cannot be loaded, or a file is gone.
    """
    ranked, unjudged, scored = {}, {}, {}
    for name, model in (("new", new), ("current", current)):
        detector = open_raw(model, threads=threads)
        scores, reasons = _score(detector, model, paths, seed, threads)
        scored[name] = scores
        ranked[name] = rank_groups(labels, scores, sources)
        unjudged[name] = count_reasons(reasons)
    return {
        "held_out": held_out,
        "images": len(paths),
        "new": new.version,
        "current": current.version,
        "unjudged": unjudged,
        **decide(
            ranked["new"],
            ranked["current"],
            sources,
            chance=_chance(labels, scored["current"], scored["new"], sources),
        ),
    }


def _chance(
    labels: Labels, current: NDArray[np.float64], new: NDArray[np.float64], sources: Sequence[str]
) -> dict[str, float]:
    """Say for each source how far its AUC can fall by chance."""
    chance = {}
    for name in sorted(set(sources)):
        inside = np.array(sources) == name
        if (
            len(set(labels[inside].tolist())) < 2
        ):  # against all images of the other class, as ranked
            inside = inside | (labels != labels[inside][0])
        chance[name] = fall_by_chance(labels[inside], current[inside], new[inside])
    return chance


def decide(
    new: dict[str, float | None],
    current: dict[str, float | None],
    sources: Sequence[str],
    *,
    chance: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Compare AUCs per source: neither mean nor worst may fall, and one must rise.

    The worst may fall by as much as chance explains on the source where the new model is worst: on 50
    images an AUC is worth little more than a tenth. Two models that rank everything right (1.0) pass. Sources with fewer than 10 images are shown and
    do not count, unless all are that small.
    """
    sizes = {name: list(sources).count(name) for name in sorted(set(sources))}
    rows = [
        {"source": name, "images": sizes[name], "current": current[name], "new": new[name]}
        for name in sizes
    ]
    ranked = [row for row in rows if row["new"] is not None and row["current"] is not None]
    counted = [row for row in ranked if sizes[str(row["source"])] >= LEAST] or ranked
    if not counted:
        return {"rows": rows, "passed": False, "why": "no source could be ranked"}
    figures = {
        figure: {name: _round(pool([row[name] for row in counted])) for name in ("current", "new")}
        for figure, pool in (("mean", np.mean), ("worst", np.min))
    }
    mean, worst = figures["mean"], figures["worst"]
    lowest = min(counted, key=lambda row: float(row["new"] or 0))["source"]
    worst["chance"] = _round((chance or {}).get(str(lowest), 0.0))
    fallen = [
        f"the {figure} AUC falls from {facts['current']:.4f} to {facts['new']:.4f}"
        for figure, facts in figures.items()
        if facts["new"] + facts.get("chance", 0.0) < facts["current"]
    ]
    risen = mean["new"] > mean["current"] or worst["new"] > worst["current"]
    perfect = worst["new"] == worst["current"] == 1.0
    passed = not fallen and (risen or perfect)
    if passed:
        why = "mean and worst source are at least as good"
        if worst["new"] < worst["current"]:
            why = (
                f"the mean is better, and that the worst falls from {worst['current']:.4f} to"
                f" {worst['new']:.4f} is within chance ({worst['chance']:.4f})"
            )
    else:
        why = " and ".join(fallen) or "neither the mean nor the worst source is better"
    return {"rows": rows, **figures, "passed": passed, "why": why}


def format_table(gate: dict[str, Any]) -> str:
    """Lay the comparison out as a table of plain text."""
    rows = [("source", "images", gate["current"], gate["new"])]
    rows += [
        (row["source"], str(row["images"]), _cell(row["current"]), _cell(row["new"]))
        for row in gate["rows"]
    ]
    rows += [
        (f"{figure} of the sources", "", _cell(gate[figure]["current"]), _cell(gate[figure]["new"]))
        for figure in ("mean", "worst")
        if figure in gate
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([f"AUC on {gate['held_out']}, {gate['images']} images", *lines])


def _score(
    detector: Detector, model: PublishedModel, paths: Sequence[Path], seed: int, threads: int
) -> tuple[NDArray[np.float64], list[str | None]]:
    found, files = score_images(detector, paths, {"laundered": launder(seed)}, threads=threads)
    gone = [path for path, file in zip(paths, files, strict=True) if file.error is not None]
    if gone:
        raise ModelError(
            f"{len(gone)} of {len(paths)} held-out images cannot be read any more, the first:"
            f" {gone[0]}"
        )
    judged = found["laundered"]
    calibration = model.card.calibration
    scores = calibrate(judged.raw, slope=calibration.slope, intercept=calibration.intercept)
    return np.where(np.isnan(judged.raw), NOTHING_SAID, scores), judged.reasons


def _round(auc: Any) -> float:
    return round(float(auc), 4)


def _cell(auc: float | None) -> str:
    return "-" if auc is None else f"{auc:.4f}"
