#!/usr/bin/env bash
# Builds the programs of a Kubernetes cluster from the public Go modules, once: they are kept beside Dyno's other tools, by version.
# Prints the folder that they are in; with --built nothing where they are not built yet, with --version their version.
set -euo pipefail

VERSION=${KUBERNETES_VERSION:-1.36.3}
HERE=${DYNO_TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dyno}/kubernetes/$VERSION
PROGRAMS="kube-apiserver kube-scheduler kube-controller-manager kube-proxy kubelet kubectl"

built() { for program in $PROGRAMS; do [ -x "$HERE/bin/$program" ] || return 1; done; }
if [ "${1:-}" = --version ]; then echo "$VERSION"; exit; fi
if built; then echo "$HERE/bin"; exit; fi
if [ "${1:-}" = --built ]; then exit; fi

echo "Building Kubernetes $VERSION from its Go modules: about 6 minutes on two cores, once." >&2
mkdir -p "$HERE/source" "$HERE/bin"
cd "$HERE/source"
module=$(cd / && go mod download -json "k8s.io/kubernetes@v$VERSION" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
{
  echo "module kubernetes-programs"
  sed -n 's/^go \(.*\)/go \1/p' "$module"
  echo "require k8s.io/kubernetes v$VERSION"
  # Kubernetes requires its own parts as v0.0.0; each is published as v0.MINOR.PATCH.
  sed -n 's#^[[:space:]]*\(k8s.io/[a-z0-9-]*\) => ./staging/.*#replace \1 => \1 v0.'"${VERSION#*.}"'#p' "$module"
} > go.mod
sed -n 's#^[[:space:]]*\(k8s.io/[a-z0-9-]*\) v0.0.0$#replace \1 => \1 v0.'"${VERSION#*.}"'#p' "$module" | while read -r line; do
  grep -qxF "$line" go.mod || echo "$line" >> go.mod
done
minor=${VERSION#*.}
base=k8s.io/component-base/version
flags="-s -w -X $base.gitVersion=v$VERSION -X $base.gitMajor=${VERSION%%.*} -X $base.gitMinor=${minor%%.*}"
for program in $PROGRAMS; do
  CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags "$flags" -o "$HERE/bin/$program" "k8s.io/kubernetes/cmd/$program"
done
built
echo "$HERE/bin"
