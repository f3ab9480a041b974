"""`fakesweep models compare`: which verdicts change from one model version to another."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.context import existing_ledger, start
from fakesweep.errors import LedgerError, SettingError

if TYPE_CHECKING:
    from db.flips import Cell, Compared
    from db.ledger import Ledger

VERDICT_ORDER = ("fake", "uncertain", "real", "no_face")


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option(
    "--scan", "scan_ids", type=int, multiple=True, help="Only the images of this scan; repeatable."
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many of the largest flips to show.",
)
@click.option("--export", "output", metavar="FILE", help="Write all flips to this .csv file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    a: str,
    b: str,
    sources: tuple[str, ...],
    scan_ids: tuple[int, ...],
    limit: int,
    output: str | None,
    as_json: bool,
) -> None:
    """Show which verdicts flip from model version A to B, on images that both have judged.

    The newest verdicts of each version on the same bytes are compared: all that the ledger holds,
    or those of images below SOURCE, or of a scan.
    """
    from db.flips import Compared
    from fakesweep.uri import absolute_name

    if a == b:
        raise SettingError(f"expected two different model versions. Received: {a!r} twice")
    if output is not None and Path(output).suffix.lower() != ".csv":
        raise SettingError(f"the flips are written as CSV; expected a .csv. Received: {output!r}")
    paths = tuple(map(absolute_name, sources))
    compared = Compared(a, b, scan_ids, paths)
    with existing_ledger(start()) as ledger:
        facts, cells = _compare(ledger, compared, limit)
        written = None if output is None else _export(ledger, compared, output)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _print(facts, cells)
        if facts["only_a"]:
            click.echo(f"judged by {a} but not by {b}: {facts['only_a']:,}; {_how(compared)}")
    if written is not None:
        click.echo(f"{written:,} flips written to {output}", err=True)


def _compare(
    ledger: "Ledger", compared: "Compared", limit: int
) -> tuple[dict[str, Any], "list[Cell]"]:
    from db.flips import count_judged, count_pairs, judging_versions, largest_flips
    from db.scans import get_scan

    with ledger.read() as connection:
        for scan_id in compared.scan_ids:
            get_scan(connection, scan_id)
        judged = count_judged(connection, compared)
        cells = count_pairs(connection, compared)
        if not cells:
            raise LedgerError(_nothing_in_common(compared, judged, judging_versions(connection)))
        flips = [dict(row._mapping) for row in largest_flips(connection, compared, limit)]
    return _facts(compared, cells, judged, flips), cells


def _how(compared: "Compared") -> str:
    from shlex import quote

    where = f"model_version = '{compared.a}'"
    below = "".join(f" {quote(path)}" for path in compared.paths)
    return f'judge them with: fakesweep scan{below} --rescan --where "{where}" --model {compared.b}'


def _nothing_in_common(compared: "Compared", judged: tuple[int, int], known: list[str]) -> str:
    if judged[0] and not judged[1]:
        return (
            f"model version {compared.b} has judged none of the {judged[0]:,} images that"
            f" {compared.a} has judged; {_how(compared)}"
        )
    return (
        f"no image was judged by both {compared.a} ({judged[0]:,} images) and {compared.b}"
        f" ({judged[1]:,}); versions with scans: {', '.join(known) or 'none'}"
    )


def _export(ledger: "Ledger", compared: "Compared", output: str) -> int:
    from db.export import whole_file, write_csv
    from db.flips import FLIP_COLUMNS, stream_flips

    with (
        ledger.read() as connection,
        whole_file(output) as partial,
        partial.open("w", encoding="utf-8", newline="") as stream,
    ):
        return write_csv(stream_flips(connection, compared), stream, FLIP_COLUMNS)


def _facts(
    compared: "Compared",
    cells: "list[Cell]",
    judged: tuple[int, int],
    flips: list[dict[str, Any]],
) -> dict[str, Any]:
    both = sum(cell.images for cell in cells)
    scored = sum(cell.scored for cell in cells)
    return {
        "a": compared.a,
        "b": compared.b,
        "images": both,
        "only_a": judged[0] - both,
        "only_b": judged[1] - both,
        "flips": sum(cell.images for cell in cells if cell.verdict_a != cell.verdict_b),
        "mean_score_change": (
            sum(cell.score_change for cell in cells) / scored if scored else None
        ),
        "matrix": [asdict(cell) for cell in cells],
        "largest_flips": flips,
    }


def _print(facts: dict[str, Any], cells: "list[Cell]") -> None:
    from rich.table import Table

    from cli.layout import make_console

    console = make_console()
    count = {(cell.verdict_a, cell.verdict_b): cell.images for cell in cells}
    found = {name for pair in count for name in pair}
    names = [name for name in VERDICT_ORDER if name in found]
    a, b = facts["a"], facts["b"]
    table = Table(a, *(f"{b}: {name}" for name in names), box=None)
    for row in names:
        table.add_row(row, *(f"{count.get((row, name), 0):,}" for name in names))
    console.print(table)
    change = facts["mean_score_change"]
    share = facts["flips"] / facts["images"]
    click.echo(
        f"{facts['flips']:,} of {facts['images']:,} images flip ({share:.1%});"
        f" mean score change {'-' if change is None else format(change, '+.4f')}"
    )
    for flip in facts["largest_flips"]:
        shown = flip["uri"] if flip["uri"].isprintable() else ascii(flip["uri"])
        before, after = (_score(flip[name]) for name in ("score_a", "score_b"))
        click.echo(f"  {flip['verdict_a']} {before} -> {flip['verdict_b']} {after}  {shown}")


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"
