#!/bin/sh
# Makes the roles of the services with their passwords. PostgreSQL's image runs it once, when it creates the database.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    -v write="$FEEDMILL_WRITE_PASSWORD" -v projector="$FEEDMILL_PROJECTOR_PASSWORD" -v read="$FEEDMILL_READ_PASSWORD" <<'SQL'
CREATE ROLE feedmill_write LOGIN PASSWORD :'write';
CREATE ROLE feedmill_projector LOGIN PASSWORD :'projector';
CREATE ROLE feedmill_read LOGIN PASSWORD :'read';
SQL
