#!/usr/bin/env bash
# Whether a test cluster can run on this machine: installs what is missing where that is possible, else says why not and fails.
set -euo pipefail
source "$(dirname "$0")/../env.sh"

no() { echo "$*"; exit 1; }

[ "$(uname -s)" = Linux ] || no "kubelets need Linux"
[ "$(id -u)" = 0 ] || no "kubelets and containerd need root"
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
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null; } >&2 \
    || no "these packages could not be installed: ${missing[*]}"
fi
# Containers on a shared machine often may not.
ip link add dyno-probe type bridge 2> /dev/null || no "no network devices can be made here"
ip link delete dyno-probe
