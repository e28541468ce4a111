#!/usr/bin/env bash
# Builds Debian packages from a staged installation: build.sh MAJOR VERSION STAGE, where STAGE/server and STAGE/models hold
# what goes into the packages postgresql-MAJOR-socle and socle-models. They are written to STAGE's parent directory. Compiles
# nothing; needs debhelper.
set -euo pipefail
shopt -s inherit_errexit
umask 022

major=$1 version=$2 stage=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
build=$(dirname "$stage")/source
server=$stage/server
doc=$server/usr/share/doc/postgresql-$major-socle
lib=$server/usr/lib/postgresql/$major/lib/socle

if ! command -v dh >/dev/null || ! command -v dpkg-buildpackage >/dev/null; then
  echo 'missing, by the names of Debian: debhelper dpkg-dev (apt-get install --no-install-recommends debhelper)' >&2
  exit 1
fi

rm -rf "$build"
mkdir -p "$build/debian"
cp -a "$here/debian/." "$build/debian"
rm "$build"/debian/{*.in,socle.conf}
overrides=$here/debian/postgresql-socle.lintian-overrides.in
sed "s/@MAJOR@/$major/g" "$overrides" >"$build/debian/postgresql-$major-socle.lintian-overrides"
# Whoever builds a package is its maintainer, and says so as for other packages of Debian.
maintainer="${DEBFULLNAME:-the socle developers} <${DEBEMAIL:-$(git -C "$root" config user.email || echo "$(id -un)@$(hostname -f)")}>"
sed "s/@MAJOR@/$major/g; s/@MAINTAINER@/$maintainer/" "$here/debian/control.in" >"$build/debian/control"
# Reproducible: the date of the last change of what is packaged.
date=$(git -C "$root" log -1 --format=%cD 2>/dev/null || date -R -r "$root/CHANGELOG.md")
cat >"$build/debian/changelog" <<END
socle ($version) unstable; urgency=medium

  * Version $version: see the file CHANGELOG.md of the project.

 -- $maintainer  $date
END

mkdir -p "$doc" "$server/usr/lib/systemd/system/postgresql@$major-.service.d"
# Of this major version alone, so that packages for several may be installed.
cp "$here/debian/socle.conf" "$server/usr/lib/systemd/system/postgresql@$major-.service.d/socle.conf"
cp -r "$root"/{README.md,SECURITY.md,docs} "$doc"
# The manual keeps its folder, so that its links and examples work.
install -d "$doc/docs"
cp "$root"/docs/* "$doc/docs"
gzip -9nc "$root/CHANGELOG.md" >"$doc/NEWS.gz"
# Licences are no part of the library directory of a server.
mv "$lib/ThirdPartyNotices.txt" "$doc/onnxruntime-ThirdPartyNotices.txt"
mv "$lib/LICENSE" "$doc/onnxruntime-LICENSE"
for licence in "$lib"/llama/LICENSE.*; do
  mv "$licence" "$doc/${licence##*/LICENSE.}-LICENSE"
done
python3 "$here/components.py" "$root" "$version" "$doc"
# The models that socle looks for by default are those of the package socle-models.
mkdir -p "$server/usr/share/postgresql/$major/socle"
ln -sfn ../../../socle/models "$server/usr/share/postgresql/$major/socle/models"

mkdir "$build/stage"
mv "$stage/server" "$stage/models" "$build/stage"
(cd "$build" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps)
rm -rf "$build"
