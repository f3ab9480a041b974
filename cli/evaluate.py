"""`fakesweep evaluate`: measure a model on labelled images, with a report to read."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

PLACE = click.Path(path_type=Path)
SHOWN = {
    "n": "n",
    "no score": "judged",
    "AUC": "auc",
    "AP": "ap",
    "EER": "eer",
    "TPR@FPR1%": "tpr_at_fpr_1",
    "precision": "precision",
    "recall": "recall",
    "FPR": "fpr",
    "ECE": "ece",
}


@click.command()
@click.argument("model")
@click.option("--real", type=PLACE, multiple=True, help="Folder of real images; repeatable.")
@click.option("--fake", type=PLACE, multiple=True, help="Folder of fake images; repeatable.")
@click.option(
    "--manifest",
    type=PLACE,
    help="CSV with the columns path,label and, if known, source,group,split.",
)
@click.option(
    "--split",
    "splits",
    multiple=True,
    help="Only the manifest's rows of this split, such as val; repeatable.",
)
@click.option(
    "--output",
    type=PLACE,
    help="Folder for the report.  [default: one named by the time, in the data folder's reports]",
)
@click.option(
    "--seed", type=click.IntRange(0), default=7, show_default=True, help="Of every random choice."
)
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="For decoding."
)
@click.option(
    "--model-dir", type=PLACE, help="The registry folder; default: the setting FAKESWEEP_MODEL_DIR."
)
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON line.")
def evaluate(
    model: str,
    *,
    real: tuple[Path, ...],
    fake: tuple[Path, ...],
    manifest: Path | None,
    splits: tuple[str, ...],
    output: Path | None,
    seed: int,
    threads: int,
    model_dir: Path | None,
    as_json: bool,
) -> None:
    """Measure MODEL, a version, a run folder or a .keras file, on labelled images.

    \b
    fakesweep evaluate lite-1 --real photos/real --fake photos/fake --output report
    """
    from cli.context import start
    from fakesweep.notices import held_notices
    from fakesweep.settings import quiet_tensorflow

    settings = start()
    quiet_tensorflow()
    with held_notices():
        from detector.keras_engine import describe_device
        from training.evaluate import evaluate_model, find_labelled
        from training.gather import gather_model

        describe_device()  # makes TensorFlow give its notices while they are held

    found = gather_model(model, model_dir if model_dir is not None else settings.model_dir)
    dataset = find_labelled(real, fake, manifest, splits)
    if output is None:
        output = settings.data_dir / "reports" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    facts = evaluate_model(
        found, dataset, output, seed=seed, threads=threads, on_scored=_show_progress
    )
    if as_json:
        shown = ("model_version", "thresholds", "metrics", "gates")
        click.echo(json.dumps({"output": str(output), **{key: facts[key] for key in shown}}))
    else:
        _print_tables(facts, output)


def _show_progress(name: str, done: int, images: int) -> None:
    """Say on a terminal how far the scoring is."""
    if sys.stderr.isatty():
        end = "\n" if done == images else ""
        click.echo(f"\rscored {done} of {images} {name}{end}", err=True, nl=False)


def _print_tables(facts: dict[str, Any], output: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for split, metrics in facts["metrics"].items():
        laundered = split.endswith("_laundered")
        title = "laundered: both classes as JPEG 75-95" if laundered else "as the files are"
        table = Table(title=title, title_justify="left")
        for heading in ("source", *SHOWN):
            table.add_column(heading, justify="left" if heading == "source" else "right")
        for source, row in [*metrics["per_source"].items(), ("all images", metrics["overall"])]:
            row = row | {"judged": row["n"] - row["judged"]}
            table.add_row(source, *(_cell(row[name]) for name in SHOWN.values()))
        console.print(table)
    thresholds = facts["thresholds"]
    console.print(
        f"{facts['model_version']}: real below {thresholds['real_threshold']:.4f}, fake from"
        f" {thresholds['fake_threshold']:.4f} on"
    )
    console.print(f"Wrote {output / 'report.html'}", soft_wrap=True)


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
