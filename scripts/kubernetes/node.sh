#!/usr/bin/env bash
# Adds a node to the test cluster: NUMBER FOLDER-OF-PROGRAMS. A kubelet over a containerd of its own, with its own address, pod
# network and folders, so that several live side by side on one machine.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/common.sh"
number=$1 bin=$2
name=node-$number root=$CLUSTER/node-$number address=10.99.0.$number
for program in containerd runc ctr conntrack iptables ip; do
  command -v "$program" > /dev/null || { echo "$program is missing (Debian: containerd runc conntrack iptables iproute2)." >&2; exit 1; }
done
[ -x /usr/lib/cni/bridge ] || { echo "/usr/lib/cni/bridge is missing (Debian: containernetworking-plugins)." >&2; exit 1; }
mkdir -p "$root"/{containerd,state,cni,kubelet,certificates,pod-logs}

# Loopback is no node address, and a dummy device is not everywhere.
ip link add "dyno-nd$number" type bridge
ip address add "$address/32" dev "dyno-nd$number"
ip link set "dyno-nd$number" up
sysctl -qw net.ipv4.ip_forward=1
cat > "$root/cni/10-pods.conflist" << JSON
{"cniVersion": "1.0.0", "name": "pods-$number", "plugins": [
  {"type": "bridge", "bridge": "dyno-cni$number", "isDefaultGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$root/ipam", "ranges": [[{"subnet": "10.97.$number.0/24"}]]}},
  {"type": "loopback"}
]}
JSON
cat > "$root/containerd.toml" << TOML
version = 2
root = "$root/containerd"
state = "$root/state"
[grpc]
  address = "$root/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "dyno.test/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$root/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${DYNO_TEST_SNAPSHOTTER:-overlayfs}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
TOML
start "containerd-$number" containerd --config "$root/containerd.toml"
wait_for 30 "containerd of $name" ctr -a "$root/containerd.sock" version
[ -s "$CLUSTER/pause.tar" ] || "$here/pause.sh" "$CLUSTER/pause.tar"
ctr -a "$root/containerd.sock" -n k8s.io images import "$CLUSTER/pause.tar" > /dev/null

# Where cgroups are of version 1, a folder below the controllers needs its processors named before anything can live in it.
for controller in /sys/fs/cgroup/*/; do
  [ -w "$controller" ] && mkdir -p "$controller/$name" 2> /dev/null || true
done
for set in cpus mems; do
  file=/sys/fs/cgroup/cpuset/cpuset.$set
  [ -f "$file" ] && cat "$file" > "/sys/fs/cgroup/cpuset/$name/cpuset.$set"
done
cat > "$root/kubelet.yaml" << YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
port: $((10250 + 10 * number))
healthzBindAddress: 127.0.0.1
healthzPort: $((10251 + 10 * number))
readOnlyPort: 0
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://$root/containerd.sock
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$name
enforceNodeAllocatable: []
failSwapOn: false
resolvConf: /dev/null
podLogsDir: $root/pod-logs
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi}
YAML
start "kubelet-$number" "$bin/kubelet" --config "$root/kubelet.yaml" --kubeconfig "$CLUSTER/$name.kubeconfig" --hostname-override "$name" \
  --node-ip "$address" --root-dir "$root/kubelet" --cert-dir "$root/certificates"
if [ ! -f "$CLUSTER/pid/proxy" ]; then
  cat > "$CLUSTER/proxy.yaml" << YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $CLUSTER/admin.kubeconfig}
hostnameOverride: $name
metricsBindAddress: 127.0.0.1:$((API_PORT + 5))
healthzBindAddress: 127.0.0.1:$((API_PORT + 6))
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
  start proxy "$bin/kube-proxy" --config "$CLUSTER/proxy.yaml"
fi
ready() { [ "$("$bin/kubectl" get node "$name" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
wait_for 60 "$name" ready

# Devices that pods can ask for, and the labels of GPU feature discovery: there is no GPU behind them.
"$bin/kubectl" label node "$name" nvidia.com/gpu.product=NVIDIA-H100-80GB-HBM3 nvidia.com/gpu.memory=81559 nvidia.com/gpu.count=8 > /dev/null
"$bin/kubectl" patch node "$name" --subresource=status --type=merge \
  -p '{"status": {"capacity": {"nvidia.com/gpu": "8"}, "allocatable": {"nvidia.com/gpu": "8"}}}' > /dev/null
