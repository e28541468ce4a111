#!/usr/bin/env bash
# A clean Debian with PostgreSQL in a directory of its own, for the tests of packages and of the archive, which source this
# file. Sets $root; as root; needs mmdebstrap and the archive of Debian. Leaves nothing behind.

# start_system SUITE MAJOR [PACKAGE…]: a new system with PostgreSQL, which does not run yet.
start_system() {
  suite=$1 major=$2
  shift 2
  ((EUID == 0)) || { echo "${0##*/} runs as root" >&2; exit 1; }
  command -v mmdebstrap >/dev/null || { echo 'missing, by the name of Debian: mmdebstrap' >&2; exit 1; }
  root=$(mktemp -d /var/tmp/socle-package.XXXXXX)
  trap remove_system EXIT
  step "a clean system with PostgreSQL $major"
  local packages="postgresql-$major,ca-certificates"
  if (($# > 0)); then packages+=$(printf ',%s' "$@"); fi
  mmdebstrap --quiet --mode=root --variant=apt --skip=cleanup/apt/lists --include="$packages" "$suite" "$root"
  mount -t proc proc "$root/proc"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" # shared memory of PostgreSQL
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  # Services are not started in a chroot; apt would try.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
}

remove_system() {
  chroot "$root" pg_ctlcluster "$major" main stop --mode=immediate >/dev/null 2>&1 || true
  umount "$root/dev/shm" "$root/proc" 2>/dev/null || true
  rm -rf --one-file-system "$root"
}

start_server() {
  in_root test -d "/etc/postgresql/$major/main" || in_root pg_createcluster "$major" main
  in_root pg_ctlcluster "$major" main start
}

# pgvector of the release, or the files in the directory PGVECTOR where it has none.
install_pgvector() {
  # Not "apt-cache show": it succeeds for a name that the package of socle recommends and nobody has.
  if [[ $(in_root apt-cache policy "postgresql-$major-pgvector") == *"Candidate: "[0-9]* ]]; then
    apt install "postgresql-$major-pgvector"
  else
    echo "$suite has no postgresql-$major-pgvector: taking that of ${PGVECTOR:?}"
    cp "$PGVECTOR"/vector.so "$root/usr/lib/postgresql/$major/lib/"
    cp "$PGVECTOR"/vector{.control,--*.sql} "$root/usr/share/postgresql/$major/extension/"
  fi
}

in_root() {
  chroot "$root" env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

apt() {
  in_root apt-get --quiet --quiet --assume-yes --option Dpkg::Use-Pty=0 "$@"
}

# Runs a file of SQL or a command, and fails at the first error.
sql() {
  in_root runuser -u postgres -- psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 "$@"
}

step() {
  printf '\n== %s: %s\n' "$suite" "$*"
}
