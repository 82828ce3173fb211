#!/usr/bin/env bash
# Formatting, lints for the server and for the browser's half, licences, sources, advisories.
source "$(dirname "$0")/env.sh"
set_up build
cd "$root"

say "Formatting"
cargo fmt --all --check
say "Lints: server, tests"
cargo clippy --workspace --all-targets -- -D warnings
say "Lints: browser"
cargo clippy --lib --no-default-features --features hydrate --target "$wasm_target" -- -D warnings
if cargo deny --version >/dev/null 2>&1; then
  say "Licences, bans and sources"
  cargo deny check licenses bans sources
  advisories=https://github.com/RustSec/advisory-db
  if timeout 20 git ls-remote --exit-code "$advisories" HEAD >/dev/null 2>&1; then
    say "Advisories"
    cargo deny check advisories
  else
    say "The advisory database ($advisories) can't be reached: advisories were not checked"
  fi
else
  say "cargo-deny is not installed: licences, sources and advisories were not checked (cargo install cargo-deny)"
fi
