"""Turn labelled images into views, labels, sources and splits, and say what was found."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.images import Dataset, LabelledImage
from training.load import LoadedViews, load_views
from training.split import difference_hash, find_groups, near_pairs, split_dataset

log = logging.getLogger(__name__)

NAMED_UNREADABLE = 20


@dataclass(frozen=True)
class Prepared:
    """The readable images of a data set, row by row.

    `views` is `(n, side, side, 3)` uint8, `row` picks from it.
    """

    images: list[LabelledImage]
    views: NDArray[np.uint8]
    row: NDArray[np.int64]
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
    """Decode, find near-duplicates and split.

    `file_facts` holds width, height and bytes per pixel, shape `(n, 3)`.

    Raises:
        TrainingError: Too few images are readable, or a split would lack a class.
    """
    loaded = load_views(dataset.images, folder, threads=threads, progress=progress)
    row = np.flatnonzero(loaded.readable)
    images = [dataset.images[index] for index in row]
    facts = [loaded.facts[index] for index in row]
    hashes = np.array([difference_hash(loaded.views[index]) for index in row], dtype=np.uint64)
    pairs = near_pairs(hashes)
    groups = find_groups(images, pairs, [fact.sha256 for fact in facts])
    splits = split_dataset(images, groups, val_share=val_share, seed=seed)
    report = _report(dataset, loaded, images, splits, groups, pairs)
    log.info("data set: %s", report)
    return Prepared(
        images=images,
        views=loaded.views,
        row=row.astype(np.int64),
        file_facts=np.array(
            [(f.width, f.height, f.size_bytes / (f.width * f.height)) for f in facts]
        ),
        splits=splits,
        groups=groups,
        report=report,
    )


def _report(
    dataset: Dataset,
    loaded: LoadedViews,
    images: list[LabelledImage],
    splits: list[str],
    groups: list[str],
    pairs: list[tuple[int, int]],
) -> dict[str, Any]:
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for image, split in zip(images, splits, strict=True):
        counts[split][image.source]["fake" if image.label else "real"] += 1
    digests = Counter(fact.sha256 for fact in loaded.facts if fact.error is None)
    unreadable = [fact.error for fact in loaded.facts if fact.error is not None]
    return {
        "images": len(dataset.images),
        "without_label": dataset.without_label,
        "unreadable": len(unreadable),
        "unreadable_files": unreadable[:NAMED_UNREADABLE],
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
