"""Draw balanced batches and augment them ahead of the fit.

Sources that hold both classes (paired) fill `PAIRED_SHARE` of an epoch: there the class cannot be
told by the source. A source's share grows with the square root of its size, and both classes get
the same number of draws. Every draw is a pure function of seed and epoch, so that a resumed fit
sees the batches it would have seen.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from training.augment import augment_view

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


def augmented_batches(
    views: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    threads: int = 2,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield whole batches of rows and their augmented views `(batch, side, side, 3)` uint8, a few
    batches ahead.
    """

    def augment(draw: int, row: int) -> NDArray[np.uint8]:
        return augment_view(np.array(views[row]), np.random.default_rng((seed, 2, epoch, draw)))

    starts = range(0, len(rows) - batch_size + 1, batch_size)
    with ThreadPoolExecutor(threads) as pool:
        waiting: list[list[Future[NDArray[np.uint8]]]] = []

        def send(start: int) -> None:
            waiting.append(
                [
                    pool.submit(augment, draw, int(rows[draw]))
                    for draw in range(start, start + batch_size)
                ]
            )

        for start in starts[:AHEAD]:
            send(start)
        for number, start in enumerate(starts):
            batch = np.stack([future.result() for future in waiting.pop(0)])
            if number + AHEAD < len(starts):
                send(starts[number + AHEAD])
            yield rows[start : start + batch_size], batch
