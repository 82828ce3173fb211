#!/usr/bin/env bash
# Builds the release when something changed, then starts the portal.
source "$(dirname "$0")/env.sh"
"$root/scripts/build.sh"
cd "$root"
exec target/release/dyno serve "$@"
