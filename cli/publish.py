"""`fakesweep publish`, `promote` and `rollback`: add a model version, make it current, go back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from detector.registry import PublishedModel

MODEL_DIR = click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    help="The registry folder; default: the setting FAKESWEEP_MODEL_DIR.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON line.")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--version", help="Its name; default: the architecture and the next free number.")
@click.option("--description", help="What it is, in place of the sentence made from the run.")
@click.option(
    "--limit", "limits", multiple=True, help="A sentence on what it cannot do; repeatable."
)
@click.option("--recipe", help="The command that makes this model again, for the card.")
@click.option(
    "--thresholds",
    type=float,
    nargs=2,
    metavar="REAL FAKE",
    help="For a bare .keras file: below REAL is real, from FAKE on fake; default 0.5 0.5.",
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    help="CSV (path,label, and source if known) of labelled images to compare on with the current"
    " version; default: the images that the run held out.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Publish a model that is not shown to beat the current version; its card will say so.",
)
@MODEL_DIR
@AS_JSON
def publish(
    source: Path,
    *,
    version: str | None,
    description: str | None,
    limits: tuple[str, ...],
    recipe: str | None,
    thresholds: tuple[float, float] | None,
    manifest: Path | None,
    force: bool,
    model_dir: Path | None,
    as_json: bool,
) -> None:
    """Publish SOURCE, a run folder of `train` or a .keras file, as a new immutable version.

    It must beat the current version on the images that the run held out, both classes laundered as
    JPEG: neither the mean nor the lowest AUC of the sources may fall, and one must rise.
    """
    from fakesweep.notices import held_notices
    from fakesweep.settings import quiet_tensorflow

    quiet_tensorflow()
    with held_notices():
        from detector.keras_engine import describe_device
        from training.publish import publish as publish_model

        describe_device()  # makes TensorFlow give its notices while they are held

    model = publish_model(
        source,
        _model_dir(model_dir),
        version=version,
        description=description,
        limits=limits,
        thresholds=thresholds,
        recipe=recipe,
        manifest=manifest,
        force=force,
        on_gate=_tell_gate,
    )
    _answer(model, "published", as_json)


@click.command()
@click.argument("version")
@MODEL_DIR
@AS_JSON
def promote(version: str, *, model_dir: Path | None, as_json: bool) -> None:
    """Make VERSION the current one, which the next scan uses."""
    from training.promote import promote as promote_model

    _answer(promote_model(_model_dir(model_dir), version), "promoted", as_json)


@click.command()
@MODEL_DIR
@AS_JSON
def rollback(*, model_dir: Path | None, as_json: bool) -> None:
    """Promote the version that was current before."""
    from training.promote import rollback as roll_back

    _answer(roll_back(_model_dir(model_dir)), "promoted", as_json)


def _tell_gate(gate: dict[str, Any]) -> None:
    """Show how the model compares with the current version, on stderr."""
    from training.gate import format_table

    if "rows" in gate:
        click.echo(format_table(gate), err=True)
    verdict = {True: "better than the current version", False: "not better", None: "not compared"}
    click.echo(f"{verdict[gate['passed']]}: {gate['why']}", err=True)


def _model_dir(given: Path | None) -> Path:
    from cli.context import start

    settings = start()
    return given if given is not None else settings.model_dir


def _answer(model: "PublishedModel", verb: str, as_json: bool) -> None:
    if as_json:
        facts = {
            "version": model.version,
            "path": str(model.path),
            "current": model.current,
            "forced": model.card.forced,
        }
        click.echo(json.dumps(facts))
        return
    forced = ", forced" if model.card.forced else ""
    click.echo(f"{verb} {model.version}{forced}: {model.path}")
    if not model.current:
        click.echo(f"make it current with: fakesweep promote {model.version}")
