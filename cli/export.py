"""`fakesweep export`: verdicts to CSV, JSON Lines or Parquet."""

import click

from cli.context import existing_ledger, start


@click.command()
@click.argument("scan_id", metavar="[SCAN]", type=int, required=False)
@click.option(
    "--output",
    "-o",
    required=True,
    metavar="FILE",
    help="File that ends in .csv, .jsonl or .parquet; - writes CSV to stdout.",
)
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    type=click.Choice(["fake", "real", "uncertain", "no_face"]),
    help="Only rows with this verdict; repeatable.",
)
@click.option(
    "--min-score", type=click.FloatRange(0, 1), help="Only rows with at least this score."
)
@click.option("--latest", is_flag=True, help="Only the newest row of every image.")
def export(
    scan_id: int | None,
    output: str,
    verdicts: tuple[str, ...],
    min_score: float | None,
    latest: bool,
) -> None:
    """Write the rows of SCAN (default: of all scans) to a file."""
    from db.export import Selection, export_rows
    from db.scans import get_scan

    settings = start()
    selection = Selection(scan_id, verdicts, min_score, latest)
    with existing_ledger(settings) as ledger, ledger.read() as connection:
        if scan_id is not None:
            get_scan(connection, scan_id)
        count = export_rows(connection, selection, output)
    click.echo(f"{count:,} rows written to {'stdout' if output == '-' else output}", err=True)
