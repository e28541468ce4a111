#!/usr/bin/env bash
# Installs the packages into a clean Debian, searches, upgrades and purges: test.sh SUITE MAJOR DIRECTORY, for example
# test.sh trixie 17 target/package. As root; needs mmdebstrap and the archive of Debian. SUITE has to offer postgresql-MAJOR.
# Where it has no postgresql-MAJOR-pgvector, PGVECTOR names a directory with vector.so and vector's extension files.
# Leaves nothing behind but downloads in its temporary directory, which it removes.
set -euo pipefail
shopt -s inherit_errexit

suite=$1 major=$2 packages=$(cd "$3" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
((EUID == 0)) || { echo 'test.sh runs as root' >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo 'missing, by the name of Debian: mmdebstrap' >&2; exit 1; }
root=$(mktemp -d /var/tmp/socle-package.XXXXXX)

clean_up() {
  chroot "$root" pg_ctlcluster "$major" main stop --mode=immediate >/dev/null 2>&1 || true
  umount "$root/dev/shm" "$root/proc" 2>/dev/null || true
  rm -rf --one-file-system "$root"
}
trap clean_up EXIT

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

step "a clean system with PostgreSQL $major"
mmdebstrap --quiet --mode=root --variant=apt --include="postgresql-$major,ca-certificates" "$suite" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" # shared memory of PostgreSQL
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir "$root/packages"
cp "$packages/postgresql-$major-socle_"*.deb "$packages"/socle-models_*.deb "$root/packages"
server_package=/packages/$(cd "$root/packages" && ls postgresql-*)
models_package=/packages/$(cd "$root/packages" && ls socle-models_*)

step "installation"
# Services are not started in a chroot; apt would try.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
if in_root apt-cache show "postgresql-$major-pgvector" >/dev/null 2>&1; then
  apt install "$server_package" "$models_package"
  apt install "postgresql-$major-pgvector"
else
  echo "$suite has no postgresql-$major-pgvector: taking that of ${PGVECTOR:?}"
  apt install --no-install-recommends "$server_package" "$models_package"
  cp "$PGVECTOR"/vector.so "$root/usr/lib/postgresql/$major/lib/"
  cp "$PGVECTOR"/vector{.control,--*.sql} "$root/usr/share/postgresql/$major/extension/"
fi
in_root test -d "/etc/postgresql/$major/main" || in_root pg_createcluster "$major" main
in_root pg_ctlcluster "$major" main start

step "the first answer"
sql --file=- <"$here/first_answer.sql"

step "an upgrade while the server runs"
in_root dpkg-deb --raw-extract "$server_package" /next
sed -i 's/^Version: .*/&+next/' "$root/next/DEBIAN/control"
in_root dpkg-deb -Znone --build /next /packages/next.deb >/dev/null
apt install /packages/next.deb
in_root dpkg-query --show --showformat='${Package} ${Version}\n' "postgresql-$major-socle"
sql --command="INSERT INTO handbook VALUES (4, 'Mises à jour', 'Le paquet a été mis à jour pendant que le serveur tourne.')" \
  --command="SELECT socle.wait_for_corpus('handbook', '2 minutes')" \
  --command="SELECT title FROM socle.search('handbook', 'paquet mis à jour', 1)"

step "a purge leaves data alone"
apt purge "postgresql-$major-socle" socle-models
in_root pg_ctlcluster "$major" main restart
sql --command="SELECT count(*), min(vector_dims(embedding)) FROM handbook_chunk"
left=$(in_root find /usr /etc -name '*socle*' -not -path '/usr/share/doc/*')
[ -z "$left" ] || { printf 'left behind:\n%s\n' "$left"; exit 1; }
step "passed"
