#!/usr/bin/env bash
# Whether a test cluster can run on this machine: installs what is missing where that is possible, else says why not and fails.
set -euo pipefail
source "$(dirname "$0")/../env.sh"

no() { echo "$*"; exit 1; }

[ "$(uname -s)" = Linux ] || no "kubelets need Linux"
[ "$(id -u)" = 0 ] || no "kubelets and containerd need root"
# What containers on a shared machine often may not. Each is tried, for ten seconds at most.
may() { timeout -k 1 10 "$@" > /dev/null 2>&1; }
may unshare --mount --net --pid --uts --ipc --fork true || no "no namespaces can be made here"
may unshare --mount sh -c 'mount -t tmpfs none /mnt && mount --make-rshared /mnt' || no "nothing can be mounted here"
may sh -c 'folder=/sys/fs/cgroup; [ -d $folder/memory ] && folder=$folder/memory; mkdir $folder/dyno-probe && rmdir $folder/dyno-probe' \
  || no "no control groups can be made here"
have go || no "Go is needed to build Kubernetes from its modules"
missing=()
while read -r program package; do
  [ -x "$program" ] || have "$program" || missing+=("$package")
done << LIST
etcd etcd-server
containerd containerd
ctr containerd
runc runc
/usr/lib/cni/bridge containernetworking-plugins
conntrack conntrack
iptables iptables
ip iproute2
openssl openssl
buildah buildah
debootstrap debootstrap
cc gcc
strip binutils
node nodejs
python3 python3-pip
LIST
if [ ${#missing[@]} -gt 0 ]; then
  can_install_packages || no "these packages of Debian's are missing: ${missing[*]}"
  say "Installing Debian packages: ${missing[*]}" >&2
  { timeout 120 apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null; } >&2 \
    || no "these packages could not be installed: ${missing[*]}"
fi
may ip link add dyno-probe type bridge || no "no network devices can be made here"
may ip link delete dyno-probe
may iptables -w 5 -t nat -L -n || no "the network's address translation can't be set up here (iptables)"
if [ -z "$("$(dirname "$0")/programs.sh" --built)" ]; then
  (cd / && may go list -m "k8s.io/kubernetes@v$("$(dirname "$0")/programs.sh" --version)") || no "the Go modules of Kubernetes can't be fetched here"
fi
# A container as the nodes run them, of a program that ends at once.
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
mkdir "$probe/rootfs"
echo 'int main(void) { return 0; }' | cc -x c -O2 -static -o "$probe/rootfs/true" - || no "no static program can be built here (cc)"
(cd "$probe" && runc spec && sed -i 's#"sh"#"/true"#; s#"terminal": true#"terminal": false#' config.json)
may runc --root "$probe/state" run --bundle "$probe" dyno-probe < /dev/null || no "no container runs here (runc)"
