"""`fakesweep query`: read-only SQL on the ledger."""

import csv
import json
import sys
from decimal import Decimal
from itertools import islice
from typing import Any

import click

from cli.context import existing_ledger, start

TABLE_ROWS = 1000  # a terminal table is laid out as a whole; CSV and JSON stream


@click.command()
@click.argument("sql")
@click.option("--csv", "layout", flag_value="csv", help="Print CSV.")
@click.option("--json", "layout", flag_value="json", help="Print one JSON object a line.")
def query(sql: str, layout: str | None) -> None:
    """Run one reading SQL statement, for example on the views latest_verdicts and scan_summary."""
    from db.query import run_query

    settings = start()
    with existing_ledger(settings) as ledger, run_query(ledger, sql) as (columns, rows):
        if layout == "csv":
            from db.export import neutral_cell

            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([neutral_cell(value) for value in row] for row in rows)
        elif layout == "json":
            for row in rows:
                click.echo(
                    json.dumps(
                        dict(zip(columns, row, strict=True)), ensure_ascii=False, default=_plain
                    )
                )
        else:
            _print_table(columns, list(islice(rows, TABLE_ROWS + 1)))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return float(value) if isinstance(value, Decimal) else str(value)


def _print_table(columns: list[str], rows: list[Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.layout import make_console

    table = Table(box=None)
    for name in columns:
        table.add_column(name, overflow="fold")  # a name that is cut short names no file
    for row in rows[:TABLE_ROWS]:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    make_console().print(table)
    if len(rows) > TABLE_ROWS:
        click.echo(f"the first {TABLE_ROWS} rows; --csv and --json print all", err=True)
