"""Draw balanced batches and augment them ahead of the fit.

Sources that hold both classes (paired) fill `PAIRED_SHARE` of an epoch: there the class cannot be
told by the source. A source's share grows with the square root of its size, and both classes get
the same number of draws. Every draw is a pure function of seed and epoch, so that a resumed fit
sees the batches it would have seen.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.draw import FaceFile, draw_view

PAIRED_SHARE = 0.75
AHEAD = 3

Cell = tuple[str, int]


def paired_sources(sources: Sequence[str], labels: Sequence[int]) -> list[str]:
    """List the sources that hold both classes, sorted."""
    return sorted(
        {
            s
            for s in sources
            if (s, 0) in (c := set(zip(sources, labels, strict=True))) and (s, 1) in c
        }
    )


def cell_shares(sources: Sequence[str], labels: Sequence[int]) -> dict[Cell, float]:
    """Give each (source, label) cell its share of the draws.

    The shares add up to 1, and to 0.5 per class.
    """
    counts: dict[Cell, int] = defaultdict(int)
    for cell in zip(sources, labels, strict=True):
        counts[cell] += 1
    paired = {cell[0] for cell in counts if (cell[0], 1 - cell[1]) in counts}
    single = {label: any(c[1] == label and c[0] not in paired for c in counts) for label in (0, 1)}
    paired_share = PAIRED_SHARE if single[0] and single[1] else 1.0
    weights: dict[Cell, float] = {}
    for label in (0, 1):
        for together, share in ((True, paired_share), (False, 1 - paired_share)):
            part = [c for c in counts if c[1] == label and (c[0] in paired) == together]
            if not paired or not (single[0] and single[1]):
                part, share = [c for c in counts if c[1] == label], float(together)
            size = {c: _size(c, counts, paired) for c in part}
            for cell in part:
                weights[cell] = weights.get(cell, 0) + share * size[cell] / sum(size.values())
    return {cell: weight / 2 for cell, weight in sorted(weights.items())}


def _size(cell: Cell, counts: dict[Cell, int], paired: set[str]) -> float:
    source, label = cell
    both = counts[cell] + (counts[(source, 1 - label)] if source in paired else 0)
    return float(np.sqrt(both))


class BatchPlan:
    """Which rows make up each batch of each epoch."""

    def __init__(
        self, sources: Sequence[str], labels: Sequence[int], rows: NDArray[np.int64], *, seed: int
    ) -> None:
        self.seed = seed
        self.shares = cell_shares(sources, labels)
        cells = list(zip(sources, labels, strict=True))
        self.members = {
            cell: rows[[index for index, other in enumerate(cells) if other == cell]]
            for cell in self.shares
        }

    def draw_epoch(self, epoch: int, size: int) -> NDArray[np.int64]:
        """Return `size` rows for an epoch, each cell's members in turn before any repeats."""
        drawn: list[int] = []
        bounds = np.round(np.cumsum([0.0, *self.shares.values()]) * size).astype(int)
        for number, cell in enumerate(self.shares):
            members, count = self.members[cell], int(bounds[number + 1] - bounds[number])
            for position in range(epoch * count, (epoch + 1) * count):
                lap, place = divmod(position, len(members))
                if place == 0 or position == epoch * count:
                    order = np.random.default_rng((self.seed, number, lap)).permutation(
                        len(members)
                    )
                drawn.append(int(members[order[place]]))
        return np.random.default_rng((self.seed, 1_000_000, epoch)).permutation(
            np.array(drawn, dtype=np.int64)
        )


@dataclass(frozen=True)
class Drawing:
    """How views are drawn; `self_made_share` is the share of real images that are made fakes."""

    crop_px: int
    self_made_share: float
    seed: int


def drawn_batches(
    files: Sequence[FaceFile],
    labels: dict[int, int],
    rows: NDArray[np.int64],
    drawing: Drawing,
    *,
    batch_size: int,
    epoch: int,
    threads: int = 2,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yield whole batches of views `(batch, side, side, 3)` uint8 and labels `(batch, 1)`, a few
    batches ahead.
    """
    real = [row for row, label in labels.items() if label == 0]

    def draw(number: int, row: int) -> tuple[NDArray[np.uint8], int]:
        rng = np.random.default_rng((drawing.seed, 2, epoch, number))
        label, donor = labels[row], None
        if label == 0 and rng.random() < drawing.self_made_share:
            label, donor = 1, real[rng.integers(len(real))]
        return draw_view(files, row, rng, crop_px=drawing.crop_px, donor=donor), label

    starts = range(0, len(rows) - batch_size + 1, batch_size)
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[list[Future[tuple[NDArray[np.uint8], int]]]] = []

        def send(start: int) -> None:
            numbers = range(start, start + batch_size)
            waiting.append([pool.submit(draw, number, int(rows[number])) for number in numbers])

        for start in starts[:AHEAD]:
            send(start)
        for number in range(len(starts)):
            drawn = [future.result() for future in waiting.pop(0)]
            if number + AHEAD < len(starts):
                send(starts[number + AHEAD])
            truth = np.array([[label] for _, label in drawn], dtype=np.float32)
            yield np.stack([view for view, _ in drawn]), truth
