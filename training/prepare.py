"""Turn labelled images into faces, labels, sources and splits, and say what was found."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.crops import Box
from training.images import Dataset, LabelledImage
from training.load import ImageFacts, load_facts
from training.split import find_groups, near_pairs, split_dataset

log = logging.getLogger(__name__)

NAMED_UNREADABLE = 20


@dataclass(frozen=True)
class Prepared:
    """The readable images of a data set, row by row.

    `boxes` holds the box of each image's largest face, None where none was found.
    """

    images: list[LabelledImage]
    boxes: list[Box | None]
    file_facts: NDArray[np.float64]
    splits: list[str]
    groups: list[str]
    report: dict[str, Any]

    def of_split(self, name: str) -> list[int]:
        """List the positions of a split's images."""
        return [index for index, split in enumerate(self.splits) if split == name]


def prepare(
    dataset: Dataset,
    folder: Path,
    *,
    val_share: float,
    seed: int,
    threads: int,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Find faces and near-duplicates, and split.

    `file_facts` holds width, height and bytes per pixel, shape `(n, 3)`.

    Raises:
        TrainingError: Too few images are readable, or a split would lack a class.
    """
    all_facts = load_facts(dataset.images, folder, threads=threads, progress=progress)
    readable = [row for row, fact in enumerate(all_facts) if fact.error is None]
    images = [dataset.images[row] for row in readable]
    facts = [all_facts[row] for row in readable]
    pairs = near_pairs(np.array([fact.difference_hash for fact in facts], dtype=np.uint64))
    groups = find_groups(images, pairs, [fact.sha256 for fact in facts])
    splits = split_dataset(images, groups, val_share=val_share, seed=seed)
    report = _report(dataset, all_facts, images, splits, groups, pairs)
    log.info("data set: %s", report)
    return Prepared(
        images=images,
        boxes=[fact.box for fact in facts],
        file_facts=np.array(
            [(f.width, f.height, f.size_bytes / (f.width * f.height)) for f in facts]
        ),
        splits=splits,
        groups=groups,
        report=report,
    )


def _report(
    dataset: Dataset,
    facts: list[ImageFacts],
    images: list[LabelledImage],
    splits: list[str],
    groups: list[str],
    pairs: list[tuple[int, int]],
) -> dict[str, Any]:
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for image, split in zip(images, splits, strict=True):
        counts[split][image.source]["fake" if image.label else "real"] += 1
    digests = Counter(fact.sha256 for fact in facts if fact.error is None)
    unreadable = [fact.error for fact in facts if fact.error is not None]
    return {
        "images": len(dataset.images),
        "without_label": dataset.without_label,
        "unreadable": len(unreadable),
        "unreadable_files": unreadable[:NAMED_UNREADABLE],
        "without_face": sum(fact.error is None and fact.box is None for fact in facts),
        "same_bytes": sum(count - 1 for count in digests.values()),
        "near_duplicate_pairs": len(pairs),
        "near_duplicate_pairs_across_splits": sum(
            "train" in (splits[a], splits[b]) and splits[a] != splits[b] for a, b in pairs
        ),
        "near_duplicates_of_other_class": sum(images[a].label != images[b].label for a, b in pairs),
        "groups": len(set(groups)),
        "splits": {
            split: {source: dict(classes) for source, classes in sorted(by_source.items())}
            for split, by_source in sorted(counts.items())
        },
    }
