"""`fakesweep models`: the registry."""

import json

import click

from cli.compare import compare
from cli.context import start


@click.group()
def models() -> None:
    """Look at the published model versions."""


@models.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_versions(as_json: bool) -> None:
    """List all model versions; the current one is marked."""
    from detector.registry import list_models

    found = list_models(start().model_dir)
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "version": model.version,
                        "current": model.current,
                        "builtin": model.builtin,
                        "path": str(model.path),
                    }
                    for model in found
                ]
            )
        )
        return
    for model in found:
        marks = [
            word for word, on in (("current", model.current), ("built-in", model.builtin)) if on
        ]
        click.echo(f"{model.version}  {model.card.created_at}  {' '.join(marks)}".rstrip())


@models.command()
@click.argument("version", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(version: str | None, as_json: bool) -> None:
    """Show the card of VERSION (default: the current one) and where its file is."""
    from detector.registry import find_model

    model = find_model(start().model_dir, version)
    card = model.card.model_dump(mode="json")
    if as_json:
        click.echo(
            json.dumps(
                {
                    "version": model.version,
                    "current": model.current,
                    "builtin": model.builtin,
                    "path": str(model.path),
                    "card": card,
                }
            )
        )
        return
    click.echo(f"{model.version}{' (current)' if model.current else ''}: {model.path}")
    click.echo(json.dumps(card, indent=2, ensure_ascii=False))


models.add_command(compare)
