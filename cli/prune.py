"""`fakesweep prune`: let go of old verdicts."""

import json
from datetime import UTC, datetime

import click

from cli.context import existing_ledger, start
from cli.moments import parse_moment


@click.command()
@click.option(
    "--older-than",
    required=True,
    metavar="AGE|DATE",
    help="Verdicts decided before then: 180d, 26w, or a date like 2026-01-01.",
)
@click.option("--keep-fakes", is_flag=True, help="Keep the rows with the verdict fake.")
@click.option(
    "--latest-too",
    is_flag=True,
    help="Delete the newest row of an image, too; it is judged anew when it is scanned again.",
)
@click.option(
    "--export",
    "output",
    metavar="FILE",
    help="Write the rows to FILE (.csv, .jsonl, .parquet) first.",
)
@click.option("--dry-run", is_flag=True, help="Count only.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def prune(
    older_than: str,
    keep_fakes: bool,
    latest_too: bool,
    output: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete old verdicts, and scans of which nothing is left.

    The newest row of every image stays, so that unchanged images are not judged again; --latest-too
    deletes it as well.
    """
    from db.export import Selection, export_rows
    from db.prune import Pruning, count_prunable
    from db.prune import prune as delete_rows

    settings = start()
    before = parse_moment(older_than, "--older-than")
    pruning = Pruning(before, datetime.now(UTC), keep_fakes=keep_fakes, latest_too=latest_too)
    exported = 0
    with existing_ledger(settings) as ledger:
        if dry_run:
            with ledger.read() as connection:
                verdicts, scans = count_prunable(connection, pruning), 0
        else:
            if output is not None:
                with ledger.read() as connection:
                    exported = export_rows(connection, Selection(pruning=pruning), output)
            verdicts, scans = delete_rows(ledger, pruning)
    facts = {"verdicts": verdicts, "scans": scans, "exported": exported, "dry_run": dry_run}
    if as_json:
        click.echo(json.dumps(facts))
    elif dry_run:
        click.echo(f"{verdicts:,} verdicts would be deleted")
    else:
        where = f", after {exported:,} rows were written to {output}" if output else ""
        click.echo(f"{verdicts:,} verdicts and {scans:,} scans are deleted{where}")
