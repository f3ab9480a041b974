"""The tables of a report, from the facts that its JSON holds."""

from html import escape
from typing import Any

from training.intervals import images_to_bound
from training.page import facts_table, table

HEAD = (
    "source", "real / fake", "no score", "AUC", "AP", "EER", "TPR at FPR 1 %", "TPR at FPR 0.1 %",
    "accuracy", "precision", "recall", "F1", "FPR", "uncertain", "ECE", "Brier",
)  # fmt: skip
WEAK = 0.8


def tabulate_sources(metrics: dict[str, Any]) -> str:
    """One row for each source and one for all of them."""
    rows = [_source_row(name, facts) for name, facts in metrics["per_source"].items()]
    return table(HEAD, [*rows, _source_row("all images", metrics["overall"])], totals=1)


def tabulate_false_positives(metrics: dict[str, Any]) -> str:
    """False positives per million reals, measured and at most, per source."""
    rows = [
        (
            escape(name),
            f"{facts['confusion']['fp']} of {facts['confusion']['fp'] + facts['confusion']['tn']}",
            f"{facts['false_positives_per_million']['measured']:,}",
            f"{facts['false_positives_per_million']['at_most']:,}",
            "yes" if facts["fpr_upper"] <= 0.01 else "no: the images are too few"
            if not facts["confusion"]["fp"] else "no",
        )
        for name, facts in [*metrics["per_source"].items(), ("all images", metrics["overall"])]
        if facts["false_positives_per_million"] is not None
    ]  # fmt: skip
    head = ("source", "flagged reals", "per million", "at most (95 %)", "1 % shown to hold")
    return table(head, rows, totals=1)


def tabulate_robustness(robustness: dict[str, Any]) -> str:
    """The AUC of each source as it is and under the strongest rewriting of each kind."""
    kinds = robustness["kinds"]
    head = ["source", "n", "as is"]
    head += [
        kind if len(facts["levels"]) == 1 else f"{kind} {facts['levels'][-1]:g}"
        for kind, facts in kinds.items()
    ]
    names = [name for name in robustness["as_is"] if name != "overall"]
    rows = [
        [
            escape(f"all of {robustness['split']}" if name == "overall" else name),
            str(robustness["n"][name]),
            _auc(robustness["as_is"][name]),
            *(_auc(facts["auc"][name][-1]) for facts in kinds.values()),
        ]
        for name in [*names, "overall"]
    ]
    return table(head, rows, totals=1)


def tabulate_splits(splits: dict[str, Any]) -> str:
    """Counts of real and fake images per source and split."""
    names = sorted({source for by_source in splits.values() for source in by_source})
    rows = [
        [escape(name), *(_count(by_source.get(name, {})) for by_source in splits.values())]
        for name in names
    ]
    totals = [
        _count({label: sum(c.get(label, 0) for c in by_source.values()) for label in _LABELS})
        for by_source in splits.values()
    ]
    return table(["source: real / fake", *splits], [*rows, ["all", *totals]], totals=1)


def tabulate_findings(dataset: dict[str, Any]) -> str:
    """What was found beside the images: duplicates, unreadable files, rows without a label."""
    named = {
        "images": "images",
        "without_label": "manifest rows without a label, left out",
        "unreadable": "unreadable files, left out",
        "same_bytes": "files with the bytes of another",
        "near_duplicate_pairs": "pairs of near-duplicates",
        "near_duplicate_pairs_across_splits": "of these with one side in train",
        "near_duplicates_of_other_class": "of these with two different labels",
        "groups": "groups that no split cuts",
    }
    rows = [(text, f"{dataset[key]:,}") for key, text in named.items() if key in dataset]
    unreadable = dataset.get("unreadable_files") or []
    return facts_table([*rows, *(("unreadable", str(line)) for line in unreadable)])


def tabulate_gates(gates: dict[str, Any]) -> str:
    """What may give the classes away without the pixels."""
    rows = []
    swap, facts = gates.get("format_swap"), gates.get("file_facts_alone")
    if swap:
        rows.append(
            (
                "format swap",
                f"AUC moves by {swap['auc_change']:.4f}, on sources with both classes by"
                f" {swap['auc_paired_change']:.4f}, when one class is JPEG 90 and the other PNG and"
                f" the other way round; allowed {swap['limit']}:"
                f" {'passed' if swap['passed'] else 'NOT passed'}",
            )
        )
    if facts:
        paired = "".join(f"; {name} {auc:.3f}" for name, auc in facts["per_paired_source"].items())
        rows.append(
            (
                "file facts alone",
                f"AUC {facts['auc']:.3f} from {', '.join(facts['facts'])}, without a pixel"
                f" (0.5 is sound){paired}",
            )
        )
    return facts_table(rows) if rows else ""


_LABELS = ("real", "fake")


def _source_row(name: str, facts: dict[str, Any]) -> list[str]:
    mark = "" if facts.get("paired", True) else " <small>one class</small>"
    without = facts["n"] - facts["judged"]
    return [
        escape(name) + mark,
        f"{facts['real']:,} / {facts['fake']:,}",
        f"{without / facts['n']:.1%}" if without else "-",
        _auc(facts["auc"]) + _between(facts["auc_interval"]),
        _figure(facts["ap"]),
        _share(facts["eer"]),
        _share(facts["tpr_at_fpr_1"]) + _bounded(facts, "tpr_at_fpr_1", 0.01),
        _share(facts["tpr_at_fpr_01"]) + _bounded(facts, "tpr_at_fpr_01", 0.001),
        _share(facts["accuracy"]),
        _share(facts["precision"]),
        _share(facts["recall"]),
        _figure(facts["f1"]),
        _share(facts["fpr"])
        + ("" if facts["fpr"] is None else f"<br><small>&le; {facts['fpr_upper']:.1%}</small>"),
        _share(facts["uncertain"]),
        _figure(facts["ece"]),
        _figure(facts["brier"]),
    ]


def _bounded(facts: dict[str, Any], key: str, fpr: float) -> str:
    if facts[key] is None:
        return ""
    low, high = facts[f"{key}_interval"]
    star = "" if facts["fpr_bound"] <= fpr else " *"
    return f"<br><small>{100 * low:.0f}-{100 * high:.0f} %{star}</small>"


def _between(interval: list[float] | None) -> str:
    return "" if interval is None else f"<br><small>{interval[0]:.3f}-{interval[1]:.3f}</small>"


def _auc(value: float | None) -> str:
    if value is None:
        return "-"
    return f'<span class="weak">{value:.3f}</span>' if value < WEAK else f"{value:.3f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _count(classes: dict[str, int]) -> str:
    real, fake = (classes.get(label, 0) for label in _LABELS)
    return f"{real:,} / {fake:,}" if real or fake else "-"


LEGEND = (
    "AUC: DeLong's 95 % interval below it; red below 0.8. TPR: a bootstrap over both classes."
    f" *: fewer than {images_to_bound(0.01)} (at 0.1 %: {images_to_bound(0.001):,}) reals cannot bound"
    " such an FPR; the figure and its interval then say too little of chance. FPR, accuracy, precision, recall and F1 at fake_threshold; below"
    " the FPR its upper bound (Clopper-Pearson, 95 %). A source of one class is ranked against all"
    " images of the other class of its split. Images without a score (no face, or none that can be"
    " judged) are counted and left out of the rest."
)
