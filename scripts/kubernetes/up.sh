#!/usr/bin/env bash
# Starts a Kubernetes cluster on this machine for tests and for work by hand, as root: the API server with etcd, scheduler and
# controller manager, and with `nodes N` as many kubelets over containerd, with the images and the model that pods need. It listens on
# loopback and on devices that lead to its own pods alone. Prints its kubeconfig.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/common.sh"

if [ "${1:-}" = nodes ]; then nodes=${2:?how many}; else nodes=0; fi
[ "$(id -u)" = 0 ] || { echo "The test cluster needs root: kubelets and containerd do." >&2; exit 1; }
for program in etcd openssl; do
  command -v "$program" > /dev/null || { echo "$program is missing (Debian: etcd-server, openssl)." >&2; exit 1; }
done
bin=$("$here/programs.sh")
"$here/down.sh"
mkdir -p "$CLUSTER"/{pid,log,certificates,etcd}
chmod 700 "$CLUSTER"
# `down.sh` removes all rules of a cluster from the machine, unless those of another one are there.
if command -v iptables-save > /dev/null && ! iptables-save 2> /dev/null | grep -qE 'KUBE-|CNI-'; then touch "$CLUSTER/own-rules"; fi

ip link add dyno-api type bridge
ip address add "$API_ADDRESS/32" dev dyno-api
ip link set dyno-api up

openssl genrsa -out "$CLUSTER/accounts.key" 2048 2> /dev/null
openssl rsa -in "$CLUSTER/accounts.key" -pubout -out "$CLUSTER/accounts.pub" 2> /dev/null
token() { openssl rand -hex 16; }
admin=$(token) controller=$(token) scheduler=$(token) nobody=$(token)
{
  echo "$admin,admin,1,system:masters"
  echo "$controller,system:kube-controller-manager,2,system:masters"
  echo "$scheduler,system:kube-scheduler,3"
  echo "$nobody,nobody,4"
} > "$CLUSTER/tokens.csv"
for node in $(seq "$nodes"); do
  node_token[node]=$(token)
  echo "${node_token[node]},system:node:node-$node,10$node,system:nodes" >> "$CLUSTER/tokens.csv"
done
chmod 600 "$CLUSTER/tokens.csv"

client=$((API_PORT + 1)) peer=$((API_PORT + 2))
start etcd etcd --name test --data-dir "$CLUSTER/etcd" --listen-client-urls "http://127.0.0.1:$client" \
  --advertise-client-urls "http://127.0.0.1:$client" --listen-peer-urls "http://127.0.0.1:$peer" \
  --initial-advertise-peer-urls "http://127.0.0.1:$peer" --initial-cluster "test=http://127.0.0.1:$peer"
start apiserver "$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$client" --secure-port "$API_PORT" --bind-address "$API_ADDRESS" \
  --advertise-address "$API_ADDRESS" --cert-dir "$CLUSTER/certificates" --service-cluster-ip-range 10.98.0.0/16 \
  --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$CLUSTER/accounts.pub" \
  --service-account-signing-key-file "$CLUSTER/accounts.key" --token-auth-file "$CLUSTER/tokens.csv" --authorization-mode Node,RBAC \
  --kubelet-preferred-address-types InternalIP --allow-privileged=false
wait_for 60 "The API server's certificate" test -s "$CLUSTER/certificates/apiserver.crt"
kubeconfig admin "$admin"
kubeconfig controller "$controller"
kubeconfig scheduler "$scheduler"
kubeconfig nobody "$nobody"
wait_for 60 "The API server" "$bin/kubectl" get --raw /readyz
start scheduler "$bin/kube-scheduler" --kubeconfig "$CLUSTER/scheduler.kubeconfig" --leader-elect=false --secure-port $((API_PORT + 3)) \
  --bind-address 127.0.0.1
start controller-manager "$bin/kube-controller-manager" --kubeconfig "$CLUSTER/controller.kubeconfig" --leader-elect=false \
  --secure-port $((API_PORT + 4)) --bind-address 127.0.0.1 --service-account-private-key-file "$CLUSTER/accounts.key" \
  --root-ca-file "$CLUSTER/certificates/apiserver.crt" --use-service-account-credentials=false
wait_for 60 "The default service account" "$bin/kubectl" get serviceaccount default
for node in $(seq "$nodes"); do
  kubeconfig "node-$node" "${node_token[node]}"
  "$here/node.sh" "$node" "$bin"
done
if [ "$nodes" -gt 0 ]; then
  "$here/images.sh"
  "$here/model.sh" > /dev/null
fi
echo "$CLUSTER/admin.kubeconfig"
