"""Watch what models see: the recent scans of each source root beside a reference."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.drift import Distribution, count_scores, scans_by_version
from db.ledger import Ledger
from db.scans import Scan
from detector.registry import find_model
from fakesweep.errors import ModelError
from training.drift import BINS, Drift, Reference, measure_drift, read_reference

EVEN_EDGES = tuple(number / BINS for number in range(BINS + 1))
LISTED = "(the ledger)"


@dataclass(frozen=True)
class WatchedRoot:
    """One source root under one model version; no drift: there is nothing to compare with."""

    root: str
    model_version: str
    scan_ids: tuple[int, ...]
    found: Distribution
    reference: str | None
    drift: Drift | None


def watch(
    ledger: Ledger,
    chosen: Iterable[Scan],
    model_dir: Path,
    *,
    by_folder: bool = False,
    earliest: bool = False,
) -> list[WatchedRoot]:
    """Compare scans with what their model's card, or its earliest scan, leads to expect.

    Args:
        by_folder: Look at each folder directly below a root apart.
        earliest: Compare with the earliest scan although the card has a reference.

    Raises:
        ModelError: The reference of a card is damaged.
    """
    groups: dict[tuple[str, str], list[Scan]] = {}
    for scan in chosen:
        groups.setdefault((scan.model_version, source_root(scan)), []).append(scan)
    watched = []
    for (version, root), scans in groups.items():
        reference = None if earliest else _card_reference(model_dir, version)
        first = None
        if reference is None:
            first, reference = _first_scan(ledger, version, root)
        scan_ids = [scan.id for scan in scans if scan.id != first]
        edges = EVEN_EDGES if reference is None else reference.edges
        below = root if by_folder and root.startswith("/") else None
        with ledger.read() as connection:
            found = count_scores(connection, scan_ids, edges, below=below)
        for folder, distribution in sorted(found.items()):
            drift = measure_drift(distribution, reference) if reference else None
            name = f"{root.rstrip('/')}/{folder}" if folder else root
            watched.append(
                WatchedRoot(
                    root=name,
                    model_version=version,
                    scan_ids=tuple(scan_ids),
                    found=distribution,
                    reference=reference.name if reference else None,
                    drift=drift,
                )
            )
    return watched


def source_root(scan: Scan) -> str:
    """Name the root of a scan: its first source."""
    paths: Sequence[str] = scan.sources.get("paths") or ()
    return paths[0] if paths else scan.sources.get("files_from") or LISTED


def _card_reference(model_dir: Path, version: str) -> Reference | None:
    try:
        card = find_model(model_dir, version).card
    except ModelError:  # the version may be gone from here; its scans are still there
        return None
    return read_reference(card.training, version)


def _first_scan(ledger: Ledger, version: str, root: str) -> tuple[int | None, Reference | None]:
    """Find the earliest scan by a version, of the same root where there is one, with scores."""
    with ledger.read() as connection:
        earlier = scans_by_version(connection, version)
        same_root_first = sorted(earlier, key=lambda scan: source_root(scan) != root)
        for scan in same_root_first:
            found = count_scores(connection, [scan.id], EVEN_EDGES).get("")
            if found is not None and any(found.counts):
                return scan.id, Reference(
                    edges=EVEN_EDGES,
                    real=np.asarray(found.counts, dtype=float),
                    fake=None,
                    no_face_share=found.no_face / found.images,
                    failed_share=found.failed / found.images,
                    name=f"scan {scan.id}",
                )
    return None, None
