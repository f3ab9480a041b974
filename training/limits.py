"""Say in sentences what a run's figures mean: the description and the limits of its card."""

from typing import Any

from training.split import REPORT

WEAK_AUC = 0.8
GUESS_AUC = 0.6


def describe_run(run: dict[str, Any]) -> str:
    """Describe what was trained, on how much, in one or two sentences."""
    images, sources = _count(run, "train")
    return (
        f"{run['architecture']}, {run['parameters']:,} parameters, trained from nothing on"
        f" {images:,} images of {sources} sources; it judges the whole picture, resized to 224x224."
    )


def name_limits(run: dict[str, Any]) -> list[str]:
    """List what the model cannot do, from what was measured."""
    report = run["metrics"][REPORT]
    paired = {n: m for n, m in report["per_source"].items() if m["paired"]}
    single = [n for n, m in report["per_source"].items() if not m["paired"]]
    images, _ = _count(run, "train")
    limits = [
        "It judges the whole resized picture and does not look for faces: a small face in a large"
        " picture is lost, and a picture without a face gets a verdict too.",
        f"It was trained from nothing on {images:,} images: expect errors on cameras, people and"
        " generators that they do not cover.",
        "Resizing to 224x224 erases the finest traces of generated pictures.",
    ]
    overall = report["overall"]
    verdicts = overall["verdicts"]
    for label, count in (("fake", overall["fake"]), ("real", overall["real"])):
        shares = ", ".join(
            f"{name} {verdicts[label][name] / count:.0%}" for name in verdicts[label]
        )
        limits.append(f"Of {count} held-out {label} images the verdicts were: {shares}.")
    for name, facts in sorted(paired.items(), key=lambda pair: float(pair[1]["auc"])):
        weak = ": close to guessing" if facts["auc"] < GUESS_AUC else ""
        if facts["auc"] < WEAK_AUC:
            limits.append(
                f"On {name} it ranks weakly{weak}: AUC {facts['auc']:.2f} on {facts['n']} held-out"
                f" images, {facts['recall']:.0%} of the fakes flagged."
            )
    if single:
        limits.append(
            f"{', '.join(single)} hold one class only: figures on them measure the source"
            " as much as fakery."
        )
    for split, metrics in run["metrics"].items():
        if not split.startswith("val_") and not split.endswith("_laundered"):
            limits.append(_unseen(split, metrics["overall"]))
    swap = run["gates"]["format_swap"]
    if not swap["passed"]:
        limits.append(
            "Swapping JPEG and PNG between the classes moves its AUC by"
            f" {max(swap['auc_change'], swap['auc_paired_change']):.3f}, above the limit of"
            f" {swap['limit']}."
        )
    return limits


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
