"""The ledger at rest: schema, migrations, every SQL statement and the export."""
