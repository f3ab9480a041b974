"""`fakesweep label`: what a person says about images, for the next training."""

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.context import existing_ledger, prepared_ledger, start
from fakesweep.errors import SettingError

if TYPE_CHECKING:
    from db.labels import Label
    from producer.review import Reviewed

WORDS = ("real", "fake")


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE... real|fake]")
@click.option("--who", help="Who says so.  [default: the user of this process]")
@click.option("--note", help="Why, in a few words.")
@click.option(
    "--from",
    "review",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take a review queue: CSV with the columns uri, label (real or fake) and perhaps note.",
)
@click.option("--list", "as_list", is_flag=True, help="List the newest label of every content.")
@click.option(
    "--export",
    "output",
    metavar="FILE",
    help="Write the newest labels as a manifest for `train --manifest`: .csv or .parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="With --list: one JSON object a line.")
def label(
    images: tuple[str, ...],
    who: str | None,
    note: str | None,
    review: Path | None,
    as_list: bool,
    output: str | None,
    as_json: bool,
) -> None:
    """Record that a person has looked at IMAGE and found it real or fake.

    A label belongs to the bytes of the file. Labelling again corrects: the newest label counts, the
    earlier ones stay in the table `labels`. `train --with-labels` learns from them.
    """
    if (bool(images) + (review is not None) + as_list + (output is not None)) != 1:
        raise SettingError(
            "give one of: IMAGE... and real or fake, --from FILE, --list, --export FILE"
        )
    if as_list:
        _list(as_json)
    elif output is not None:
        _export(output)
    else:
        _record(images, review, note, who)


def _record(
    images: tuple[str, ...], review: Path | None, note: str | None, who: str | None
) -> None:
    from datetime import UTC, datetime

    from db.labels import add_labels
    from producer.review import make_labels, read_review

    reviewed = read_review(review) if review else _named(images, note)
    person = (who or _user()).strip()
    if not person:
        raise SettingError("--who is empty; name the person who looked at the images")
    settings = start()
    with prepared_ledger(settings) as ledger:
        labels = make_labels(ledger, reviewed, who=person, at=datetime.now(UTC))
        with ledger.write() as connection:
            add_labels(connection, labels)
    counts = [sum(given.label == number for given in labels) for number in (0, 1)]
    click.echo(f"labelled by {person}: {counts[0]:,} real, {counts[1]:,} fake")


def _named(images: tuple[str, ...], note: str | None) -> "list[Reviewed]":
    from producer.review import Reviewed

    *names, word = images
    if word not in WORDS or not names:
        raise SettingError(
            "expected one or more images and then real or fake. Received:"
            f" {' '.join(map(ascii, images))}"
        )
    return [Reviewed(name, WORDS.index(word), note) for name in names]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise SettingError("the user of this process has no name; give --who NAME") from error


def _list(as_json: bool) -> None:
    from db.labels import newest_labels

    with existing_ledger(start()) as ledger, ledger.read() as connection:
        for given in newest_labels(connection):
            click.echo(_as_json(given) if as_json else _as_line(given))


def _as_json(given: "Label") -> str:
    facts = asdict(given) | {
        "label": WORDS[given.label],
        "labelled_at": given.labelled_at.isoformat(),
    }
    return json.dumps(facts, ensure_ascii=False)


def _as_line(given: "Label") -> str:
    when = given.labelled_at.strftime("%Y-%m-%d %H:%M")
    shown = given.uri if given.uri.isprintable() else ascii(given.uri)
    note = f"  ({given.note})" if given.note else ""
    return f"{WORDS[given.label]}  {when}  {given.who}  {shown}{note}"


def _export(output: str) -> None:
    from db.labels import newest_labels
    from db.manifest import write_manifest

    with existing_ledger(start()) as ledger, ledger.read() as connection:
        count = write_manifest(newest_labels(connection), output)
    click.echo(f"{count:,} labels written to {output}", err=True)
