"""Ask how well the files alone, without their pixels, tell the classes apart: about 0.5 is sound.

The facts are width, height, bytes per pixel and the JPEG quantisation tables ("Fake or JPEG?", arXiv
2403.17608); the tables read as zeros where a file is no JPEG.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from training.metrics import rank_sources

NAMES = [
    "width",
    "height",
    "bytes per pixel",
    "luma table: sum",
    "luma table: first",
    "chroma table: sum",
    "chroma table: first",
]
READ_BYTES = 65_536
FOLDS = 5

Facts = NDArray[np.float64]


def read_quantisation(path: Path) -> tuple[float, float, float, float]:
    """Read sum and first coefficient of the luma and of the chroma table of a JPEG file.

    Zeros where there is none, or where the file cannot be read (ITU-T T.81, B.2.4.1).
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(READ_BYTES)
    except OSError:
        return 0.0, 0.0, 0.0, 0.0
    tables = _read_tables(content) if content.startswith(b"\xff\xd8") else {}
    luma, chroma = tables.get(0, [0]), tables.get(1, [0])
    return float(sum(luma)), float(luma[0]), float(sum(chroma)), float(chroma[0])


def gather_facts(sizes: Facts, paths: Sequence[Path]) -> Facts:
    """Join width, height and bytes per pixel, shape `(n, 3)`, with the tables of the files."""
    tables = [read_quantisation(path) for path in paths]
    return np.hstack([sizes[:, :3], np.array(tables, dtype=np.float64).reshape(len(paths), 4)])


def measure_file_facts(
    facts: Facts,
    labels: NDArray[np.int64],
    sources: Sequence[str],
    *,
    train: Sequence[int],
    held_out: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    """Fit a classifier to the facts of `train` and rank those of `held_out`."""
    inside = list(held_out)
    classifier = _classifier(seed).fit(facts[list(train)], labels[list(train)])
    scores = classifier.predict_proba(facts[inside])[:, 1]
    return _rank(labels[inside], scores, [sources[index] for index in inside])


def cross_file_facts(
    facts: Facts, labels: NDArray[np.int64], sources: Sequence[str], *, seed: int
) -> dict[str, Any] | None:
    """Rank a labelled set that has no training half, in up to five folds; None where too few."""
    folds = min(FOLDS, int(np.bincount(labels, minlength=2).min()))
    if folds < 2:
        return None
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    scores = cross_val_predict(_classifier(seed), facts, labels, cv=splits, method="predict_proba")[
        :, 1
    ]
    return _rank(labels, scores, sources)


def _rank(
    labels: NDArray[np.int64], scores: NDArray[np.float64], sources: Sequence[str]
) -> dict[str, Any]:
    aucs = rank_sources(labels, scores, sources)
    paired = {
        name.removeprefix("val_auc."): auc
        for name, auc in aucs.items()
        if name.startswith("val_auc.")
    }
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "auc_paired": aucs["val_auc_paired"],
        "per_paired_source": paired,
        "facts": NAMES,
    }


def _classifier(seed: int) -> Any:
    return HistGradientBoostingClassifier(class_weight="balanced", random_state=seed, max_iter=100)


def _read_tables(content: bytes) -> dict[int, list[int]]:
    tables: dict[int, list[int]] = {}
    position = 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        code = content[position + 1]
        if code == 0xFF:  # a fill byte
            position += 1
            continue
        if code == 0xDA:  # the scan begins: all of its tables were read
            break
        length = int.from_bytes(content[position + 2 : position + 4], "big")
        if code == 0xDB:
            _take_tables(content[position + 4 : position + 2 + length], tables)
        position += 2 + max(length, 2)
    return tables


def _take_tables(segment: bytes, tables: dict[int, list[int]]) -> None:
    while segment:
        wide, number = segment[0] >> 4, segment[0] & 15
        size = 128 if wide else 64
        body = segment[1 : 1 + size]
        if len(body) < size:
            return
        step = 2 if wide else 1
        tables.setdefault(
            number, [int.from_bytes(body[i : i + step], "big") for i in range(0, size, step)]
        )
        segment = segment[1 + size :]
