#!/usr/bin/env bash
# The load generator against the reference engine, whose true times are logged: figures, and the client's error.
# Machines differ: compare within one run. On Linux the two are pinned to different cores where there are two.
source "$(dirname "$0")/env.sh"
"$root/scripts/build.sh"
cd "$root"
work=$(mktemp -d)
engine=
trap 'if [ -n "$engine" ]; then kill "$engine" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
server_core=() client_core=()
if have taskset && [ "$(nproc)" -ge 2 ]; then server_core=(taskset -c 0) client_core=(taskset -c 1); fi

shape() {
  local title=$1 ttft=$2 itl=$3 concurrency=$4 requests=$5 output=$6
  say "$title"
  ${server_core[@]+"${server_core[@]}"} target/release/dyno engine --listen 127.0.0.1:8199 --model m --ttft-ms "$ttft" --itl-ms "$itl" --truth "$work/truth.ndjson" >/dev/null &
  engine=$!
  sleep 1
  ${client_core[@]+"${client_core[@]}"} timeout 120 target/release/dyno load --base-url http://127.0.0.1:8199 --model m --concurrency "$concurrency" --num-requests "$requests" \
    --input-tokens 64 --output-tokens "$output" --ignore-eos --requests "$work/requests.ndjson" || true
  kill "$engine"; wait "$engine" || true
  engine=
  node benches/client_error.mjs "$work/truth.ndjson" "$work/requests.ndjson"
  rm -f "$work"/*.ndjson*
}

shape "256 streams, TTFT 200 ms, ITL 20 ms" 200 20 256 2560 64
shape "1,000 streams, TTFT 500 ms, ITL 50 ms" 500 50 1000 3000 64
shape "64 streams, as fast as possible" 0 0 64 2000 256
