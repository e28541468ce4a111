#!/usr/bin/env bash
# Runs throw-away servers for the demo and the tests, as an unprivileged user even when root asks.
# Refuses to touch a cluster that it has not made itself: all of them lie below the cache directory.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
action=${1:?start, stop or psql} name=${2:?name of the cluster} pg_config=${3:?path of pg_config}
shift 3

bin=$("$pg_config" --bindir)
major=$("$pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
runner=$("$here/setup.sh" runner 2>/dev/null)
home=$("$here/setup.sh" cache)/$name-$major
# The socket lies beside the data: its path has to stay below 107 bytes.
data=$home/data

# Without RUST_BACKTRACE, with which every error of a server carries a backtrace in its detail.
as_runner() {
  local become=()
  if ((EUID == 0)); then become=(setpriv --reuid="$runner" --regid="$runner" --init-groups); fi
  (cd / && "${become[@]}" env --unset=RUST_BACKTRACE HOME=/nonexistent "$@")
}

start() {
  if [ ! -e "$data/PG_VERSION" ]; then
    rm -rf "$home"
    install -d -m 755 "$home"
    if ((EUID == 0)); then chown "$runner:" "$home"; fi
    # No locale and UTF-8: the one combination that every build of Postgres has.
    as_runner "$bin/initdb" --pgdata="$data" --username=postgres --auth=trust --no-locale --encoding=UTF8 \
      --no-instructions >/dev/null
    # The text and no include: the server's user cannot enter a checkout below /root, and a checkout may move.
    { cat "$here/postgresql.conf" && printf "unix_socket_directories = '%s'\n" "$home"; } |
      as_runner tee -a "$data/postgresql.conf" >/dev/null
  fi
  if ! as_runner "$bin/pg_ctl" --pgdata="$data" status >/dev/null; then
    as_runner "$bin/pg_ctl" --pgdata="$data" --log="$home/log" --options="$*" --silent --wait start ||
      { tail "$home/log" >&2 && exit 1; }
  fi
  echo "$home"
}

stop() {
  if as_runner "$bin/pg_ctl" --pgdata="$data" status >/dev/null 2>&1; then
    as_runner "$bin/pg_ctl" --pgdata="$data" --silent --mode=fast stop
  fi
}

case $action in
  start) start "$@" ;;
  stop) stop ;;
  psql) exec "$bin/psql" --host="$home" --username=postgres "$@" ;;
  *) echo "cluster.sh: start, stop or psql" >&2 && exit 2 ;;
esac
