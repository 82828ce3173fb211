#!/usr/bin/env bash
# Ends the test cluster and removes what it left: pods, network devices, mounts, files. Only what `up.sh` started is ended.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/common.sh"
[ -d "$CLUSTER/pid" ] || exit 0
for name in $(cd "$CLUSTER/pid" && ls | grep '^kubelet-' || true); do stop "$name"; done
for socket in "$CLUSTER"/node-*/containerd.sock; do
  [ -S "$socket" ] || continue
  for task in $(timeout 10 ctr -a "$socket" -n k8s.io task ls -q); do timeout 10 ctr -a "$socket" -n k8s.io task kill -s SIGKILL "$task" > /dev/null 2>&1 || true; done
done
for name in $(cd "$CLUSTER/pid" && ls); do stop "$name"; done
grep -F " $CLUSTER/" /proc/self/mounts | cut -d' ' -f2 | sort -r | while read -r mount; do umount -l "$mount" || true; done
for device in $(ip -o link show type bridge 2> /dev/null | sed -n 's/^[0-9]*: \(dyno-[a-z]*[0-9]*\).*/\1/p'); do ip link delete "$device"; done
# The rules of kubelets, kube-proxy and the pods' network stay behind their programs, and each packet of the machine goes through them.
if [ -e "$CLUSTER/own-rules" ]; then
  for family in iptables ip6tables; do
    command -v "$family-save" > /dev/null || continue
    rules=$("$family-save" 2> /dev/null) || continue
    grep -vE 'KUBE-|CNI-' <<< "$rules" | "$family-restore"
  done
fi
rm -rf "$CLUSTER"
