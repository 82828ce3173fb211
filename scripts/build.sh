#!/usr/bin/env bash
# Builds the release: target/release/dyno and target/site.
source "$(dirname "$0")/env.sh"
set_up build
cd "$root"

say "Building the server (target/release/dyno)"
cargo build --release --bin dyno

say "Building the browser's half (target/site)"
cargo build --lib --no-default-features --features hydrate --target "$wasm_target" --profile wasm-release

site=target/site
wasm=target/$wasm_target/wasm-release/dyno.wasm
mkdir -p "$site/pkg"
if [ ! -f "$site/pkg/dyno_bg.wasm" ] || [ "$wasm" -nt "$site/pkg/dyno_bg.wasm" ]; then
  work=$(mktemp -d "$root/target/site-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  wasm-bindgen --target web --no-typescript --out-dir "$work" --out-name dyno "$wasm"
  # Only what browsers have had for years; "all features" writes what no browser reads yet.
  wasm-opt -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
    --enable-reference-types --enable-multivalue -o "$work/dyno_bg.opt.wasm" "$work/dyno_bg.wasm"
  mv "$work/dyno_bg.opt.wasm" "$site/pkg/dyno_bg.wasm"
  mv "$work/dyno.js" "$site/pkg/dyno.js"
  if [ -d "$work/snippets" ]; then rm -rf "$site/pkg/snippets"; mv "$work/snippets" "$site/pkg/snippets"; fi
  for file in dyno_bg.wasm dyno.js; do
    node -e 'const z=require("zlib"),f=require("fs"),p=process.argv[1];
      f.writeFileSync(p+".br",z.brotliCompressSync(f.readFileSync(p),{params:{[z.constants.BROTLI_PARAM_QUALITY]:11}}))' "$site/pkg/$file"
  done
fi
cp -R public/. "$site/"
say "Built: target/release/dyno, target/site ($(wc -c < "$site/pkg/dyno_bg.wasm.br") bytes of WASM, brotli)"
