#!/usr/bin/env bash
# Makes the images of the test cluster's pods and imports them on its nodes. What was made is kept beside the cluster's programs, so
# that a second run takes seconds.
#   images.sh          the product's image and the engine's
#   images.sh dyno     the product's alone, after another build
# DYNO_PROGRAM and DYNO_SITE: which build (target/release/dyno, target/site). DYNO_IMAGE: its image's name (dyno.test/dyno:1).
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
root=$(cd "$here/../.." && pwd)
. "$here/common.sh"
images=$CACHE/kubernetes/images
program=${DYNO_PROGRAM:-$root/target/release/dyno}
site=${DYNO_SITE:-$root/target/site}
dyno_image=${DYNO_IMAGE:-dyno.test/dyno:1}
suite=trixie
base=$(sed -n 's/^ARG BASE=//p' "$root/deploy/Containerfile")
wheel=xllamacpp==2026.10.11549
[ -x "$program" ] || { echo "$program is missing: make build, or DYNO_PROGRAM=…" >&2; exit 1; }
mkdir -p "$images"
work=$(mktemp -d "$images/work-XXXXXX")
trap 'rm -rf "$work"' EXIT

builder() { buildah --root "$images/storage" --runroot "$images/run" --storage-driver vfs "$@"; }

# What the Containerfiles start from: Debian, with certificates and what the engine's image needs, under the public base's name.
make_base() {
  builder inspect --type image "$base" > /dev/null 2>&1 && return
  echo "Making the images' base from Debian $suite: about a minute, once." >&2
  local folder=$work/base container mount
  debootstrap --variant=minbase --include=ca-certificates,python3-minimal,libpython3-stdlib,libstdc++6,libgomp1 "$suite" "$folder" \
    > "$images/base.log" 2>&1 || { tail -5 "$images/base.log" >&2; exit 1; }
  rm -rf "$folder"/var/cache/apt/* "$folder"/var/lib/apt/lists/* "$folder"/usr/share/{doc,man,locale}/* "$folder"/dev/*
  echo nonroot:x:65532:65532:nonroot:/home/nonroot:/usr/sbin/nologin >> "$folder/etc/passwd"
  container=$(builder from scratch)
  mount=$(builder mount "$container")
  cp -a "$folder/." "$mount/"
  builder commit --quiet --rm "$container" "$base" > /dev/null
  rm -rf "$folder"
}

# NAME KEY CONTAINERFILE CONTEXT: an archive of the image, made again when the key is another.
make_image() {
  local name=$1 key=$2 file=$3 context=$4 archive
  archive=$(archive_of "$name")
  if [ -s "$archive" ] && [ "$(cat "$archive.key" 2> /dev/null)" = "$key" ]; then return; fi
  builder bud --quiet --isolation chroot --pull=never --format docker -f "$file" -t "$name" "$context" > /dev/null
  rm -f "$archive" "$archive.key"
  builder push --quiet "$name" "docker-archive:$archive.part:$name"
  mv "$archive.part" "$archive"
  echo "$key" > "$archive.key"
  builder rmi "$name" > /dev/null
}

archive_of() { echo "$images/$(echo "$1" | tr '/:' '--').tar"; }

hash_of() { sha256sum | cut -c 1-32; }

# The product's own Containerfile, over a build whose program is stripped: that of a debug build is mostly symbols.
make_dyno() {
  local context=$work/dyno key
  key=$({ cat "$root/deploy/Containerfile"; sha256sum < "$program"; [ ! -f "$site/pkg/names.txt" ] || cat "$site/pkg/names.txt"; } | hash_of)
  mkdir -p "$context/target/release" "$context/target/site"
  strip -o "$context/target/release/dyno" "$program"
  [ ! -d "$site" ] || cp -R "$site/." "$context/target/site/"
  make_image "$dyno_image" "$key" "$root/deploy/Containerfile" "$context"
}

# llama.cpp's server, with the entry point of the public image: its package for Python under the launcher that Dyno comes with.
make_engine() {
  local context=$work/engine launcher=$root/src/engine/recipes/llama_launcher.py key
  key=$({ cat "$launcher"; echo "$wheel"; sed -n '/^make_engine/,/^}/p' "$here/images.sh"; } | hash_of)
  mkdir "$context"
  if [ "$(cat "$(archive_of "$ENGINE_IMAGE").key" 2> /dev/null)" != "$key" ]; then
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.13 -d "$context" "$wheel"
    (cd "$context" && python3 -m zipfile -e xllamacpp-*.whl packages && rm xllamacpp-*.whl)
    { echo '#!/usr/bin/python3'; cat "$launcher"; } > "$context/llama-server"
    chmod 755 "$context/llama-server"
    cat > "$context/Containerfile" << FILE
FROM $base
COPY packages /usr/local/lib/python3.13/dist-packages
COPY llama-server /app/llama-server
ENV OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0 PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["/app/llama-server"]
FILE
  fi
  make_image "$ENGINE_IMAGE" "$key" "$context/Containerfile" "$context"
}

# NAME: onto every node that is up.
import() {
  local socket
  for socket in "$CLUSTER"/node-*/containerd.sock; do
    [ -S "$socket" ] || continue
    ctr -a "$socket" -n k8s.io images import "$(archive_of "$1")" > /dev/null
  done
}

make_base
make_dyno
import "$dyno_image"
if [ "${1:-all}" = all ]; then
  make_engine
  import "$ENGINE_IMAGE"
fi
