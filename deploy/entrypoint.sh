#!/bin/sh
# Turns secret files into the variables that their names say, then becomes the command.
set -eu
for file in /run/secrets/*; do
  if [ -f "$file" ]; then
    export "$(basename "$file")=$(cat "$file")"
  fi
done
# The client's state is in Dagster's database.
if [ -n "${DAGSTER_PG_PASSWORD:-}" ]; then
  export PGPASSWORD="$DAGSTER_PG_PASSWORD"
fi
# Whatever is written is for this user alone.
umask 077
exec "$@"
