#!/usr/bin/env bash
# Dyno's load generator, and vLLM's Rust client where it is (VLLM_RS, or vllm-rs in PATH), against the reference engine, whose
# true times are logged: a table for each shape. Machines differ: compare within one table. On Linux engine and client are
# pinned to different cores where there are two.
#
#   scripts/bench.sh [--runs N] [--json FILE] [256|1000|tls|4000|9500|19000|10000|fast|coalesced|open ...]
source "$(dirname "$0")/env.sh"
"$root/scripts/build.sh"
cd "$root"
ulimit -n "$(ulimit -Hn)"
exec node benches/clients.mjs "$@"
