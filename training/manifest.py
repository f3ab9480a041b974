"""Read a manifest: a CSV file of labelled images."""

import csv
from pathlib import Path

from fakesweep.errors import TrainingError
from training.images import Dataset, LabelledImage, source_name

LABELS = {"0": 0, "1": 1}


def read_manifest(path: Path) -> Dataset:
    """Read a CSV file with the columns `path` and `label`, and `source`, `group` and `split` where
    present.

    Paths are relative to the manifest. Rows with an empty label are counted and left out.

    Raises:
        TrainingError: The file cannot be read, a column or a named file is missing, or a label is
            neither 0 nor 1.
    """
    images: list[LabelledImage] = []
    without_label = 0
    folder = path.resolve().parent
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            missing = {"path", "label"} - set(rows.fieldnames or ())
            if missing:
                raise TrainingError(
                    f"{path}: column {', '.join(sorted(missing))} is missing;"
                    f" received: {', '.join(rows.fieldnames or ()) or 'an empty file'}"
                )
            for line, row in enumerate(rows, start=2):
                label = (row["label"] or "").strip()
                if not label:
                    without_label += 1
                    continue
                if label not in LABELS:
                    raise TrainingError(
                        f"{path}, line {line}: a label is 0 (real) or 1 (fake); received: {label!r}"
                    )
                file = folder / row["path"]
                images.append(
                    LabelledImage(
                        path=file,
                        label=LABELS[label],
                        source=row.get("source") or source_name(file.parent),
                        group=row.get("group") or None,
                        split=row.get("split") or None,
                    )
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"cannot read the manifest {path}: {error}") from error
    absent = [image.path for image in images if not image.path.is_file()]
    if absent:
        raise TrainingError(
            f"{path}: {len(absent)} of {len(images)} listed files do not exist;"
            f" the first: {absent[0]}"
        )
    return Dataset(images, without_label)
