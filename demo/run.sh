#!/usr/bin/env bash
# The main job from nothing on the demo's server: documents into passages once, then questions at every run.
# Refuses nothing; "make demo" prepares what it needs.
set -euo pipefail

pg_config=${1:?path of pg_config} documents=${2:?directory of the documents}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
psql=("$here/../pgrx-config/cluster.sh" psql demo "$pg_config" --no-psqlrc --quiet)

begun=$SECONDS
if [ -z "$("${psql[@]}" -Atc "SELECT 1 FROM pg_database WHERE datname = 'demo'")" ]; then
  # Loaded under another name and renamed when complete, so that a demo that was broken off begins again.
  "${psql[@]}" -c 'DROP DATABASE IF EXISTS demo_loading' -c 'CREATE DATABASE demo_loading' 2>/dev/null
  "${psql[@]}" --dbname=demo_loading --set=documents="$documents" --file="$here/load.sql"
  "${psql[@]}" -c 'ALTER DATABASE demo_loading RENAME TO demo'
fi
"${psql[@]}" --dbname=demo --file="$here/ask.sql"
cat <<END

The demo took $((SECONDS - begun)) s. Its server runs on:
  make psql                                 opens psql on it
  make -s psql ARGS="-Atc 'SELECT …'"       runs one command
  make stop                                 stops it
END
