"""Split a data set so that no group stands on both sides.

A group is what a manifest says, else the near-duplicates of an image: identical bytes, or a 64-bit
difference hash (dHash, Krawetz 2013) at most `NEAR_BITS` bits away. Within that, the split is
stratified by source and label.

Splits: `train`; `val_choose` picks the best epoch, fits the calibration and the thresholds;
`val_report` is only measured; any other name that a manifest gives (`unseen_val`) is held out and
only measured too.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fakesweep.errors import TrainingError
from training.images import LabelledImage

TRAIN, CHOOSE, REPORT = "train", "val_choose", "val_report"
NEAR_BITS = 4
BLOCK = 1024


def split_dataset(
    images: Sequence[LabelledImage], groups: Sequence[str], *, val_share: float, seed: int
) -> list[str]:
    """Name the split of each image.

    Rows whose manifest split is `train` or `val` keep it; rows without one are split by
    `val_share`; `val` is then halved.

    Raises:
        TrainingError: The training side or the validation side would lack a class, or the manifest
            puts one group on both sides.
    """
    splits = [image.split or "" for image in images]
    _check_groups(groups, splits)
    known = {group: split for group, split in zip(groups, splits, strict=True) if split}
    splits = [split or known.get(group, "") for split, group in zip(splits, groups, strict=True)]
    strata = [f"{image.source}/{image.label}" for image in images]
    free = [row for row, split in enumerate(splits) if not split]
    for row, chosen in zip(free, _draw(free, groups, strata, val_share, seed), strict=True):
        splits[row] = "val" if chosen else TRAIN
    val = [row for row, split in enumerate(splits) if split == "val"]
    for row, chosen in zip(val, _draw(val, groups, strata, 0.5, seed + 1), strict=True):
        splits[row] = CHOOSE if chosen else REPORT
    for name in (TRAIN, CHOOSE, REPORT):
        labels = {image.label for image, split in zip(images, splits, strict=True) if split == name}
        if labels != {0, 1}:
            raise TrainingError(
                f"the split {name} holds no {'real' if 0 not in labels else 'fake'} image:"
                f" {len(images)} images in {len(set(groups))} groups are too few to split"
            )
    return splits


def _draw(
    rows: Sequence[int], groups: Sequence[str], strata: Sequence[str], share: float, seed: int
) -> list[bool]:
    """Choose whole groups, at random, until each stratum has about `share` of its images chosen."""
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        members[groups[row]][strata[row]] += 1
    total: Counter[str] = Counter(strata[row] for row in rows)
    room = {stratum: max(1.0, share * count) for stratum, count in total.items()}
    names = sorted(members)
    order = np.random.default_rng(seed).permutation(len(names))
    chosen: set[str] = set()
    for position in order:
        inside = members[names[position]]
        if all(count <= room[stratum] + 0.25 for stratum, count in inside.items()):
            chosen.add(names[position])
            for stratum, count in inside.items():
                room[stratum] -= count
    return [groups[row] in chosen for row in rows]


def _check_groups(groups: Sequence[str], splits: Sequence[str]) -> None:
    sides: dict[str, set[str]] = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        if split:
            sides[group].add(split)
    astride = sorted(group for group, names in sides.items() if len(names) > 1)
    if astride:
        raise TrainingError(
            f"{len(astride)} groups of the manifest stand in more than one split; the first:"
            f" {astride[0]} in {', '.join(sorted(sides[astride[0]]))}"
        )


def difference_hash(view: NDArray[np.uint8]) -> int:
    """Return the 64-bit dHash of an RGB view, `(h, w, 3)` uint8.

    Is each cell brighter than its left neighbour?
    """
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def near_pairs(hashes: NDArray[np.uint64], near_bits: int = NEAR_BITS) -> list[tuple[int, int]]:
    """List the pairs of rows whose hashes differ in at most `near_bits` bits."""
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(hashes), BLOCK):
        block = hashes[start : start + BLOCK]
        distance = np.bitwise_count(block[:, None] ^ hashes[None, start:])
        first, second = np.nonzero(distance <= near_bits)
        pairs += [
            (start + int(a), start + int(b)) for a, b in zip(first, second, strict=True) if a < b
        ]
    return pairs


def find_groups(
    images: Sequence[LabelledImage], pairs: Sequence[tuple[int, int]], digests: Sequence[str]
) -> list[str]:
    """Name the group of each image.

    The manifest's, else one name for all that near-duplicate pairs or equal bytes join.
    """
    parent = list(range(len(images)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[str, int] = {}
    same = [(first.setdefault(digest, row), row) for row, digest in enumerate(digests) if digest]
    by_group: dict[str, int] = {}
    for row, image in enumerate(images):
        if image.group is not None:
            parent[row] = by_group.setdefault(image.group, row)
    for one, other in [*same, *pairs]:
        if images[one].group is None or images[other].group is None:
            low, high = sorted((root(one), root(other)))
            parent[high] = low
    return [f"group-{root(row)}" for row in range(len(images))]
