"""`fakesweep drift`: do recent scans still look like what their model knows?"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cli.context import existing_ledger, start
from cli.moments import parse_moment

if TYPE_CHECKING:
    from db.ledger import Ledger
    from db.scans import Scan
    from training.watch import WatchedRoot

EXIT_DRIFT = 1


@click.command()
@click.option(
    "--since",
    default="30d",
    show_default=True,
    metavar="AGE|DATE",
    help="Scans that began since then: 12h, 30d, 4w, or a date like 2026-11-01.",
)
@click.option(
    "--scan", "scan_ids", type=int, multiple=True, help="Only this scan, however old; repeatable."
)
@click.option(
    "--by-folder", is_flag=True, help="Look at each folder directly below a source root apart."
)
@click.option(
    "--against",
    type=click.Choice(["card", "earliest"]),
    default="card",
    show_default=True,
    help="Compare with the model card, or with the model version's earliest scan.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drift(
    since: str, scan_ids: tuple[int, ...], by_folder: bool, against: str, as_json: bool
) -> int:
    """Compare recent scans, per source root, with what their model was measured on.

    Scores are compared with those of the card's real photos, since most archives hold mostly real
    ones, and with the mixture of its real photos and fakes that fits best: where the mixture fits,
    there are more fakes; where it does not, the images are of a new kind. The shares of no_face and of
    failed images are compared, too. A card without a reference: the earliest scan stands in for it.

    Exit status: 0 no drift, 1 drift or more fakes, 2 error.
    """
    from training.watch import watch

    settings = start()
    with existing_ledger(settings) as ledger:
        chosen = _choose(ledger, since, scan_ids)
        watched = watch(
            ledger,
            chosen,
            settings.model_dir,
            by_folder=by_folder,
            earliest=against == "earliest",
        )
    if as_json:
        click.echo(json.dumps([_facts(one) for one in watched], ensure_ascii=False))
    elif not watched:
        click.echo("no images were judged in these scans, or there is only one scan")
    else:
        _print(watched)
    return EXIT_DRIFT if any(one.drift and one.drift.warnings for one in watched) else 0


def _choose(ledger: "Ledger", since: str, scan_ids: tuple[int, ...]) -> "list[Scan]":
    from db.drift import scans_since
    from db.scans import get_scan

    with ledger.read() as connection:
        if scan_ids:
            return [get_scan(connection, scan_id) for scan_id in sorted(set(scan_ids))]
        return scans_since(connection, parse_moment(since, "--since"))


def _facts(one: "WatchedRoot") -> dict[str, Any]:
    facts: dict[str, Any] = {
        "root": one.root,
        "model_version": one.model_version,
        "scans": list(one.scan_ids),
        "images": one.found.images,
        "scored": sum(one.found.counts),
        "reference": one.reference,
    }
    return facts | (asdict(one.drift) if one.drift else {"state": None, "warnings": []})


def _print(watched: "list[WatchedRoot]") -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.layout import make_console

    table = Table("root", "model", "compared with", "state", box=None)
    names = ("images", "PSI real", "KS real", "fakes", "PSI mixed", "KS mixed", "no_face", "failed")
    for name in names:
        table.add_column(name, justify="right")
    for one in watched:
        table.add_row(
            Text(one.root if one.root.isprintable() else ascii(one.root)),
            Text(one.model_version),
            Text(one.reference or "-"),
            one.drift.state if one.drift else "nothing to compare with",
            f"{one.found.images:,}",
            *_numbers(one),
        )
    make_console().print(table)
    for one in watched:
        for warning in one.drift.warnings if one.drift else ():
            click.echo(f"warning: {ascii(one.root)[1:-1]}: {warning}")


def _numbers(one: "WatchedRoot") -> list[str]:
    drift = one.drift
    if drift is None:
        return ["-"] * 7
    numbers: list[str] = []
    real, mixture = drift.real, drift.mixture
    numbers += [f"{real.psi:.3f}", f"{real.ks:.3f}"] if real else ["-", "-"]
    numbers.append("-" if drift.fake_share is None else f"{drift.fake_share:.1%}")
    numbers += [f"{mixture.psi:.3f}", f"{mixture.ks:.3f}"] if mixture else ["-", "-"]
    return [*numbers, f"{drift.no_face_share:.1%}", f"{drift.failed_share:.1%}"]
