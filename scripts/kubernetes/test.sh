#!/usr/bin/env bash
# The product on a real cluster of two nodes: its images, its chart, benchmarks from end to end, and each failure by causing it.
# A cluster that is up (make kubernetes-up) is used and left up. What is named is run of the scenarios, else all; with --short, those that
# tell the most. None is begun after DYNO_TEST_UNTIL (seconds since 1970), if that is set; with --short, all others follow until then. It is
# skipped only where the machine can't have a cluster, or has no time for one: once that is set up, whatever fails has failed.
source "$(dirname "$0")/../env.sh"
here=$root/scripts/kubernetes
# From nothing, the cluster and its images take up to 20 minutes.
if [ -n "${DYNO_TEST_UNTIL:-}" ] && [ $((DYNO_TEST_UNTIL - $(date +%s))) -lt 1200 ]; then
  say "Skipped: the tests on a cluster, because less than 20 minutes are left for them."
  exit 0
fi
if ! reason=$("$here/needs.sh"); then
  say "Skipped: the tests on a cluster, because $reason."
  exit 0
fi
. "$here/common.sh"
export DYNO_TEST_CLUSTER=$CLUSTER
cd "$root"

both_ready() {
  [ -f "$KUBECONFIG" ] && [ "$(timeout 10 "$("$here/programs.sh")/kubectl" get nodes --no-headers 2> /dev/null | grep -cw Ready)" = 2 ]
}
if both_ready; then
  say "Images for the cluster that is up"
  "$here/images.sh"
else
  say "A cluster of two nodes"
  trap '"$here/down.sh"' EXIT
  "$here/up.sh" nodes 2
fi
say "Chart, and the plain objects made from it"
"$here/manifests.sh" --check
say "Pods of each image on both nodes"
"$here/smoke.sh"
say "What is read from a cluster and made on it"
# As the whole workspace is built: alone, the crate would have its dependencies built once more.
cargo test --workspace --test cluster --test runs
say "Benchmarks from end to end"
node "$here/end-to-end/main.mjs" "$@"
