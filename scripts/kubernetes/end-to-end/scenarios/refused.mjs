// What keeps a run from its load, each by causing it.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "../cluster.mjs";
import { ENGINE_IMAGE, NODES, RUN_S, addCluster, failsBeforeLoad, reference, wanted, world } from "../world.mjs";

/** Something that is in the cluster only meanwhile. */
async function meanwhile(objects, work) {
  for (const object of objects) cluster.apply(object);
  try {
    return await work();
  } finally {
    for (const { kind, metadata } of objects.toReversed()) {
      cluster.kubectl("delete", kind, metadata.name, ...(metadata.namespace ? ["-n", metadata.namespace] : []));
    }
  }
}

export const scenarios = {
  async "an image that is not there"() {
    await failsBeforeLoad(
      reference("no image", { engine: { engine_image: "dyno.test/nothing:1" } }),
      /The image dyno\.test\/nothing:1 could not be pulled/,
      "deploy_to_engine",
    );
  },

  async "an engine that ends at once"() {
    const engine_args = ["dyno", "engine", "--listen", "{host}:{port}", "--no-such-option", "{alias}"];
    const run = await failsBeforeLoad(
      reference("ends at once", { hostnames: ["node-1"], engine: { engine_args } }),
      /The engine on node node-1 .*It ended with status 2\. It said last: /,
      "verify_deployment_status",
    );
    assert.equal(run.stages.find((stage) => stage.id === "deploy_to_engine").status, "succeeded", "its container was started");
  },

  async "a memory limit that is too small"() {
    // Takes more memory than it may have, as an engine does that loads its model.
    const engine = {
      engine_image: ENGINE_IMAGE,
      engine_args: ["/usr/bin/python3", "-c", "import time; held = bytearray(200 << 20); time.sleep(600)", "{host}:{port}", "{alias}"],
      engine_memory_limit_mib: 64,
    };
    await failsBeforeLoad(
      reference("little memory", { hostnames: ["node-1"], engine }),
      /more memory than its limit of 64Mi .*OOMKilled.* Raise the engine's memory limit/,
      "verify_deployment_status",
    );
  },

  async "a model that is not there"() {
    const path = `${cluster.models}/absent.gguf`;
    const model = await world.portal.call("POST", "/models", { name: "absent", source: "file", path, location: "node" });
    await failsBeforeLoad(reference("no model", { model: model.id }), /absent\.gguf is not on node node-1/, "transfer_model_to_cluster");
  },

  async "a folder that is not there"() {
    // An administrator's own model may lie anywhere.
    const path = "/tmp/dyno-no-such-folder/m.gguf";
    const model = await world.portal.call("POST", "/models", { name: "no folder", source: "file", path, location: "node" });
    await failsBeforeLoad(
      reference("no folder", { model: model.id, hostnames: ["node-1"] }),
      /node node-1 .*volumes could not be mounted: .*\/tmp\/dyno-no-such-folder/,
      "transfer_model_to_cluster",
    );
  },

  async "more GPUs than a node has"() {
    // Ended before anything is made.
    await failsBeforeLoad(wanted("many GPUs", { engine: { tensor_parallel: 9 } }), /device|GPU/i, "verify_cluster_connection");
  },

  /** Another pod takes what the run had found free: the scheduler says what is lacking. */
  async "GPUs that are taken before the engine has them"() {
    const greedy = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "greedy", namespace: "default" },
      spec: {
        nodeSelector: { "kubernetes.io/hostname": "node-1" },
        terminationGracePeriodSeconds: 0,
        automountServiceAccountToken: false,
        containers: [{ name: "pause", image: "dyno.test/pause:1", resources: { limits: { "nvidia.com/gpu": "8" } } }],
      },
    };
    const id = await world.portal.trigger(reference("GPUs taken", { hostnames: ["node-1"] }));
    const isTransferring = (run) => run.stages.find((stage) => stage.id === "transfer_model_to_cluster").status === "running";
    await world.portal.until(id, "after its fit", isTransferring, RUN_S);
    await meanwhile([greedy], async () => {
      cluster.kubectl("wait", "-n", "default", "--for=condition=PodScheduled", "pod/greedy", "--timeout=30s");
      const run = await world.portal.ended(id, RUN_S);
      assert.equal(run.status, "failed", run.reason);
      assert.match(run.reason, /The engine on node node-1 does not run\. No node takes it: .*Insufficient nvidia\.com\/gpu/);
      assert.equal(run.stages.find((stage) => stage.id === "deploy_to_engine").status, "failed", run.reason);
    });
  },

  async "a quota"() {
    const quota = {
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "none", namespace: cluster.namespace },
      spec: { hard: { pods: "0" } },
    };
    await meanwhile([quota], () => failsBeforeLoad(reference("quota"), /The namespace's quota does not allow it: .*exceeded quota: none/));
  },

  async "an admission rule"() {
    const name = "dyno-no-engines";
    const policy = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicy",
      metadata: { name },
      spec: {
        failurePolicy: "Fail",
        matchConstraints: {
          resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": cluster.namespace } },
          objectSelector: { matchLabels: { "app.kubernetes.io/component": "engine" } },
        },
        validations: [{ expression: "false", message: "engines are served on Mondays only" }],
      },
    };
    const binding = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name },
      spec: { policyName: name, validationActions: ["Deny"] },
    };
    await meanwhile([policy, binding], async () => {
      await inForce();
      await failsBeforeLoad(
        reference("admission"),
        /The cluster's admission rules refuse it: .*engines are served on Mondays only/,
        "deploy_to_engine",
      );
    });
  },

  async "a volume claim that is not bound"() {
    const claim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "unbound", namespace: cluster.namespace },
      spec: { accessModes: ["ReadWriteMany"], storageClassName: "none", resources: { requests: { storage: "1Gi" } } },
    };
    await meanwhile([claim], async () => {
      const own = await addCluster("unbound", { cache: { persistent_volume_claim: "unbound" } });
      const model = await world.portal.call("POST", "/models", { name: "unbound", source: "hub", repository: "org/name", revision: "main" });
      await failsBeforeLoad(
        reference("unbound", { cluster: own, model: model.id }),
        /No node takes it: .*unbound immediate PersistentVolumeClaims/,
        "transfer_model_to_cluster",
      );
    });
  },

  async "a cordoned node"() {
    cluster.kubectl("cordon", "node-2");
    try {
      const answer = await world.portal.execute(await world.portal.prepare(reference("cordoned", { hostnames: NODES })));
      const body = await answer.json();
      if (answer.status === 422) {
        assert.match(JSON.stringify(body.errors), /node-2/);
        return;
      }
      const run = await world.portal.ended(body.run_id, RUN_S);
      assert.equal(run.status, "failed");
      assert.match(run.reason, /node-2|cordon|unschedulable/i);
    } finally {
      cluster.kubectl("uncordon", "node-2");
    }
  },
};

/** Rules are in force some seconds after they were made. */
async function inForce() {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "probe", namespace: cluster.namespace, labels: { "app.kubernetes.io/component": "engine" } },
    spec: { containers: [{ name: "c", image: "dyno.test/pause:1" }] },
  };
  for (let tries = 0; tries < 60; tries++) {
    if (!cluster.wouldTake(pod)) return;
    await sleep(500);
  }
  throw new Error("the admission rule is not in force");
}
