#!/usr/bin/env bash
# Whether pods of each image run on both nodes: llama.cpp answers a chat completion to the load generator in a pod of the other node.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/common.sh"
kubectl=$("$here/programs.sh")/kubectl
model=$("$here/model.sh")
"$kubectl" create namespace smoke > /dev/null
trap '"$kubectl" delete namespace smoke --wait --timeout=90s > /dev/null' EXIT
for node in 1 2; do
  "$kubectl" apply -n smoke -f - > /dev/null << YAML
apiVersion: v1
kind: Pod
metadata: {name: engine-$node}
spec:
  nodeSelector: {kubernetes.io/hostname: node-$node}
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532}
  containers:
  - name: engine
    image: $ENGINE_IMAGE
    args: [-m, /model/$(basename "$model"), --alias, smollm2, --host, 0.0.0.0, --port, "8000", -c, "2048", -np, "1", -t, "1"]
    resources: {limits: {nvidia.com/gpu: 1}}
    securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    startupProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 1, failureThreshold: 60}
    readinessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 2}
    volumeMounts: [{name: model, mountPath: /model, readOnly: true}]
  volumes: [{name: model, hostPath: {path: $(dirname "$model"), type: Directory}}]
YAML
done
"$kubectl" wait -n smoke --for=condition=Ready --timeout=90s pod/engine-1 pod/engine-2
for node in 1 2; do
  address=$("$kubectl" get pod -n smoke "engine-$((3 - node))" -o 'jsonpath={.status.podIP}')
  "$kubectl" apply -n smoke -f - > /dev/null << YAML
apiVersion: v1
kind: Pod
metadata: {name: load-$node}
spec:
  nodeSelector: {kubernetes.io/hostname: node-$node}
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext: {runAsNonRoot: true, fsGroup: 65532}
  containers:
  - name: load
    image: ${DYNO_IMAGE:-dyno.test/dyno:1}
    args: [load, --base-url, "http://$address:8000", --model, smollm2, --num-requests, "4", --concurrency, "1", --input-tokens, "64",
      --output-tokens, "8", --self-check, "off", --report, /spool/report.json]
    securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: spool, mountPath: /spool}]
  volumes: [{name: spool, emptyDir: {}}]
YAML
done
if ! "$kubectl" wait -n smoke '--for=jsonpath={.status.phase}=Succeeded' --timeout=90s pod/load-1 pod/load-2; then
  "$kubectl" get pods -n smoke -o wide
  "$kubectl" logs -n smoke load-1 --tail 20
  exit 1
fi
"$kubectl" logs -n smoke load-1 --tail 5
