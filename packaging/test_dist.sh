#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# Installs the archive of "make dist" into a clean Debian without network, searches and removes it again: test_dist.sh SUITE
# MAJOR ARCHIVE. As root; needs mmdebstrap and the archive of Debian for the server and pgvector (see test.sh).
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=chroot.sh
. "$here/chroot.sh"
archive=$(realpath "$3")
if [ "${4-}" != without-network ]; then
  start_system "$1" "$2"
  install_pgvector
  export root suite major
  # All that follows runs in a network namespace without any interface but loopback.
  unshare --net "${BASH_SOURCE[0]}" "$1" "$2" "$archive" without-network
  exit
fi

step "no network"
ip link set lo up
[ "$(ip -brief link | wc -l)" = 1 ]
[ -z "$(ip route)" ]

step "installation"
tar -xzf "$archive" -C "$root/srv"
directory=/srv/$(basename "$archive" .tar.gz)
pg_config=/usr/lib/postgresql/$major/bin/pg_config
in_root "$directory/install.sh" "$pg_config"
start_server

step "the first answer"
sql --file=- <"$here/first_answer.sql"
in_root pg_ctlcluster "$major" main stop

step "again, as after an update, and removed"
in_root "$directory/install.sh" "$pg_config"
in_root "$directory/install.sh" --remove "$pg_config"
in_root pg_ctlcluster "$major" main start
sql --command="SELECT count(*), min(vector_dims(embedding)) FROM handbook_chunk"
in_root pg_ctlcluster "$major" main stop
left=$(in_root find /usr -name '*socle*')
[ -z "$left" ] || { printf 'left behind:\n%s\n' "$left"; exit 1; }
step "passed"
