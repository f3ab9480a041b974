"""Say in sentences what a run's figures mean: the description and the limits of its card."""

from typing import Any

from training.split import REPORT

WEAK_AUC = 0.8
GUESS_AUC = 0.6
TELLING_AUC = 0.6
FEW_REALS = 299
"""So many reals without a false alarm bound an FPR at 1 % (the rule of three)."""


def describe_run(run: dict[str, Any]) -> str:
    """Describe what was trained, on how much, in one or two sentences."""
    images, sources = _count(run, "train")
    sees = (
        "it judges the whole picture, resized to 224x224"
        if _sees_whole(run)
        else "it judges the faces that are found in a picture, and its score is the worst face's"
    )
    return (
        f"{run['architecture']}, {run['parameters']:,} parameters, {_begun_from(run)} on"
        f" {images:,} images of {sources} sources; {sees}."
    )


def name_limits(run: dict[str, Any]) -> list[str]:
    """List what the model cannot do, from what was measured."""
    report = run["metrics"][REPORT]
    images, _ = _count(run, "train")
    return [
        *_name_views(run),
        f"It was {_begun_from(run)} on {images:,} images: expect errors on cameras, people and"
        " generators that they do not cover.",
        *_name_made(run),
        *_name_verdicts(report["overall"]),
        *_name_weak(report["per_source"]),
        *_name_false_alarms(report["per_source"]),
        *(
            _unseen(split, metrics["overall"])
            for split, metrics in run["metrics"].items()
            if not split.startswith("val_") and not split.endswith("_laundered")
        ),
        *_name_gates(run["gates"]),
    ]


def _begun_from(run: dict[str, Any]) -> str:
    weights = run.get("weights") or {}
    source = weights.get("source") if isinstance(weights, dict) else str(weights).split(",")[0]
    return f"trained from {source}" if source and source != "none" else "trained from nothing"


def _sees_whole(run: dict[str, Any]) -> bool:
    return list(run.get("views") or ["whole"]) == ["whole"]


def _name_views(run: dict[str, Any]) -> list[str]:
    if _sees_whole(run):
        return [
            "It judges the whole resized picture and does not look for faces: a small face in a"
            " large picture is lost, and a picture without a face gets a verdict too.",
            "Resizing to 224x224 erases the finest traces of generated pictures.",
        ]
    overall = run["metrics"][REPORT]["overall"]
    unjudged = overall["n"] - overall["judged"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in overall["unjudged"].items())
    return [
        "It judges faces alone: what was changed outside of them is not seen.",
        f"Of {overall['n']} held-out pictures, all of faces, {unjudged} got no score"
        + (f": {reasons}." if reasons else "."),
    ]


def _name_made(run: dict[str, Any]) -> list[str]:
    share = float(run.get("self_made_fakes_share") or 0.0)
    if not share:
        return []
    return [
        f"{share:.0%} of the images drawn for training were fakes made from real photos on the spot;"
        " scores on such fakes prove nothing about others, and none stands in these figures."
    ]


def _name_verdicts(overall: dict[str, Any]) -> list[str]:
    lines = []
    for label, counts in overall["verdicts"].items():
        total = sum(counts.values())
        shares = ", ".join(f"{name} {count / total:.0%}" for name, count in counts.items())
        lines.append(f"Of {total} held-out {label} images the verdicts were: {shares}.")
    return list(reversed(lines))


def _name_weak(per_source: dict[str, Any]) -> list[str]:
    ranked = {name: facts for name, facts in per_source.items() if facts["auc"] is not None}
    weak = [
        f"On {name} it ranks weakly{': close to guessing' if facts['auc'] < GUESS_AUC else ''}: AUC"
        f" {facts['auc']:.2f} on {facts['n']} held-out images, {facts['recall']:.0%} of the fakes"
        " flagged."
        for name, facts in sorted(ranked.items(), key=lambda pair: float(pair[1]["auc"]))
        if facts["paired"] and facts["auc"] < WEAK_AUC
    ]
    single = [name for name, facts in per_source.items() if not facts["paired"]]
    if single:
        verb = "hold" if len(single) > 1 else "holds"
        weak.append(
            f"{', '.join(single)} {verb} one class only: figures on them measure the source"
            " as much as fakery."
        )
    return weak


def _name_false_alarms(per_source: dict[str, Any]) -> list[str]:
    reals = {name: facts["real"] for name, facts in per_source.items() if facts["fpr"] is not None}
    if not reals:
        return []
    worst = max(reals, key=lambda name: float(per_source[name]["fpr"]))
    facts = per_source[worst]
    few = [name for name, count in reals.items() if count < FEW_REALS]
    lines = [
        f"False alarms are worst on {worst}: {facts['fpr']:.1%} of {facts['real']} held-out reals"
        f" are flagged, at most {facts['fpr_upper']:.1%} with 95 % confidence."
    ]
    if few:
        lines.append(
            f"A false-positive rate of 1 % cannot be bounded on {', '.join(few)}: each has fewer"
            f" than {FEW_REALS} held-out reals."
        )
    return lines


def _name_gates(gates: dict[str, Any]) -> list[str]:
    lines = []
    swap, facts = gates.get("format_swap"), gates.get("file_facts_alone")
    if swap and not swap["passed"]:
        lines.append(
            "Swapping JPEG and PNG between the classes moves its AUC by"
            f" {max(swap['auc_change'], swap['auc_paired_change']):.3f}, above the limit of"
            f" {swap['limit']}."
        )
    if facts and facts["auc"] > TELLING_AUC:
        lines.append(
            f"The held-out files can be told apart without their pixels at AUC {facts['auc']:.2f}"
            f" ({facts['auc_paired']:.2f} on sources with both classes): figures as the files are may be flattered, the laundered ones less so."
        )
    return lines


def _unseen(split: str, overall: dict[str, Any]) -> str:
    if overall["auc"] is None:
        return f"{split}, never trained on, holds one class only."
    guess = " (no better than guessing)" if overall["auc"] < GUESS_AUC else ""
    return (
        f"On {split}, whose sources it never saw, AUC {overall['auc']:.2f}{guess} on {overall['n']}"
        f" images; {overall['recall']:.0%} of the fakes and {overall['fpr']:.1%} of the"
        " reals are flagged."
    )


def _count(run: dict[str, Any], split: str) -> tuple[int, int]:
    by_source = run["dataset"]["splits"][split]
    return sum(sum(classes.values()) for classes in by_source.values()), len(by_source)
