#!/usr/bin/env bash
# Builds the release: target/release/dyno and target/site.
source "$(dirname "$0")/env.sh"
set_up build
cd "$root"

say "Building the server (target/release/dyno), and what makes the browser's files"
cargo build --release -p dyno -p dyno-bindgen --bin dyno --bin dyno-bindgen

say "Building the browser's half (target/site)"
site=target/site
pkg=$site/pkg
mkdir -p "$pkg"
work=$(mktemp -d "$root/target/site-XXXXXX")
trap 'rm -rf "$work"' EXIT

# NAME PACKAGE FEATURES [SCRIPT]: the browser's program of that name, into target/site/pkg, and its name with the hash of what is in it into
# names.txt. A script follows what wasm-bindgen made, in the same file.
program() {
  local wasm=target/wasm-release/$1.wasm built=target/$wasm_target/wasm-release/${2//-/_}.wasm name
  # As a cdylib alone: cargo optimises over all crates only where no rlib is asked for as well.
  cargo rustc -p "$2" --lib --crate-type cdylib --no-default-features --features "$3" --target "$wasm_target" --profile wasm-release
  mkdir -p target/wasm-release
  if cmp -s "$built" "$wasm" && [ -f "$wasm.name" ] && { [ -z "${4:-}" ] || [ "$wasm" -nt "$4" ]; } && [ -f "$pkg/$(cat "$wasm.name").js" ]; then
    echo "$1 $(cat "$wasm.name")" >> "$work/names.txt"
    return
  fi
  cp "$built" "$wasm"
  target/release/dyno-bindgen "$work/$1" dyno "$wasm"
  # Only what browsers have had for years; "all features" writes what no browser reads yet.
  wasm-opt -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
    --enable-reference-types --enable-multivalue -o "$work/$1/opt.wasm" "$work/$1/dyno_bg.wasm"
  if [ -n "${4:-}" ]; then cat "$4" >> "$work/$1/dyno.js"; fi
  # Names say what is in the files, so that browsers may keep them for ever; the server reads the names at its start.
  name=$1.$(cat "$work/$1/opt.wasm" "$work/$1/dyno.js" | sha256sum | cut -c 1-16)
  mv "$work/$1/opt.wasm" "$work/${name}_bg.wasm"
  mv "$work/$1/dyno.js" "$work/$name.js"
  for file in "${name}_bg.wasm" "$name.js"; do
    node -e 'const z=require("zlib"),f=require("fs"),p=process.argv[1],b=f.readFileSync(p);
      f.writeFileSync(p+".br",z.brotliCompressSync(b,{params:{[z.constants.BROTLI_PARAM_QUALITY]:11}}));
      f.writeFileSync(p+".gz",z.gzipSync(b,{level:9}))' "$work/$file"
    mv "$work/$file" "$work/$file.br" "$work/$file.gz" "$pkg/"
  done
  if [ -d "$work/$1/snippets" ]; then cp -R "$work/$1/snippets" "$pkg/"; fi
  echo "$name" > "$wasm.name"
  echo "$1 $name" >> "$work/names.txt"
}
program pages dyno browser
program wizard dyno hydrate
program whatif dyno-whatif "" crates/whatif/src/worker.js
mv "$work/names.txt" "$pkg/names.txt"
# What was built earlier stays for a day: a portal that still runs on it names it.
find "$pkg" -maxdepth 1 -type f -mmin +1440 ! -name names.txt $(sed 's/^[a-z]* \(.*\)/! -name \1*/' "$pkg/names.txt") -delete
cp -R public/. "$site/"
sizes=$(while read -r which name; do echo "$which $(wc -c < "$pkg/${name}_bg.wasm.br")"; done < "$pkg/names.txt" | paste -sd, | sed 's/,/, /g')
# What each kind of page loads: a simulated run's report loads two programs.
for page in "pages" "wizard" "pages whatif"; do
  bytes=0
  for which in $page; do
    name=$(sed -n "s/^$which //p" "$pkg/names.txt")
    bytes=$((bytes + $(wc -c < "$pkg/${name}_bg.wasm.br")))
  done
  if [ "$bytes" -gt 250000 ]; then fail "A page that loads the browser's programs $page gets $bytes bytes of WASM (brotli); 250,000 are allowed."; fi
done
say "Built: target/release/dyno, target/site (bytes of WASM, brotli: $sizes)"
