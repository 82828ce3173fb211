#!/usr/bin/env bash
# Formatting, lints for the server and for the browser's half, licences and sources.
source "$(dirname "$0")/env.sh"
"$root/scripts/setup.sh" build
cd "$root"

say "Formatting"
cargo fmt --check
say "Lints: server, tests"
cargo clippy --all-targets -- -D warnings
say "Lints: browser"
cargo clippy --lib --no-default-features --features hydrate --target "$wasm_target" -- -D warnings
if cargo deny --version >/dev/null 2>&1; then
  say "Licences, bans and sources"
  cargo deny --offline check licenses bans sources
else
  say "cargo-deny is not installed: licences and sources were not checked (cargo install cargo-deny)"
fi
