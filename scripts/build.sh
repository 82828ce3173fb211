#!/usr/bin/env bash
# Builds the release: target/release/dyno and target/site.
source "$(dirname "$0")/env.sh"
set_up build
cd "$root"

say "Building the server (target/release/dyno)"
cargo build --release --bin dyno

say "Building the browser's half (target/site)"
# As a cdylib alone: cargo optimises over all crates only where no rlib is asked for as well.
cargo rustc --lib --crate-type cdylib --no-default-features --features hydrate --target "$wasm_target" --profile wasm-release

site=target/site
pkg=$site/pkg
wasm=target/$wasm_target/wasm-release/dyno.wasm
mkdir -p "$pkg"
if [ ! -f "$pkg/name.txt" ] || [ "$wasm" -nt "$pkg/name.txt" ]; then
  work=$(mktemp -d "$root/target/site-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  wasm-bindgen --target web --no-typescript --out-dir "$work" --out-name dyno "$wasm"
  # Only what browsers have had for years; "all features" writes what no browser reads yet.
  wasm-opt -Oz --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext --enable-mutable-globals \
    --enable-reference-types --enable-multivalue -o "$work/dyno_bg.opt.wasm" "$work/dyno_bg.wasm"
  # Names say what is in the files, so that browsers may keep them for ever; the server reads the name at its start.
  name=dyno.$(cat "$work/dyno_bg.opt.wasm" "$work/dyno.js" | sha256sum | cut -c 1-16)
  mv "$work/dyno_bg.opt.wasm" "$work/${name}_bg.wasm"
  mv "$work/dyno.js" "$work/$name.js"
  for file in "${name}_bg.wasm" "$name.js"; do
    node -e 'const z=require("zlib"),f=require("fs"),p=process.argv[1],b=f.readFileSync(p);
      f.writeFileSync(p+".br",z.brotliCompressSync(b,{params:{[z.constants.BROTLI_PARAM_QUALITY]:11}}));
      f.writeFileSync(p+".gz",z.gzipSync(b,{level:9}))' "$work/$file"
    mv "$work/$file" "$work/$file.br" "$work/$file.gz" "$pkg/"
  done
  if [ -d "$work/snippets" ]; then rm -rf "$pkg/snippets"; mv "$work/snippets" "$pkg/snippets"; fi
  echo "$name" > "$pkg/name.txt"
  # What was built earlier stays for a day: a portal that still runs on it names it.
  find "$pkg" -maxdepth 1 -type f -name 'dyno*' ! -name "$name*" -mmin +1440 -delete
fi
cp -R public/. "$site/"
say "Built: target/release/dyno, target/site ($(wc -c < "$pkg/$(cat "$pkg/name.txt")_bg.wasm.br") bytes of WASM, brotli)"
