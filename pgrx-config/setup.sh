#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# Fetches, checks and unpacks what socle is built with, tested on and demonstrated with, into one cache directory.
# What was asked for goes to stdout, everything else to stderr. Each command does only what is still missing, so a second
# run needs no network. Refuses to install a database server into the system, to create or start clusters, and to use a
# download whose SHA-256 is not the one in versions.env.
set -euo pipefail
shopt -s inherit_errexit
umask 022 # the server's user reads what root unpacks
export LC_ALL=C # apt's answers are parsed

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=versions.env
. "$here/versions.env"
# shellcheck source=fetch.sh
. "$here/fetch.sh"
# shellcheck source=postgres.sh
. "$here/postgres.sh"
# shellcheck source=models.sh
. "$here/models.sh"

usage() {
  cat <<'END'
usage: setup.sh COMMAND

  packages               what building needs; as root it is installed, otherwise it is named
  missing PG_CONFIG      names what building for that server needs and this machine lacks; installs nothing
  postgres 15|16|17|18   a server with pgvector             prints the path of its pg_config
  onnxruntime            ONNX Runtime                       prints the path of libonnxruntime.so
  llama                  llama.cpp                          prints the directory of its libraries
  models                 the models of demo and tests       prints the directory that holds them
  documents              the demo's documents, fr and en    prints the directory that holds them
  pages                  pictures of pages, for the bench   prints the directory; as root LibreOffice is installed
  python NAME            packages of requirements-NAME.txt  prints the directory for PYTHONPATH
  node                   what the example in Node.js needs  prints its node_modules
  jdbc                   Debian's JDBC driver               prints the path of its jar
  pgbouncer              Debian's pooler                    prints its path
  browser                Chromium, for tests of examples    prints its path; as root it is installed
  exporter               Debian's exporter for Prometheus   prints its path
  promtool               what checks rules of Prometheus    prints its path
  minisign               what signs packages of models      prints its path
  cache                  where all of it is kept             prints the directory
  runner                 the user that servers run as       prints its name
  clean-cache            removes all of the above but packages and user

The cache is $SOCLE_CACHE; without it /var/cache/socle for root, ~/.cache/socle for others.
END
}

say() {
  printf 'setup: %s\n' "$*"
}

die() {
  say "$*"
  exit 1
}

# Sets $cache, and refuses one that the servers' user could not read or that someone else could change.
open_cache() {
  cache=${SOCLE_CACHE:-}
  if [ -z "$cache" ]; then
    if ((EUID == 0)); then
      cache=/var/cache/socle
    else
      cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/socle
    fi
  fi
  mkdir -p "$cache"
  cache=$(cd "$cache" && pwd -P)
  [[ $cache != *[[:space:]]* ]] || die "$cache: make cannot work with a space in a path: choose another SOCLE_CACHE"
  [ -O "$cache" ] || die "$cache belongs to someone else: choose another SOCLE_CACHE"
  if ((EUID == 0)) && ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$cache"; then
    die "$cache cannot be entered by the unprivileged user of the server: choose another SOCLE_CACHE"
  fi
  trap 'rm -rf "$cache/tmp.$$".*' EXIT
}

# Installs Debian packages as root. A plain user is told what to ask for.
need_packages() {
  if (($# == 0)); then return; fi
  command -v apt-get >/dev/null || die "missing, by Debian's names: $*"
  local install=(apt-get install --no-install-recommends)
  if ((EUID != 0)); then
    say "packages are missing; ask the administrator to run"
    printf '\n    %s\n\n' "${install[*]} $*"
    exit 1
  fi
  say "installing $*"
  export DEBIAN_FRONTEND=noninteractive
  if ! "${install[@]}" -q -y "$@"; then
    say "once more, with fresh package lists"
    apt-get -q update
    "${install[@]}" -q -y "$@"
  fi
}

# libclang and its own C headers lie in two packages; bindgen needs both.
have_libclang() {
  if [ -n "${LIBCLANG_PATH:-}" ]; then return; fi
  local prefix
  for prefix in /usr/lib/llvm-* /usr /usr/local; do
    if compgen -G "$prefix/lib*/libclang*.so*" && compgen -G "$prefix/lib/clang/*/include/stddef.h"; then return; fi
  done
  return 1
} >/dev/null

# Sets $missing to the packages that building needs and this machine lacks.
find_missing() {
  missing=()
  cc -E -include stdio.h - </dev/null >/dev/null 2>&1 || missing+=(gcc libc6-dev)
  command -v make >/dev/null || missing+=(make)
  have_libclang || missing+=(libclang-dev)
  python3 -c 'import sys, zipfile, zlib; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || missing+=(python3)
  python3 -c 'import pip' 2>/dev/null || missing+=(python3-pip)
  [ -d /etc/ssl/certs ] || missing+=(ca-certificates) # for pip and cargo
  [ -n "${npm_config_registry:-}" ] || command -v npm >/dev/null || missing+=(npm) # for llama.cpp
}

packages() {
  find_missing
  need_packages "${missing[@]}"
  find_missing
  ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
  command -v cargo >/dev/null || die "cargo is not on the PATH: install Rust (https://rustup.rs), then run this again"
  say "packages: complete"
}

# For an existing server: names all that is missing before anything is compiled.
missing_for() {
  local pg_config=$1 version major vector
  version=$("$pg_config" --version) || die "$pg_config is no pg_config that can be run"
  major=$(sed -E 's/^PostgreSQL ([0-9]+).*/\1/' <<<"$version")
  find_missing
  [ -e "$("$pg_config" --includedir-server)/postgres.h" ] || missing+=("postgresql-server-dev-$major")
  command -v cargo >/dev/null || say "cargo is not on the PATH: install Rust (https://rustup.rs)"
  vector=$("$pg_config" --sharedir)/extension/vector.control
  [ -e "$vector" ] || say "CREATE EXTENSION socle will need pgvector, which this server lacks: postgresql-$major-pgvector"
  if ((${#missing[@]} > 0)); then
    say "missing, by Debian's names; ask the administrator to run"
    printf '\n    %s\n\n' "apt-get install --no-install-recommends ${missing[*]}"
    exit 1
  fi
  command -v cargo >/dev/null || exit 1
}

documents() {
  assemble "$cache/documents-$HANDBOOK_VERSION" build_documents
  echo "$cache/documents-$HANDBOOK_VERSION" >&3
}

# What the benchmark of recognised pages reads: made from the handbook by LibreOffice and poppler.
pages() {
  local script=$here/../bench/ocr/pages.py digest python
  digest=$(sha256sum "$script")
  if [ ! -d "$cache/pages-${digest:0:12}" ]; then
    if ! command -v soffice >/dev/null || ! command -v pdftoppm >/dev/null; then
      need_packages libreoffice-writer-nogui poppler-utils fonts-liberation fonts-dejavu
    fi
    python=$(python_packages ocr 3>&1 >&2)
    PYTHONPATH=$python assemble "$cache/pages-${digest:0:12}" build_pages "$script"
  fi
  echo "$cache/pages-${digest:0:12}" >&3
}

build_pages() {
  unpack_handbook "$2/handbook" en-US fr-FR de-DE es-ES it-IT pl-PL cs-CZ
  say "making pages"
  python3 "$1" "$2/handbook" "$2"
  rm -rf "$2/handbook"
}

build_documents() {
  unpack_handbook "$1" fr-FR en-US
}

# unpack_handbook DIRECTORY LANGUAGE…
unpack_handbook() {
  local offered language prefix=./usr/share/doc/debian-handbook wanted=()
  for language in "${@:2}"; do wanted+=("$prefix/html/$language/*.html"); done
  private_apt "$1/apt"
  offered=$(apt_offers debian-handbook)
  [ -n "$offered" ] || die "apt offers no debian-handbook: its lists were not fetched, or this release lacks it"
  apt_fetch download debian-handbook
  if [ "$offered" = "$HANDBOOK_VERSION" ]; then
    verify "$1"/apt/files/*.deb "$HANDBOOK_SHA256"
  else
    say "debian-handbook $offered, which this release offers, instead of $HANDBOOK_VERSION; authenticated by apt"
  fi
  mkdir "$1/unpacked"
  dpkg-deb --fsys-tarfile "$1"/apt/files/*.deb |
    tar -x -C "$1/unpacked" --wildcards "${wanted[@]}" "$prefix/copyright"
  mv "$1/unpacked/$prefix"/html/* "$1/unpacked/$prefix/copyright" "$1"
  rm -rf "$1/apt" "$1/unpacked"
}

# What the tests read the views with, as Prometheus would.
exporter() {
  assemble "$cache/exporter" unpack_debian prometheus-postgres-exporter
  echo "$cache/exporter/usr/bin/prometheus-postgres-exporter" >&3
}

promtool() {
  assemble "$cache/promtool" build_promtool
  echo "$cache/promtool/promtool" >&3
}

build_promtool() {
  unpack_debian prometheus "$1/all"
  mv "$1/all/usr/bin/promtool" "$1"
  rm -rf "$1/all"
}

# What the tests sign packages of models with.
minisign() {
  assemble "$cache/minisign" build_minisign
  echo "$cache/minisign/minisign" >&3
}

# With the library that few systems have already.
build_minisign() {
  unpack_debian minisign "$1" 'libsodium.*'
  # shellcheck disable=SC2016 # expanded when it runs
  printf '#!/bin/sh\nhere=$(dirname "$0")\nLD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu*) exec "$here/usr/bin/minisign" "$@"\n' \
    >"$1/minisign"
  chmod 755 "$1/minisign"
  "$1/minisign" -v >/dev/null || die "minisign does not run on this machine"
}

jdbc() {
  assemble "$cache/jdbc" unpack_debian libpostgresql-jdbc-java
  echo "$cache/jdbc/usr/share/java/postgresql.jar" >&3
}

pgbouncer() {
  assemble "$cache/pgbouncer" build_pgbouncer
  echo "$cache/pgbouncer/pgbouncer" >&3
}

# Its package would start a service and bring a server: unpacked, with the two libraries that few systems have already.
build_pgbouncer() {
  unpack_debian pgbouncer "$1" 'libevent-.*|libc-?ares.*'
  # shellcheck disable=SC2016 # expanded when it runs
  printf '#!/bin/sh\nhere=$(dirname "$0")\nLD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu*) exec "$here/usr/sbin/pgbouncer" "$@"\n' \
    >"$1/pgbouncer"
  chmod 755 "$1/pgbouncer"
  "$1/pgbouncer" --version >/dev/null || die "pgbouncer does not run on this machine"
}

# unpack_debian PACKAGE DIRECTORY [DEPENDENCIES]: a package that is not installed, and those of its direct dependencies whose
# names match the expression.
unpack_debian() {
  local file names=("$1")
  private_apt "$2/apt"
  [ -n "$(apt_offers "$1")" ] || die "apt offers no $1"
  if [ -n "${3-}" ]; then
    mapfile -t -O 1 names < <(apt-cache -c "$apt/apt.conf" depends "$1" | sed -n 's/^ *Depends: //p' | grep -xE "$3")
  fi
  apt_fetch download "${names[@]}"
  for file in "$2"/apt/files/*.deb; do
    dpkg-deb -x "$file" "$2"
  done
  rm -rf "$2/apt"
}

# The packages of the lock file in examples/clients/node, which states their hashes; npm knows its registry.
node() {
  local lock=$here/../examples/clients/node/package-lock.json digest
  command -v npm >/dev/null || die "npm is missing"
  digest=$(sha256sum "$lock")
  assemble "$cache/node-${digest:0:12}" build_node "${lock%/*}"
  echo "$cache/node-${digest:0:12}/node_modules" >&3
}

build_node() {
  cp "$1"/package.json "$1"/package-lock.json "$2"
  (cd "$2" && npm ci --ignore-scripts --no-audit --no-fund --cache "$2/cache") || die "the packages of $1 could not be installed"
  rm -rf "$2/cache"
}

# python NAME: the packages of requirements-NAME.txt, for the Python that runs here.
python_packages() {
  local file=$here/requirements-$1.txt version digest
  [ -e "$file" ] || die "there is no $file"
  version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  case $version in
    3.11 | 3.12 | 3.13) ;;
    *)
      die "${file##*/} pins wheels for Python 3.11, 3.12 and 3.13, and python3 is $version:" \
        "put one of them before it on the PATH"
      ;;
  esac
  digest=$(sha256sum "$file")
  assemble "$cache/python-$1-$version-${digest:0:12}" build_python_packages "$file"
  echo "$cache/python-$1-$version-${digest:0:12}" >&3
}

build_python_packages() {
  require_x86_64 "Python package" "remove the comparison from what you run"
  say "installing the packages of ${1##*/}"
  export PIP_ROOT_USER_ACTION=ignore # they go into a directory of their own
  python3 -m pip --disable-pip-version-check --no-input install --no-cache-dir --no-deps --only-binary=:all: \
    --require-hashes --target "$2" --requirement "$1" ||
    die "the packages of ${1##*/} could not be installed"
}

# What the page of the example is tested in. Asked for by continuous integration, and never by "make test".
browser() {
  command -v chromium >/dev/null || need_packages chromium
  command -v chromium >&3
}

# Root may not run a server. A user of its own can read nothing but what everyone can, and its data directories.
runner() {
  if ((EUID != 0)); then
    id -un >&3
    return
  fi
  if ! id socle >/dev/null 2>&1; then
    say "creating the system user socle"
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin socle
  fi
  echo socle >&3
}

clean_cache() {
  local running
  take_lock
  running=$(readlink /proc/[0-9]*/exe 2>/dev/null | grep -F "$cache/" | sort -u || true)
  [ -z "$running" ] || die "still running, stop it first: $running"
  rm -rf "$cache"/{download,postgres-*,onnxruntime-*,llama-*,models-*,documents-*,pages-*,python-*,node-*,jdbc,pgbouncer,promtool,minisign,exporter,tmp.*}
  say "$cache: emptied"
}

exec 3>&1 1>&2 # 3 is the answer; whatever tools print is progress
case "$#:${1-}" in
  1:packages) packages ;;
  1:runner) runner ;;
  1:browser) browser ;;
  1:cache)
    open_cache
    echo "$cache" >&3
    ;;
  1:onnxruntime | 1:llama | 1:models | 1:documents | 1:pages | 1:node | 1:jdbc | 1:pgbouncer | 1:exporter | 1:promtool | 1:minisign)
    open_cache
    "$1"
    ;;
  2:missing) missing_for "$2" ;;
  2:postgres)
    open_cache
    postgres "$2"
    ;;
  2:python)
    open_cache
    python_packages "$2"
    ;;
  1:clean-cache)
    open_cache
    clean_cache
    ;;
  *)
    usage
    exit 2
    ;;
esac
