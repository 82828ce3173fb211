// Stands in for DCGM exporters, in a namespace of their own: a pod on each node, labelled as NVIDIA's operator labels its own.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as cluster from "./cluster.mjs";

const NAMESPACE = "dyno-dcgm-stand-in";
/** Has python3. */
const IMAGE = "dyno.test/llama-server:1";
const PORT = 9400;
/** More often than a real one by default, so that a short load has several. */
const INTERVAL_S = 5;
const program = readFileSync(resolve(import.meta.dirname, "..", "dcgm-stand-in.py"), "utf8");

const name = (node) => `dcgm-stand-in-${node}`;

export async function start(nodes) {
  cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  for (const node of nodes) {
    cluster.apply({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: name(node), namespace: NAMESPACE, labels: { app: "nvidia-dcgm-exporter" } },
      spec: {
        nodeSelector: { "kubernetes.io/hostname": node },
        tolerations: [{ operator: "Exists" }],
        terminationGracePeriodSeconds: 0,
        automountServiceAccountToken: false,
        containers: [
          {
            name: "exporter",
            image: IMAGE,
            imagePullPolicy: "IfNotPresent",
            command: ["python3", "-c", program, String(PORT), String(INTERVAL_S)],
            env: [{ name: "NODE_NAME", value: node }],
            ports: [{ name: "metrics", containerPort: PORT }],
            readinessProbe: { httpGet: { path: "/metrics", port: PORT }, periodSeconds: 1 },
          },
        ],
      },
    });
  }
  cluster.kubectl("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod", "--all", "--timeout=60s");
  return {
    remove: (node) => cluster.kubectl("delete", "pod", "-n", NAMESPACE, name(node), "--grace-period=0", "--force"),
    end: () => cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true"),
  };
}
