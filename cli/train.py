"""`fakesweep train`: make a model from labelled images, for `publish` to take."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fakesweep.settings import Settings
    from training.images import LabelledImage

FOLDER = click.Path(exists=False, file_okay=True, path_type=Path)
SHOWN = {
    "n": "n",
    "accuracy": "accuracy_at_half",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
    "FPR": "fpr",
    "AUC": "auc",
}
"""Columns of the printed report; all but accuracy (at 0.5) and AUC are at `fake_threshold`."""


@click.command()
@click.option(
    "--real", "real", type=FOLDER, multiple=True, help="Folder of real images; repeatable."
)
@click.option(
    "--fake", "fake", type=FOLDER, multiple=True, help="Folder of fake images; repeatable."
)
@click.option(
    "--manifest",
    type=FOLDER,
    help="CSV or Parquet with the columns path,label and, if known, source,group,split."
    " With --real and --fake it only describes the files found there.",
)
@click.option(
    "--output",
    type=FOLDER,
    help="The run folder to write.  [default: one named by the time, in the data folder's runs]",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted run in --output.")
@click.option(
    "--with-labels",
    is_flag=True,
    help="Also train on the images that people labelled with `fakesweep label`.",
)
@click.option(
    "--arch",
    default="lite",
    show_default=True,
    help="The network: lite, cnn, vgg16, resnet50, mobilenetv2 or efficientnetv2b0.",
)
@click.option(
    "--weights",
    default="none",
    show_default=True,
    metavar="FILE|imagenet|none",
    help="What the network starts from.",
)
@click.option(
    "--views",
    type=click.Choice(["face", "whole"]),
    default="face",
    show_default=True,
    help="What the network is shown: faces, or the whole image.",
)
@click.option(
    "--head-epochs",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="First epochs that fit the last layer alone, for a network with starting weights.",
)
@click.option(
    "--freeze-norms", is_flag=True, help="Keep the normalisation of the starting weights."
)
@click.option(
    "--crop-px",
    type=click.IntRange(32, 224),
    default=224,
    show_default=True,
    help="Side of the parts of views that the network is fitted on; smaller is faster.",
)
@click.option(
    "--self-made-share",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the real images that are drawn as self-made fakes.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=30, show_default=True, help="Most epochs."
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Epochs without a better validation AUC before it stops.",
)
@click.option(
    "--batch-size", type=click.IntRange(2), default=64, show_default=True, help="Images per step."
)
@click.option(
    "--epoch-images",
    type=click.IntRange(2),
    help="Images per epoch; default: as many as there are.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Of AdamW, at its highest.",
)
@click.option(
    "--val-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.15,
    show_default=True,
    help="Share of the images kept for validation where no manifest splits them.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=7, show_default=True, help="Of every random choice."
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="For decoding and augmenting.",
)
@click.option("--json", "as_json", is_flag=True, help="End with one JSON line.")
def train(
    *,
    real: tuple[Path, ...],
    fake: tuple[Path, ...],
    manifest: Path | None,
    output: Path | None,
    resume: bool,
    with_labels: bool,
    arch: str,
    weights: str,
    views: str,
    as_json: bool,
    val_share: float,
    **fit: Any,
) -> None:
    """Train a model on labelled images.

    \b
    fakesweep train --real photos/real --fake photos/fake --output runs/mine
    fakesweep publish runs/mine && fakesweep promote lite-1
    """
    from cli.context import start
    from fakesweep.errors import TrainingError
    from fakesweep.notices import held_notices
    from fakesweep.settings import quiet_tensorflow

    settings = start()
    if output is None:
        if resume:
            raise TrainingError("--resume needs the run folder to go on with: add --output")
        output = settings.data_dir / "runs" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    quiet_tensorflow()
    with held_notices():
        from training.device import prepare_device
        from training.fit import FitOptions
        from training.runs import VIEWS, TrainOptions
        from training.train import train as run_training

        device = prepare_device()
    click.echo(f"training on {device}", err=True)
    options = TrainOptions(
        output=output,
        real=list(real),
        fake=list(fake),
        manifest=manifest,
        labelled=_read_labels(settings) if with_labels and not resume else [],
        arch=arch,
        weights=weights,
        views=VIEWS[views],
        val_share=val_share,
        resume=resume,
        fit=FitOptions(**fit),
    )
    try:
        with _progress() as (on_decoded, on_step):
            run = run_training(options, on_decoded=on_decoded, on_step=on_step)
    except KeyboardInterrupt:
        click.echo(f"to go on after the last whole epoch of {output}: add --resume", err=True)
        raise
    if as_json:
        click.echo(json.dumps(_summary(run.facts, run.output)))
    else:
        _print_report(run.facts, run.output)


def _read_labels(settings: "Settings") -> "list[LabelledImage]":
    """Take what people said from the ledger."""
    from cli.context import existing_ledger
    from db.labels import newest_labels
    from training.labels import labelled_images

    with existing_ledger(settings) as ledger, ledger.read() as connection:
        return labelled_images(newest_labels(connection))


@contextmanager
def _progress() -> Iterator[tuple[Any, Any]]:
    """Show what is done on stderr: images decoded, then loss, AUC, images/s and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[facts]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        decoding = bar.add_task("decode", total=None, facts="images", visible=False)
        fitting = bar.add_task("fit", total=None, facts="", visible=False)

        def on_decoded(done: int, images: int) -> None:
            bar.update(decoding, completed=done, total=images, visible=True)

        def on_step(step: Any) -> None:
            auc = "-" if step.auc is None else f"{step.auc:.3f}"
            bar.update(
                fitting,
                visible=True,
                description=f"epoch {step.epoch + 1}/{step.epochs}",
                completed=step.epoch * step.steps + step.done,
                total=step.epochs * step.steps,
                facts=f"loss {step.loss:.3f} AUC {auc} {step.images_per_s:.0f} images/s",
            )

        yield on_decoded, on_step


def _summary(facts: dict[str, Any], output: Path) -> dict[str, Any]:
    return {
        "output": str(output),
        "epochs": facts["epochs_done"],
        "best_epoch": facts["best_epoch"],
        "thresholds": facts["thresholds"],
        "metrics": facts["metrics"],
        "gates": facts["gates"],
    }


def _print_report(facts: dict[str, Any], output: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    found = facts["dataset"]
    console.print(
        f"{found['images']} images, {found['unreadable']} unreadable,"
        f" {found['without_label']} rows without a label, {found['same_bytes']} of the same bytes"
    )
    for split, metrics in facts["metrics"].items():
        if split.startswith("val_choose"):
            continue  # epoch, calibration and thresholds were chosen on it
        table = Table(title=split, title_justify="left")
        for heading in ("source", *SHOWN):
            table.add_column(heading, justify="left" if heading == "source" else "right")
        for source, row in [*metrics["per_source"].items(), ("overall", metrics["overall"])]:
            table.add_row(source, *(_cell(row[name]) for name in SHOWN.values()))
        console.print(table)
    thresholds = facts["thresholds"]
    console.print(
        f"real below {thresholds['real_threshold']:.4f},"
        f" fake from {thresholds['fake_threshold']:.4f} on: {thresholds['chosen_on']}"
    )
    swap, file_facts = facts["gates"]["format_swap"], facts["gates"]["file_facts_alone"]
    console.print(
        f"swapping JPEG and PNG between the classes moves AUC by {swap['auc_change']:.3f}, on"
        f" paired sources by {swap['auc_paired_change']:.3f} (at most {swap['limit']}); width, height,"
        f" bytes per pixel and quantisation alone reach AUC {file_facts['auc']:.3f}, on paired sources"
        f" {file_facts['auc_paired']:.3f}"
    )
    console.print(f"Wrote {output}; publish it with: fakesweep publish {output}")


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
