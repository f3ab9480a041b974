"""Evaluate a model on labelled images through the code that serves.

They are scored as their files are and laundered: both classes pass through JPEG of one seeded range of
qualities before anything else, so that neither keeps its own codec.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.model import Detector
from detector.registry import PublishedModel
from fakesweep.errors import TrainingError
from training.calibrate import Calibration, Thresholds, apply_calibration
from training.dataset import find_dataset
from training.file_facts import cross_file_facts, gather_facts
from training.images import Dataset, LabelledImage
from training.metrics import Scored, measure_sources
from training.prepare import NAMED_UNREADABLE
from training.report import (
    LAUNDERED,
    PAGE,
    list_curves,
    round_floats,
    write_metrics,
    write_pictures,
    write_report,
)
from training.rewrite import Rewrite, keep, launder, write_jpeg
from training.robustness import measure_robustness, pick_sample
from training.runs import OPTIONS
from training.scoring import Judged, ScoredFile, open_raw, score_images
from training.swap import SWAP_QUALITY, measure_format_swap

log = logging.getLogger(__name__)

AS_IS, SWAPPED = "", "_swapped"
WHOLE_SET = "labelled"

OnScored = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Split:
    """Labelled images that are measured together; `numbers` seed each image's rewriting."""

    name: str
    paths: list[Path]
    labels: NDArray[np.int64]
    sources: list[str]
    numbers: list[int]

    @classmethod
    def gather(cls, name: str, images: Sequence[LabelledImage], numbers: Iterable[int]) -> "Split":
        """Take the images of these numbers out of a data set."""
        picked = list(numbers)
        return cls(
            name,
            [images[number].path for number in picked],
            np.array([images[number].label for number in picked], dtype=np.int64),
            [images[number].source for number in picked],
            picked,
        )

    def score(self, judged: Judged, calibration: Calibration) -> Scored:
        """Put answers beside the labels, calibrated."""
        scores = apply_calibration(judged.raw, calibration)
        return Scored(self.labels, self.sources, scores, judged.raw, judged.reasons)


def score_split(
    detector: Detector,
    split: Split,
    *,
    seed: int,
    threads: int,
    swap: bool = False,
    on_scored: OnScored | None = None,
) -> tuple[dict[str, Judged], list[ScoredFile]]:
    """Score a split as it is, laundered and, if asked, as JPEG of one quality for the swap gate."""
    rewrites: dict[str, Rewrite] = {AS_IS: keep, LAUNDERED: launder(seed)}
    if swap:
        rewrites[SWAPPED] = write_jpeg(SWAP_QUALITY)
    log.info("scoring %d images of %s", len(split.paths), split.name)
    return score_images(
        detector,
        split.paths,
        rewrites,
        numbers=split.numbers,
        threads=threads,
        on_scored=_name(on_scored, split.name),
    )


def sample_robustness(
    detector: Detector,
    splits: Sequence[Split],
    *,
    seed: int,
    threads: int,
    on_scored: OnScored | None = None,
) -> dict[str, Any]:
    """Measure the robustness curves on a sample of some splits together."""
    paths = [path for split in splits for path in split.paths]
    labels = np.concatenate([split.labels for split in splits])
    sources = [source for split in splits for source in split.sources]
    names = [split.name for split in splits for _ in split.paths]
    picked = pick_sample(labels, sources, seed=seed)
    return measure_robustness(
        detector,
        [paths[index] for index in picked],
        labels[picked],
        [sources[index] for index in picked],
        splits=[names[index] for index in picked],
        seed=seed,
        threads=threads,
        on_scored=_name(on_scored, "rewritten samples"),
    )


def evaluate_model(
    model: PublishedModel,
    dataset: Dataset,
    output: Path,
    *,
    seed: int = 7,
    threads: int = 2,
    on_scored: OnScored | None = None,
) -> dict[str, Any]:
    """Measure a model, with its own calibration and thresholds, on labelled images.

    Writes `metrics.json`, `report.html` and the pictures into `output`, and returns the facts.

    Raises:
        ModelError: The model cannot be loaded.
        TrainingError: No image of a class can be read, or the folder cannot be written.
    """
    calibration = Calibration(**model.card.calibration.model_dump())
    thresholds = Thresholds(**model.card.thresholds.model_dump())
    detector = open_raw(model, threads=threads)
    everything = Split.gather(WHOLE_SET, dataset.images, range(len(dataset.images)))
    _make_folder(output)
    judged, files = score_split(
        detector, everything, seed=seed, threads=threads, swap=True, on_scored=on_scored
    )
    readable = np.array([file.error is None for file in files])
    split = Split.gather(WHOLE_SET, dataset.images, np.flatnonzero(readable).tolist())
    _check_classes(split, files)
    judged = {name: _take(answers, readable) for name, answers in judged.items()}
    splits = {
        WHOLE_SET + copy: split.score(judged[copy], calibration) for copy in (AS_IS, LAUNDERED)
    }
    _check_scored(splits[WHOLE_SET])
    facts: dict[str, Any] = {
        "model_version": model.version,
        "description": f"{model.version}: {model.card.description}",
        "calibration": asdict(calibration),
        "thresholds": asdict(thresholds),
        "metrics": measure_splits(splits, thresholds),
        "curves": {name: list_curves(found) for name, found in splits.items()},
        "gates": _measure_gates(split, judged, files, seed),
        "robustness": sample_robustness(
            detector, [split], seed=seed, threads=threads, on_scored=on_scored
        ),
        "dataset": _describe(dataset, split, files),
        "limits": model.card.limits,
    }
    facts = round_floats(facts) | {"thresholds": asdict(thresholds)}
    try:
        write_pictures(output, splits[WHOLE_SET], facts, WHOLE_SET)
        write_report(output / PAGE, f"Evaluation of {model.version}", facts, splits, WHOLE_SET)
        write_metrics(output / "metrics.json", facts)
    except OSError as error:
        raise TrainingError(f"cannot write the report into {output}: {error}") from error
    return facts


def find_labelled(
    real: Iterable[Path], fake: Iterable[Path], manifest: Path | None, splits: Sequence[str] = ()
) -> Dataset:
    """Find labelled images as training does; of a manifest only the rows of `splits`, if any are named.

    Raises:
        TrainingError: Nothing is named, a file or directory is missing, or there is one class only.
    """
    dataset = find_dataset(real, fake, manifest)
    if not splits:
        return dataset
    images = [image for image in dataset.images if image.split in splits]
    if not images:
        known = sorted({image.split or "none" for image in dataset.images})
        raise TrainingError(
            f"--split: expected one of {', '.join(known)}; received: {', '.join(splits)}"
        )
    return Dataset(images, dataset.without_label)


def measure_splits(splits: Mapping[str, Scored], thresholds: Thresholds) -> dict[str, Any]:
    """Measure every split, overall and per source."""
    return {name: measure_sources(found, thresholds) for name, found in splits.items()}


def _measure_gates(
    split: Split, judged: dict[str, Judged], files: list[ScoredFile], seed: int
) -> dict[str, Any]:
    sizes = np.array(
        [
            (file.width, file.height, file.size_bytes / (file.width * file.height))
            for file in files
            if file.error is None
        ]
    )
    facts = cross_file_facts(
        gather_facts(sizes, split.paths), split.labels, split.sources, seed=seed
    )
    swap = measure_format_swap(
        split.labels, split.sources, as_png=judged[AS_IS].raw, as_jpeg=judged[SWAPPED].raw
    )
    found = {"format_swap": swap, "file_facts_alone": facts}
    return {name: gate for name, gate in found.items() if gate is not None}


def _describe(dataset: Dataset, split: Split, files: list[ScoredFile]) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {}
    for source, label in zip(split.sources, split.labels.tolist(), strict=True):
        counts.setdefault(source, Counter())["fake" if label else "real"] += 1
    digests = Counter(file.sha256 for file in files if file.error is None)
    unreadable = [
        f"{image.path}: {file.error}"
        for image, file in zip(dataset.images, files, strict=True)
        if file.error is not None
    ]
    return {
        "images": len(dataset.images),
        "without_label": dataset.without_label,
        "unreadable": len(unreadable),
        "unreadable_files": unreadable[:NAMED_UNREADABLE],
        "same_bytes": sum(count - 1 for count in digests.values()),
        "splits": {WHOLE_SET: {source: dict(counts[source]) for source in sorted(counts)}},
    }


def _check_classes(split: Split, files: list[ScoredFile]) -> None:
    for label, name in ((0, "real"), (1, "fake")):
        if label not in split.labels:
            raise TrainingError(
                f"no {name} image among {len(split.labels)} readable ones of {len(files)}:"
                " both classes are needed"
            )


def _check_scored(found: Scored) -> None:
    judged = found.judged()
    for label, name in ((0, "real"), (1, "fake")):
        if label not in judged.labels:
            reasons = Counter(reason for reason in found.reasons if reason is not None)
            told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
            raise TrainingError(
                f"no {name} image got a score ({told}): there is nothing to measure"
            )


def _take(judged: Judged, inside: NDArray[np.bool_]) -> Judged:
    reasons = [reason for reason, taken in zip(judged.reasons, inside, strict=True) if taken]
    return Judged(judged.raw[inside], reasons)


def _make_folder(output: Path) -> None:
    if (output / OPTIONS).exists():
        raise TrainingError(f"{output} is a training run's folder: name another for the report")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot write the report into {output}: {error}") from error


def _name(on_scored: OnScored | None, name: str) -> Callable[[int, int], None] | None:
    if on_scored is None:
        return None
    return lambda done, images: on_scored(name, done, images)
