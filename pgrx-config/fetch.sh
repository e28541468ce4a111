# shellcheck shell=bash disable=SC2154 # cache is setup.sh's
# Downloading and the cache: wheels through pip, Debian packages through apt, packages of npm, one set-up at a time, nothing visible
# before it is complete. Sourced by setup.sh. Refuses bytes that differ from versions.env, and leaves apt's own lists,
# cache and sources as they are.

# One run at a time works in the cache. What a killed run left behind is removed.
take_lock() {
  exec 9>"$cache/lock"
  if ! flock -n 9; then
    say "waiting for another set-up to end"
    flock 9
  fi
  rm -rf "$cache"/tmp.*
}

# assemble TARGET COMMAND…: runs COMMAND with an empty directory as its last argument and renames that to TARGET, so that
# TARGET exists only when it is complete.
assemble() {
  local target=$1 work=$cache/tmp.$$.assembly
  shift
  if [ ! -d "$target" ]; then
    take_lock
    if [ ! -d "$target" ]; then # the other run may have made it
      mkdir "$work"
      "$@" "$work"
      mv -T "$work" "$target"
    fi
    exec 9>&-
  fi
  say "$(basename "$target"): ready"
}

# verify FILE SHA256
verify() {
  local actual
  actual=$(sha256sum "$1")
  if [ "${actual%% *}" != "$2" ]; then
    rm -f "$1"
    die "${1##*/} has SHA-256 ${actual%% *}, versions.env says $2: removed"
  fi
  say "${1##*/}: $(du -h --apparent-size "$1" | cut -f1), SHA-256 as pinned"
}

# Fails unless this machine can run the prebuilt programs. Says what to do elsewhere.
require_x86_64() {
  [ "$(uname -m)" = x86_64 ] || die "there is no prebuilt $1 for $(uname -m): $2"
}

# The package and version in a wheel's file name.
package_of() {
  local name version _
  IFS=- read -r name version _ <<<"$1"
  echo "$name-$version"
}

# fetch_wheel FILE SHA256: sets $wheel to the verified file, downloading it if it is not in the cache yet.
fetch_wheel() {
  wheel=$cache/download/$1
  if [ ! -e "$wheel" ]; then
    local name version python abi platforms platform options part=$cache/tmp.$$.download
    IFS=- read -r name version python abi platforms <<<"${1%.whl}"
    case $python in # the tags select the wheel, whatever Python runs pip
      cp*) options=(--implementation cp --python-version "${python#cp}") ;;
      *) options=(--implementation py --python-version 3.12) ;; # pip also compares the version with Requires-Python
    esac
    for platform in ${platforms//./ }; do
      options+=(--platform "$platform")
    done
    say "downloading $name $version"
    mkdir -p "$cache/download" "$part"
    # No second copy in pip's own cache.
    python3 -m pip --disable-pip-version-check --no-input download --no-cache-dir --no-deps --only-binary=:all: \
      --abi "$abi" "${options[@]}" --dest "$part" "$name==$version" || die "$name $version could not be downloaded"
    mv "$part/$1" "$wheel"
  fi
  verify "$wheel" "$2"
}

# fetch_npm PACKAGE VERSION SHA256: sets $tarball to the verified file of a package of npm. Takes it with npm, which knows its
# registry, or without npm from the one that npm_config_registry names.
fetch_npm() {
  local name=${1##*/} part=$cache/tmp.$$.download
  tarball=$cache/download/$name-$2.tgz
  if [ ! -e "$tarball" ]; then
    say "downloading $1 $2"
    mkdir -p "$cache/download" "$part"
    if command -v npm >/dev/null; then
      (cd "$part" && npm pack --silent "$1@$2" && mv ./*.tgz "$name-$2.tgz") || die "$1 $2 could not be downloaded"
    else
      [ -n "${npm_config_registry:-}" ] || die "npm is missing: install it, or set npm_config_registry to the registry to take $1 from"
      python3 -c 'import shutil, sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as source, open(sys.argv[2], "wb") as target:
    shutil.copyfileobj(source, target)' "${npm_config_registry%/}/$1/-/$name-$2.tgz" "$part/$name-$2.tgz" ||
        die "$1 $2 could not be downloaded"
    fi
    mv "$part/$name-$2.tgz" "$tarball"
  fi
  verify "$tarball" "$3"
}

# unpack WHEEL DIRECTORY
unpack() {
  python3 -m zipfile -e "$1" "$2"
}

# private_apt DIRECTORY [SOURCES]: fresh package lists in DIRECTORY, from the system's sources or the given file. The two
# functions below read them. Works for any user, and without touching the system's lists, which may be missing or old.
private_apt() {
  apt=$1
  command -v apt-get >/dev/null || die "this comes from the Debian archive, and this machine has no apt-get"
  mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial "$apt/files"
  {
    printf 'Dir::State::lists "%s";\nDir::Cache "%s";\nAcquire::Languages "none";\n' "$apt/lists" "$apt/cache"
    if [ -n "${2-}" ]; then
      printf 'Dir::Etc::sourcelist "%s";\nDir::Etc::sourceparts "-";\n' "$2"
    fi
    # hooks that tidy or index the system's own lists
    printf '#clear APT::Update::%s;\n' Pre-Invoke Post-Invoke Post-Invoke-Success
  } >"$apt/apt.conf"
  if ((EUID == 0)) && id _apt >/dev/null 2>&1; then
    chown _apt "$apt/files" # apt downloads as this user, not as root
  fi
  apt-get -c "$apt/apt.conf" -q update
}

# The version of a package that apt would install; nothing when there is none.
apt_offers() {
  apt-cache -c "$apt/apt.conf" policy "$1" | sed -n 's/^  Candidate: //p' | grep -vxF '(none)' || true
}

# Runs apt-get, which downloads into the current directory, so that packages end up in $apt/files.
apt_fetch() {
  (cd "$apt/files" && apt-get -c "$apt/apt.conf" -q "$@")
}
