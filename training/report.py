"""Write what was measured: one self-contained HTML page, and the same facts as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from training import page, plots, tables
from training.files import write_bytes, write_text
from training.metrics import Scored
from training.risk import reliability, risk_curve

DECIMALS = 4
POINTS = 21
LAUNDERED = "_laundered"
PAGE = "report.html"


def write_metrics(path: Path, facts: dict[str, Any]) -> None:
    """Write facts as indented JSON, floats to four decimals.

    Raises:
        OSError: The disk is full or the folder cannot be written; no half file is left.
    """
    write_text(path, json.dumps(round_floats(facts), indent=2) + "\n")


def round_floats(facts: Any) -> Any:
    """Round every float in nested dicts and lists to four decimals."""
    if isinstance(facts, dict):
        return {key: round_floats(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [round_floats(value) for value in facts]
    return round(facts, DECIMALS) if isinstance(facts, float) else facts


def list_curves(found: Scored) -> dict[str, Any]:
    """Give ROC, PR, reliability and risk-coverage as short lists; empty without both classes."""
    judged = found.judged()
    if len(set(judged.labels.tolist())) < 2:
        return {}
    false, true, _ = roc_curve(judged.labels, judged.scores)
    precision, recall, _ = precision_recall_curve(judged.labels, judged.scores)
    steps = np.linspace(0, 1, POINTS)
    return {
        "roc": {"fpr": steps.tolist(), "tpr": np.interp(steps, false, true).tolist()},
        "pr": {
            "recall": steps.tolist(),
            "precision": np.interp(steps, recall[::-1], precision[::-1]).tolist(),
        },
        "reliability_before": reliability(judged.labels, judged.before),
        "reliability": reliability(judged.labels, judged.scores),
        "risk_coverage": risk_curve(judged.labels, judged.scores),
    }


def write_pictures(folder: Path, found: Scored, facts: dict[str, Any], split: str) -> None:
    """Write the confusion matrix, the ROC curves and the scores as PNG files.

    Raises:
        OSError: The folder cannot be written.
    """
    judged, thresholds = found.judged(), facts["thresholds"]
    band = thresholds["real_threshold"], thresholds["fake_threshold"]
    confusion = facts["metrics"][split]["overall"]["confusion"]
    for name, figure in (
        ("confusion_matrix", plots.draw_confusion(confusion, band[1])),
        ("roc", plots.draw_roc(judged)),
        ("scores", plots.draw_scores(judged, band)),
    ):
        write_bytes(folder / f"{name}.png", plots.as_png(figure))


def write_report(
    path: Path, title: str, facts: dict[str, Any], splits: Mapping[str, Scored], main: str
) -> None:
    """Write the page.

    Args:
        facts: As in `run.json`: `metrics`, `thresholds`, `calibration`, `gates`, `robustness`,
            `dataset`, and where a run was trained `history`, `best_epoch` and `limits`.
        splits: The scores behind the metrics, by the same names.
        main: The split whose plots are drawn.

    Raises:
        OSError: The file cannot be written.
    """
    drawn = main + LAUNDERED if main + LAUNDERED in splits else main
    lead = facts["description"]
    content = page.write_page(
        title,
        lead,
        [
            _summarise(facts, main),
            *(_tabulate(facts, name) for name in _list_splits(facts)),
            page.paragraph(tables.LEGEND, "note"),
            _draw(facts, splits[drawn].judged(), drawn),
            _decide(facts, drawn),
            _harden(facts),
            _describe_data(facts),
            _describe_training(facts),
            _tabulate(facts, facts["chosen_on"]) if "chosen_on" in facts else "",
            page.section("Limits", page.bullets(facts.get("limits", []))),
        ],
    )
    write_text(path, content)


def name_split(name: str) -> str:
    """Say which images a split's name means."""
    copy = "laundered as JPEG 75-95" if name.endswith(LAUNDERED) else "as the files are"
    return f"{name.removesuffix(LAUNDERED)}, {copy}"


def _summarise(facts: dict[str, Any], main: str) -> str:
    metrics = facts["metrics"]
    laundered = metrics.get(main + LAUNDERED, metrics[main])
    overall, per_source = laundered["overall"], laundered["per_source"]
    alarms = {name: f["fpr"] for name, f in per_source.items() if f["fpr"] is not None}
    ranked = {name: f["auc"] for name, f in per_source.items() if f["auc"] is not None}
    cells = []
    if ranked:
        worst = min(ranked, key=lambda name: float(ranked[name]))
        cells += [
            (f"{overall['auc']:.3f}", "AUC over all images"),
            (f"{overall['auc_source_mean']:.3f}", "mean AUC of the sources"),
            (f"{ranked[worst]:.3f}", f"worst source: {worst}"),
        ]
    cells += [
        (f"{measured['overall']['auc']:.3f}", f"AUC on {split.removesuffix(LAUNDERED)}")
        for split, measured in metrics.items()
        if split.endswith(LAUNDERED)
        and not split.startswith(("val_", main))
        and measured["overall"]["auc"] is not None
    ]
    if overall["ece"] is not None:
        cells.append((f"{overall['ece']:.3f}", "ECE after calibration"))
    if alarms:
        alarm = max(alarms, key=lambda name: float(alarms[name]))
        where = f"worst false-positive rate: {alarm}" if alarms[alarm] else "false positives"
        cells.append((f"{alarms[alarm]:.1%}" if alarms[alarm] else "none", where))
    named = "after both classes went through JPEG 75-95" if main + LAUNDERED in metrics else ""
    return page.tiles(cells) + page.paragraph(
        f"On {overall['n']:,} held-out images of {main}, {named}".rstrip(", ") + ".", "note"
    )


def _tabulate(facts: dict[str, Any], name: str) -> str:
    parts = []
    for copy in (name, name + LAUNDERED):
        if copy in facts["metrics"]:
            heading = "As the files are" if copy == name else "Laundered: both as JPEG 75-95"
            parts += [f"<h3>{heading}</h3>", tables.tabulate_sources(facts["metrics"][copy])]
    note = (
        "The epoch, the calibration and the thresholds were chosen on these images: no proof."
        if facts.get("chosen_on") == name
        else ""
    )
    return page.section(f"Sources of {name}", page.paragraph(note, "note") if note else "", *parts)


def _list_splits(facts: dict[str, Any]) -> list[str]:
    """List the splits that prove something."""
    names = [name for name in facts["metrics"] if not name.endswith(LAUNDERED)]
    return [name for name in names if name != facts.get("chosen_on")]


def _draw(facts: dict[str, Any], judged: Scored, name: str) -> str:
    if len(set(judged.labels.tolist())) < 2:
        return ""
    thresholds = facts["thresholds"]
    band = thresholds["real_threshold"], thresholds["fake_threshold"]
    overall = facts["metrics"][name]["overall"]
    shown = [
        (plots.draw_scores(judged, band), "Scores of both classes",
         "Dashed: the two thresholds. The vertical scale is linear below 1 %."),
        (plots.draw_confusion(overall["confusion"], band[1]), "Confusion matrix",
         "Uncertain images count as not flagged."),
        (plots.draw_roc(judged), "ROC", "Of all images, and of each source with both classes."),
        (plots.draw_precision(judged), "Precision and recall",
         "Precision is that of this mixture of classes, not of an archive."),
        (plots.draw_reliability(judged), "Reliability",
         f"ECE {overall['ece_before']:.3f} before and {overall['ece']:.3f} after calibration"
         f" ({_balanced(overall)})."),
        (plots.draw_risk(judged), "Risk and coverage",
         f"AURC {overall['aurc']:.4f}: the mean of the curve, lower is better."),
    ]  # fmt: skip
    figures = [page.picture(plots.as_data_uri(f), alt, f"{alt}. {text}") for f, alt, text in shown]
    return page.section(f"Plots of {name_split(name)}", page.side_by_side(*figures))


def _balanced(overall: dict[str, Any]) -> str:
    return f"{overall['ece_balanced']:.3f} with both classes weighing the same"


def _decide(facts: dict[str, Any], name: str) -> str:
    thresholds, calibration = facts["thresholds"], facts["calibration"]
    fitted = calibration.get("fitted_on") or "nothing"
    rows = [
        ("fake from", f"{thresholds['fake_threshold']:.6g}"),
        ("real below", f"{thresholds['real_threshold']:.6g}"),
        ("how they were chosen", thresholds["chosen_on"]),
        (
            "calibration",
            f"{calibration['method']}: slope {calibration['slope']:.4g}, intercept"
            f" {calibration['intercept']:.4g}; fitted on {fitted}",
        ),
    ]
    return page.section(
        "Thresholds and false positives",
        page.facts_table(rows),
        f"<h3>False positives, {name_split(name)}</h3>",
        tables.tabulate_false_positives(facts["metrics"][name]),
        page.paragraph(
            "At one fake in a thousand images, a false-positive rate of 1 % means ten false alarms"
            " for every fake: a verdict is a hint.",
            "note",
        ),
    )


def _harden(facts: dict[str, Any]) -> str:
    robustness = facts.get("robustness")
    if not robustness:
        return ""
    drawn = plots.as_data_uri(plots.draw_robustness(robustness))
    return page.section(
        "Robustness",
        page.paragraph(
            "AUC per source as the images are rewritten before they are judged, on a sample of"
            f" {sum(robustness['n'].values()) - robustness['n']['overall']:,} images (at most 60 of every source and"
            " class). The table shows the strongest step of each kind.",
        ),
        page.picture(drawn, "AUC per source against the strength of each rewriting"),
        tables.tabulate_robustness(robustness),
    )


def _describe_data(facts: dict[str, Any]) -> str:
    dataset = facts["dataset"]
    return page.section(
        "Data set",
        tables.tabulate_splits(dataset["splits"]),
        tables.tabulate_findings(dataset),
        "<h3>Can the classes be told apart without the picture?</h3>" if facts["gates"] else "",
        tables.tabulate_gates(facts["gates"]),
    )


def _describe_training(facts: dict[str, Any]) -> str:
    history = facts.get("history") or []
    if not history:
        return ""
    rows = [
        ("network", f"{facts['architecture']}, {facts['parameters']:,} parameters"),
        ("epochs", f"{len(history)}, the kept one is {(facts.get('best_epoch') or 0) + 1}"),
        (
            "self-made fakes",
            f"{float(facts.get('self_made_fakes_share') or 0):.0%} of the images drawn",
        ),
    ]
    if facts.get("weights"):
        weights = facts["weights"]
        text = (
            ", ".join(f"{key} {value}" for key, value in weights.items())
            if isinstance(weights, dict)
            else str(weights)
        )
        rows.append(("starting weights", text))
    return page.section(
        "Training",
        page.facts_table(rows),
        page.picture(
            plots.as_data_uri(plots.draw_history(history, facts.get("best_epoch"))),
            "Loss and validation AUC of every epoch",
        ),
    )
