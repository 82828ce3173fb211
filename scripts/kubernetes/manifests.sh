#!/usr/bin/env bash
# Makes deploy/kubernetes.yaml from the chart with its own values. `manifests.sh --check` says whether it is what the chart makes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."
helm=$("$here/helm.sh")
"$helm" lint --quiet --kube-version 1.27.0 deploy/chart
rendered=$({
  echo "# Dyno on a cluster, as plain objects. Made from deploy/chart by scripts/kubernetes/manifests.sh: change that."
  echo '# Name your image first: sed "s#registry.example.org/dyno:[^\"]*#YOUR/IMAGE:TAG#" deploy/kubernetes.yaml | kubectl apply -f -'
  "$helm" template dyno deploy/chart --kube-version 1.27.0 --namespace dyno --set createNamespace=true | grep -v '^# Source: '
})
if [ "${1:-}" = --check ]; then
  diff -u deploy/kubernetes.yaml <(echo "$rendered") || { echo "deploy/kubernetes.yaml is not what the chart makes: scripts/kubernetes/manifests.sh" >&2; exit 1; }
else
  echo "$rendered" > deploy/kubernetes.yaml
fi
