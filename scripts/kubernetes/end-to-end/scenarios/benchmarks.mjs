// Benchmarks that succeed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import * as cluster from "../cluster.mjs";
import { InstalledPortal } from "../installed.mjs";
import { token } from "../portal.mjs";
import { NODES, RUN_S, addModel, reference, wanted, world } from "../world.mjs";

const PAUSE_IMAGE = "dyno.test/pause:1";

/** A pod that asks for some of a node's processor and does nothing with it. */
function busyPod(node) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "busy", namespace: "default" },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [{ name: "pause", image: PAUSE_IMAGE, resources: { requests: { cpu: "200m" } } }],
    },
  };
}

/** Two copies of the model on one node; `devices`: the limit of each. */
async function replicatedOnNode1(engine, devices, why) {
  const { portal } = world;
  const changes = { hostnames: ["node-1"], concurrency: 4, load: { num_requests: 40, warmup_requests: 4 }, engine };
  const id = await portal.trigger(reference("replicas", changes));
  await portal.underLoad(id, RUN_S);
  const engines = cluster.pods("engine");
  assert.equal(engines.length, 2, engines.join());
  for (const pod of engines) {
    const { spec } = JSON.parse(cluster.kubectl("get", "-n", cluster.namespace, pod, "-o", "json"));
    assert.equal(spec.nodeName, "node-1");
    const { limits, requests } = spec.containers[0].resources;
    assert.deepEqual([limits["nvidia.com/gpu"], requests["nvidia.com/gpu"]], [devices, devices], why);
  }
  const run = await portal.ended(id, RUN_S);
  assert.equal(run.status, "succeeded", run.reason);
  const report = await portal.call("GET", `/runs/${id}/report`);
  assert.deepEqual(report.nodes.map((node) => [node.hostname, node.successful_requests]), [["node-1", 40]]);
  const addresses = report.provenance.engines.map((pod) => pod.base_url);
  assert.equal(new Set(addresses).size, 2, addresses.join());
}

export const scenarios = {
  /** Both nodes are under test, so that the load shares one of them: the one that has more to spare. */
  async benchmark() {
    const { portal } = world;
    cluster.apply(busyPod("node-1"));
    try {
      const id = await portal.trigger(wanted("benchmark"));
      await portal.underLoad(id, RUN_S);
      const [load] = cluster.pods("load");
      assert.equal(cluster.kubectl("get", "-n", cluster.namespace, load, "-o", "jsonpath={.spec.nodeName}"), "node-2");
      for (const engine of cluster.pods("engine")) {
        const requests = cluster.kubectl("get", "-n", cluster.namespace, engine, "-o", "jsonpath={.spec.containers[0].resources.requests.memory}");
        assert.match(requests, /^\d+Mi$/, "an engine's memory is asked for");
      }
      const told = await portal.events(id, () => false, RUN_S);
      const run = await portal.ended(id, 30);
      assert.equal(run.status, "succeeded", run.reason);
      for (const { id: name, status } of run.stages) assert.equal(status, "succeeded", name);
      assert.equal(told.at(-1).event, "end");
      told.slice(1).forEach((event, at) => assert.ok(event.id > told[at].id, "the events' numbers rise"));
      assert.ok(told.some((event) => event.event === "progress"), "progress was told while the load ran");
      const report = await portal.call("GET", `/runs/${id}/report`);
      assert.equal(report.summary.successful_requests, 12, JSON.stringify(report.summary));
      assert.equal(report.summary.failed_requests, 0);
      assert.deepEqual(report.nodes.map((node) => [node.hostname, node.successful_requests]).sort(), NODES.map((node) => [node, 6]));
      assert.ok(report.self_check.requests > 0, "the client was checked in its pod");
      for (const engine of report.provenance.engines) assert.match(engine.base_url, /^http:\/\/10\.97\./, "engines are measured by their pods' addresses");
      assert.match(JSON.stringify(report.provenance.notes), /The load comes from node node-2, which is under test/);
      const difference = report.notes.filter((note) => note.kind === "node_difference");
      assert.equal(difference.length, 1, "how far two nodes are apart is stated");
      assert.match(difference[0].text, /^Node node-[12] is \S+ % slower than node node-[12]: /);
      const measured = (await portal.records(id)).filter((record) => record.phase === "measured");
      assert.equal(new Set(measured.map((record) => record.id)).size, 12);
      for (const { id: name, started_at, ended_at } of run.stages) {
        console.log(`    ${name}: ${((Date.parse(ended_at) - Date.parse(started_at)) / 1000).toFixed(1)} s`);
      }
    } finally {
      cluster.kubectl("delete", "pod", "busy", "-n", "default", "--now");
    }
  },

  async "two replicas on one node"() {
    await replicatedOnNode1({ replicas: 2 }, "4", "each has half of the node's eight devices");
  },

  async "two replicas of two devices each on one node"() {
    await replicatedOnNode1({ replicas: 2, tensor_parallel: 2 }, "2", "each has as many devices as it is split over");
  },

  /** From the chart, with the rights that the chart gives and no others. */
  async "a portal in the cluster"() {
    const installed = await InstalledPortal.open();
    try {
      const { id: own } = await installed.call("POST", "/clusters", {
        name: "here",
        kind: "kubernetes",
        namespace: installed.namespace,
        model_roots: [cluster.models],
      });
      const test = await installed.call("POST", `/clusters/${own}/test`);
      assert.deepEqual(test.missing, [], "the chart gives what Dyno needs");
      const model = await addModel(installed);
      const id = await installed.trigger({ ...wanted("from inside"), cluster: own, model });
      const run = await installed.ended(id, RUN_S);
      assert.equal(run.status, "succeeded", run.reason);
    } finally {
      installed.close();
    }
  },

  /** The cluster is added in the page, and the wizard is gone through; the run is watched to its report. */
  async "the wizard in Chromium"() {
    const { portal } = world;
    // Meanwhile connections to the portal that it closes have to be noticed, so that the next call takes none of them.
    const browser = spawn("npx", ["--no-install", "playwright", "test", "--config", "kubernetes.config.ts"], {
      cwd: resolve(import.meta.dirname, "../../../../end2end"),
      stdio: "inherit",
      env: {
        ...process.env,
        DYNO_PORTAL_URL: `http://127.0.0.1:${portal.port}`,
        DYNO_PORTAL_LOG: join(portal.dataDir, "portal.log"),
        DYNO_PORTAL_TOKEN: token,
        DYNO_CLUSTER_NAMESPACE: cluster.namespace,
        DYNO_CLUSTER_KUBECONFIG: join(cluster.folder, "admin.kubeconfig"),
        DYNO_CLUSTER_MODELS: cluster.models,
      },
    });
    const [code] = await once(browser, "exit");
    assert.equal(code, 0, "the browser's tests failed");
  },
};
