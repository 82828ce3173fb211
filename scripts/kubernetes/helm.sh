#!/usr/bin/env bash
# Prints the path of helm: the machine's own, else one that is built from its public Go modules, once.
set -euo pipefail
VERSION=${HELM_VERSION:-3.22.0}
folder=${DYNO_TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dyno}/kubernetes/helm-$VERSION
if command -v helm; then exit; fi
if [ ! -x "$folder/helm" ]; then
  command -v go > /dev/null || { echo "helm is missing, and Go to build it." >&2; exit 1; }
  echo "Building helm $VERSION from its Go modules: a few minutes, once." >&2
  (cd / && GOBIN=$folder CGO_ENABLED=0 go install -ldflags "-s -w" "helm.sh/helm/v3/cmd/helm@v$VERSION")
fi
echo "$folder/helm"
