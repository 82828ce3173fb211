#!/usr/bin/env bash
# Everything: unit, store, HTTP and load tests, then the built product in Chromium with a real engine, and on a cluster of two nodes where
# this machine can have one. What is named is run of the browser's tests alone.
source "$(dirname "$0")/env.sh"
set_up test
cd "$root"

say "Rust: unit, store, HTTP, load, process tests"
cargo test --workspace --no-run
# Far more than they take: a test that hangs fails, and its name is among those that run for over a minute.
timeout 1500 cargo test --workspace
"$root/scripts/build.sh"
say "Browser: the built product, a real engine and a real model, in Chromium"
cd end2end
npx --no-install playwright test "$@"
if [ $# -eq 0 ]; then timeout 3600 "$root/scripts/kubernetes/test.sh" --short; fi
