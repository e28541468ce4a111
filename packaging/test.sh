#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# Installs the packages into a clean Debian, searches, upgrades and purges: test.sh SUITE MAJOR DIRECTORY, for example
# test.sh trixie 17 target/package. As root; needs mmdebstrap and the archive of Debian. SUITE has to offer postgresql-MAJOR.
# Where it has no postgresql-MAJOR-pgvector, PGVECTOR names a directory with vector.so and vector's extension files.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=chroot.sh
. "$here/chroot.sh"
packages=$(cd "$3" && pwd)
start_system "$1" "$2"
mkdir "$root/packages"
cp "$packages/postgresql-$major-socle_"*.deb "$packages"/socle-models_*.deb "$root/packages"
server_package=/packages/$(cd "$root/packages" && ls postgresql-*)
models_package=/packages/$(cd "$root/packages" && ls socle-models_*)

step "installation"
apt install --no-install-recommends "$server_package" "$models_package"
install_pgvector
start_server

step "the first answer"
sql --file=- <"$here/first_answer.sql"

step "an upgrade while the server runs"
in_root dpkg-deb --raw-extract "$server_package" /next
sed -i 's/^Version: .*/&+next/' "$root/next/DEBIAN/control"
in_root dpkg-deb -Znone --build /next /packages/next.deb >/dev/null
apt install /packages/next.deb
# shellcheck disable=SC2016 # a format of dpkg's
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
