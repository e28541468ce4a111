#!/usr/bin/env bash
# Packs a staged installation for servers without network: dist.sh MAJOR VERSION STAGE, where STAGE has lib/ and share/, as
# "make install" and "make install-models" fill PKGLIBDIR and SHAREDIR. Writes STAGE.tar.gz beside STAGE, and removes STAGE.
set -euo pipefail
shopt -s inherit_errexit
umask 022

major=$1 version=$2 stage=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

strip --strip-unneeded "$stage"/lib/{socle.so,socle/socle-*}
mkdir "$stage/doc"
cp -r "$root"/{README.md,CHANGELOG.md,SECURITY.md,LICENSE,docs} "$stage/doc"
mv "$stage/lib/socle/ThirdPartyNotices.txt" "$stage/doc/onnxruntime-ThirdPartyNotices.txt"
mv "$stage/lib/socle/LICENSE" "$stage/doc/onnxruntime-LICENSE"
for licence in "$stage"/lib/socle/llama/LICENSE.*; do
  mv "$licence" "$stage/doc/${licence##*/LICENSE.}-LICENSE"
done
python3 "$here/components.py" "$root" "$version" "$stage/doc"
# The newest version of the C library that a file here needs.
glibc=$(for file in "$stage"/lib/socle.so "$stage"/lib/socle/{socle-*,*.so} "$stage"/lib/socle/llama/*.so; do
  objdump -T "$file" | grep -o 'GLIBC_[0-9.]*'
done | sed 's/GLIBC_//' | sort -Vu | tail -n 1)
sed "s/@MAJOR@/$major/g; s/@VERSION@/$version/g; s/@GLIBC@/$glibc/g" "$here/install.sh.in" >"$stage/install.sh"
chmod 755 "$stage/install.sh"
sums=$(cd "$stage" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
echo "$sums" >"$stage/SHA256SUMS"
date=$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/CHANGELOG.md")
tar --create --sort=name --mtime="@$date" --owner=root:0 --group=root:0 --directory="$(dirname "$stage")" "$(basename "$stage")" |
  gzip -n >"$stage.tar.gz"
rm -rf "$stage"
