#!/usr/bin/env bash
# Everything: unit, store, HTTP and load tests, then the built product in Chromium with a real engine.
source "$(dirname "$0")/env.sh"
"$root/scripts/setup.sh" test
cd "$root"

say "Rust: unit, store, HTTP, load, process tests"
cargo test
"$root/scripts/build.sh"
say "Browser: the built product, a real engine and a real model, in Chromium"
cd end2end
npx --no-install playwright test "$@"
