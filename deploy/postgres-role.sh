#!/bin/sh
# Runs once, when the database is made: a role that owns its database and nothing else.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$FAKESWEEP_POSTGRES_PASSWORD" --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE fakesweep LOGIN PASSWORD :'password';
CREATE DATABASE fakesweep OWNER fakesweep ENCODING 'UTF8' TEMPLATE template0;
SQL
