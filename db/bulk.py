"""Many rows in one statement, by the fastest way that each database has.

SQLAlchemy builds a dictionary for each row, and a parameter for each name in a list: with rows by the
hundred thousand that costs several times what the database does.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Table,
    Text,
    any_,
    cast,
    func,
    literal,
    select,
)

Rows = Sequence[tuple[Any, ...]]


def is_one_of(
    connection: Connection, wanted: Column[str], values: Sequence[str]
) -> ColumnElement[bool]:
    """Build the condition that a text is one of any number of others, as a single parameter."""
    one = literal(json.dumps(values), Text)
    if connection.dialect.name == "postgresql":
        texts = select(func.json_array_elements_text(cast(one, JSON)).column_valued())
        # An array, worked out first: beside a join the planner would have to know how many there are.
        return wanted == any_(func.array(texts.scalar_subquery(), type_=ARRAY(Text)))
    return wanted.in_(select(func.json_each(one).table_valued("value").c.value))


def insert_many(connection: Connection, table: Table, names: Sequence[str], rows: Rows) -> None:
    """Insert rows, whose values stand in the order of the names of their columns.

    Raises:
        psycopg.Error, sqlalchemy.exc.DBAPIError: As of any statement; `Ledger` turns both into its own.
    """
    if not rows:
        return
    columns = ", ".join(names)
    if connection.dialect.name == "postgresql":
        cursor: Any = connection.connection.cursor()
        with cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", list(rows))  # noqa: S608


def update_many(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Rows,
    same: Mapping[str, Any],
) -> None:
    """Set columns of rows that are named by their number.

    Args:
        names: Columns that are set.
        rows: The values of these columns, and the number of the row as the last one.
        same: Values that all rows get.
    """
    if not rows:
        return
    dialect = connection.dialect
    constants = tuple(_bound(dialect, table.c[name], value) for name, value in same.items())
    if dialect.name == "postgresql":
        columns = [*names, "id"]
        types = ", ".join(f"{name} {_type(dialect, table.c[name])}" for name in columns)
        numbers = [row[-1] for row in rows]
        statement = (
            f"UPDATE {table.name} SET {', '.join(f'{name} = new.{name}' for name in names)}, "  # noqa: S608
            f"{', '.join(f'{name} = %s' for name in same)} "
            # As JSON: a list for each column takes the driver longer than the database needs for all.
            f"FROM json_to_recordset(%s) AS new({types}) WHERE {table.name}.id = new.id "
            # The bounds keep a database that has not counted its rows yet from reading them all.
            f"AND {table.name}.id BETWEEN %s AND %s"
        )
        records = json.dumps([dict(zip(columns, row, strict=True)) for row in rows])
        connection.exec_driver_sql(statement, (*constants, records, min(numbers), max(numbers)))
        return
    changes = ", ".join(f"{name} = ?" for name in (*same, *names))
    connection.exec_driver_sql(
        f"UPDATE {table.name} SET {changes} WHERE id = ?",  # noqa: S608
        [(*constants, *row) for row in rows],
    )


def _bound(dialect: Dialect, target: Column[Any], value: Any) -> Any:
    process = target.type.dialect_impl(dialect).bind_processor(dialect)
    return value if process is None else process(value)


@cache
def _type(dialect: Dialect, target: Column[Any]) -> str:
    return target.type.compile(dialect)
