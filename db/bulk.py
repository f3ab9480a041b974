"""Many rows in one statement, by the fastest way that each database has.

SQLAlchemy builds a dictionary for each row, and a parameter for each name in a list: with rows by the
hundred thousand that costs several times what the database does.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import repeat
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
    bindparam,
    cast,
    func,
    select,
)

Rows = Sequence[tuple[Any, ...]]


def is_one_of(dialect: str, wanted: Column[str], values: str) -> ColumnElement[bool]:
    """Build the condition that a text is one of any number of others.

    Args:
        dialect: The name of the database's kind.
        values: The name of the parameter that holds the others, as a list in JSON.
    """
    one = bindparam(values, type_=Text)
    if dialect == "postgresql":
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
    ids: Sequence[int],
    columns: Mapping[str, Sequence[Any]],
    same: Mapping[str, Any],
) -> None:
    """Set columns of rows that are named by their number.

    Args:
        ids: The numbers of the rows.
        columns: For each column that is set, its value in each of these rows.
        same: Values that all rows get.
    """
    if not ids:
        return
    dialect = connection.dialect
    constants = {name: _bound(dialect, table.c[name], value) for name, value in same.items()}
    if dialect.name == "postgresql":
        _update_postgresql(connection, table, ids, columns, constants)
        return
    changes = ", ".join(f"{name} = ?" for name in (*constants, *columns))
    connection.exec_driver_sql(
        f"UPDATE {table.name} SET {changes} WHERE id = ?",  # noqa: S608
        list(zip(*map(repeat, constants.values()), *columns.values(), ids, strict=False)),
    )


def _update_postgresql(
    connection: Connection,
    table: Table,
    ids: Sequence[int],
    columns: Mapping[str, Sequence[Any]],
    constants: Mapping[str, Any],
) -> None:
    """Update by arrays, one for each column; JSON takes the server longer to read, and us to write."""
    equal = {name for name, values in columns.items() if values.count(values[0]) == len(values)}
    once = {**constants, **{name: columns[name][0] for name in columns if name in equal}}
    each = {name: columns[name] for name in columns if name not in equal}
    arrays = {**each, "id": ids}
    changes = [f"{name} = %s" for name in once] + [f"{name} = new.{name}" for name in each]
    types = ", ".join(f"%s::{_type(connection.dialect, table.c[name])}[]" for name in arrays)
    connection.exec_driver_sql(
        f"UPDATE {table.name} SET {', '.join(changes)} "  # noqa: S608
        f"FROM unnest({types}) AS new({', '.join(arrays)}) WHERE {table.name}.id = new.id "
        # The bounds keep a database that has not counted its rows yet from reading them all.
        f"AND {table.name}.id BETWEEN %s AND %s",
        (*once.values(), *map(_array, arrays.values()), min(ids), max(ids)),
    )


def _array(values: Sequence[Any]) -> str:
    """Write an array as PostgreSQL reads it: the driver takes nine times as long for a list."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", r"\\").replace('"', r"\"")
        return f'"{escaped}"'
    return str(value)


def _bound(dialect: Dialect, target: Column[Any], value: Any) -> Any:
    process = target.type.dialect_impl(dialect).bind_processor(dialect)
    return value if process is None else process(value)


@cache
def _type(dialect: Dialect, target: Column[Any]) -> str:
    return target.type.compile(dialect)
