"""Compare a model that is to be published with the current version, on images it was not trained on."""

from pathlib import Path
from typing import Any

from detector.registry import PublishedModel, find_model
from fakesweep.errors import ModelError, TrainingError
from training.dataset import find_dataset
from training.evaluate import Split
from training.gate import compare_models
from training.runs import OPTIONS, RUN, prepare_run, read_facts
from training.split import REPORT, TRAIN

SEED, THREADS = 7, 2


def compare_with_current(
    new: PublishedModel,
    model_dir: Path,
    *,
    run_folder: Path | None,
    manifest: Path | None,
    undecided: bool = False,
) -> dict[str, Any]:
    """Compare with the version that is current in a registry folder.

    On the labelled images of `manifest` that are not of its split `train`; else on `val_report` of the
    run's own data set.

    Args:
        undecided: Let a file without labelled images pass, neither better nor worse: somebody chose
            its thresholds and answers for it.

    Returns:
        What `compare_models` gives; or only `passed` and `why`, where nothing could be compared. `passed`
        is None where nothing was to be compared.
    """
    try:
        current = find_model(model_dir)
    except ModelError as error:
        return {"passed": None, "why": f"nothing to compare with: {error}"}
    if run_folder is None and manifest is None:
        return _without_images(new, current, undecided)
    try:
        held_out, split, threads = _gather(run_folder, manifest)
        return compare_models(
            new,
            current,
            split.paths,
            split.labels,
            split.sources,
            held_out=held_out,
            seed=SEED,
            threads=threads,
        )
    except (ModelError, TrainingError) as error:
        return {"passed": False, "why": f"it cannot be compared with {current.version}: {error}"}


def _without_images(
    new: PublishedModel, current: PublishedModel, undecided: bool
) -> dict[str, Any]:
    if undecided:
        why = f"not compared with {current.version}: a file without labelled images"
        return {"passed": None, "why": why}
    return {
        "passed": False,
        "why": f"a file without labelled images cannot be compared with {current.version}: name them"
        " with --manifest, or choose its --thresholds yourself",
    }


def _gather(run_folder: Path | None, manifest: Path | None) -> tuple[str, Split, int]:
    if manifest is not None:
        images = find_dataset(manifest=manifest).images
        numbers = [number for number, image in enumerate(images) if image.split != TRAIN]
        split = Split.gather(manifest.name, images, numbers)
        if set(split.labels.tolist()) != {0, 1}:
            raise TrainingError(
                f"{manifest}: both classes are needed outside of the split {TRAIN};"
                f" received: {len(numbers)} such images"
            )
        return f"the images of {manifest.name}, laundered", split, THREADS
    if run_folder is None:
        raise TrainingError("neither a run nor a manifest was named")
    options, run = read_facts(run_folder / OPTIONS), read_facts(run_folder / RUN)
    prepared = prepare_run(run_folder, options)
    if prepared.report["splits"] != run["dataset"]["splits"]:
        raise TrainingError(
            "the run's images are not those that it was measured on: some are gone or were added"
        )
    split = Split.gather(REPORT, prepared.images, prepared.of_split(REPORT))
    return f"{REPORT} of the run, laundered", split, int(options["fit"]["threads"])
