// Benchmarks on the test cluster, from end to end over the portal's HTTP API, and what can go wrong by causing it.
//   node scripts/kubernetes/end-to-end/main.mjs [SCENARIO…]

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "./cluster.mjs";
import { InstalledPortal } from "./installed.mjs";
import { LocalPortal, stage } from "./portal.mjs";
import * as standIn from "./stand-in.mjs";

const ENGINE_IMAGE = "dyno.test/llama-server:1";
const NODES = ["node-1", "node-2"];
/** An engine's start and a short load, on a machine that does much else. */
const RUN_S = 240;
/** A load that lasts until something was done to it. */
const LONG = { duration_s: 25 };

const portal = await LocalPortal.open();
const world = {};

/** What a scenario changes of the usual benchmark. */
function wanted(name, changes = {}) {
  return {
    name,
    cluster: world.cluster,
    model: world.model,
    hostnames: NODES,
    concurrency: 2,
    load: { num_requests: 12 },
    ...changes,
    engine: { engine_image: ENGINE_IMAGE, ...changes.engine },
  };
}

const scenarios = {
  async benchmark() {
    const id = await portal.trigger(wanted("benchmark"));
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
    assert.deepEqual(report.nodes.map((node) => node.hostname).sort(), NODES);
    for (const node of report.nodes) assert.ok(node.successful_requests > 0, `${node.hostname} answered nothing`);
    const measured = (await portal.records(id)).filter((record) => record.phase === "measured");
    assert.equal(new Set(measured.map((record) => record.id)).size, 12);
    for (const { id: name, started_at, ended_at } of run.stages) {
      console.log(`    ${name}: ${((Date.parse(ended_at) - Date.parse(started_at)) / 1000).toFixed(1)} s`);
    }
  },

  async "an image that is not there"() {
    const id = await portal.trigger(wanted("no image", { engine: { engine_image: "dyno.test/nothing:1" } }));
    const run = await portal.ended(id, RUN_S);
    assert.equal(run.status, "failed");
    assert.match(run.reason, /dyno\.test\/nothing:1|pull/i);
  },

  async "a model that is not there"() {
    const path = `${cluster.models}/absent.gguf`;
    const model = await portal.call("POST", "/models", { name: "absent", source: "file", path, location: "node" });
    const id = await portal.trigger(wanted("no model", { model: model.id }));
    const run = await portal.ended(id, RUN_S);
    assert.equal(run.status, "failed");
    assert.match(run.reason, /absent\.gguf/);
  },

  async "more GPUs than a node has"() {
    // Ended before anything is made.
    const id = await portal.trigger(wanted("many GPUs", { engine: { tensor_parallel: 9 } }));
    const run = await portal.ended(id, RUN_S);
    assert.equal(run.status, "failed");
    assert.match(run.reason, /device|GPU/i);
    assert.equal(stage(run, "verify_cluster_connection").status, "failed");
  },

  async "a quota"() {
    const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "none", namespace: cluster.namespace }, spec: { hard: { pods: "0" } } };
    cluster.apply(quota);
    try {
      const id = await portal.trigger(wanted("quota"));
      const run = await portal.ended(id, RUN_S);
      assert.equal(run.status, "failed");
      assert.match(run.reason, /quota/i);
    } finally {
      cluster.kubectl("delete", "resourcequota", "none", "-n", cluster.namespace);
    }
  },

  async "a cordoned node"() {
    cluster.kubectl("cordon", "node-2");
    try {
      const answer = await portal.execute(await portal.prepare(wanted("cordoned")));
      const body = await answer.json();
      if (answer.status === 422) {
        assert.match(JSON.stringify(body.errors), /node-2/);
        return;
      }
      const run = await portal.ended(body.run_id, RUN_S);
      assert.equal(run.status, "failed");
      assert.match(run.reason, /node-2|cordon|unschedulable/i);
    } finally {
      cluster.kubectl("uncordon", "node-2");
    }
  },

  async "cancelled under load"() {
    const id = await portal.trigger(wanted("cancelled", { load: LONG }));
    await portal.underLoad(id, RUN_S);
    await portal.call("POST", `/runs/${id}/cancel`);
    const run = await portal.ended(id, 90);
    assert.equal(run.status, "cancelled", run.reason);
    assert.equal(stage(run, "clean_up").status, "succeeded");
    assert.ok((await portal.records(id)).length > 0, "what was measured is kept");
  },

  async "an engine pod deleted under load"() {
    const id = await portal.trigger(wanted("engine deleted", { load: LONG }));
    await portal.underLoad(id, RUN_S);
    const engines = cluster.pods("engine");
    assert.equal(engines.length, 2);
    cluster.kubectl("delete", "-n", cluster.namespace, engines[0], "--grace-period=0", "--force");
    const run = await portal.ended(id, RUN_S);
    assert.ok(["failed", "partial"].includes(run.status), run.status);
    assert.match(run.reason, /engine/i);
    assert.ok((await portal.records(id)).length > 0, "what was measured is kept");
  },

  async "the load pod deleted"() {
    const id = await portal.trigger(wanted("load deleted", { load: LONG }));
    await portal.underLoad(id, RUN_S);
    for (const pod of cluster.pods("load")) cluster.kubectl("delete", "-n", cluster.namespace, pod, "--grace-period=0", "--force");
    const run = await portal.ended(id, RUN_S);
    assert.ok(["failed", "partial"].includes(run.status), run.status);
    assert.ok(run.reason);
  },

  async "the portal killed under load"() {
    const id = await portal.trigger(wanted("portal killed", { load: { num_requests: 60 } }));
    await portal.underLoad(id, RUN_S);
    await portal.end("SIGKILL");
    await sleep(3_000);
    await portal.start();
    const run = await portal.ended(id, RUN_S);
    assert.equal(run.status, "succeeded", run.reason);
    const measured = (await portal.records(id)).filter((record) => record.phase === "measured");
    assert.equal(measured.length, 60, "each request's record arrives once");
    assert.equal(new Set(measured.map((record) => record.id)).size, 60);
  },

  async "the API server away under load"() {
    const id = await portal.trigger(wanted("API server away", { load: LONG }));
    await portal.underLoad(id, RUN_S);
    cluster.signal("apiserver", "SIGSTOP");
    await sleep(20_000);
    cluster.signal("apiserver", "SIGCONT");
    const run = await portal.ended(id, RUN_S);
    assert.equal(run.status, "succeeded", run.reason);
  },

  async "a node lost under load"() {
    const id = await portal.trigger(wanted("node lost", { load: { duration_s: 180 } }));
    await portal.underLoad(id, RUN_S);
    cluster.signal("kubelet-2", "SIGSTOP");
    try {
      const run = await portal.ended(id, 300);
      assert.ok(["failed", "partial"].includes(run.status), `${run.status}: ${run.reason}`);
      assert.match(run.reason, /node-2/);
    } finally {
      cluster.signal("kubelet-2", "SIGCONT");
      cluster.kubectl("wait", "--for=condition=Ready", "node/node-2", "--timeout=60s");
    }
  },
};

/** Exporters are stood in for, since the cluster's GPUs are not real; kubelets and nodes are. */
scenarios["telemetry beside the figures"] = async () => {
  const exporters = await standIn.start(NODES);
  try {
    let device;
    // Exporters are not asked again within seconds.
    for (let tries = 0; tries < 30 && device?.device_info.power_w === undefined; tries++) {
      const { nodes: live } = await portal.call("GET", `/clusters/${world.cluster}/node-metrics`);
      device = live.find((node) => node.hostname === "node-1").devices.find((own) => own.type === "cuda");
      await sleep(500);
    }
    assert.equal(device.device_info.power_w, 600, "of both devices that the exporter tells of");
    assert.equal(device.device_info.utilization_percent, 91);

    const id = await portal.trigger(wanted("telemetry", { load: { duration_s: 75 } }));
    await portal.underLoad(id, RUN_S);
    await sleep(25_000);
    exporters.remove("node-2");
    const run = await portal.ended(id, RUN_S);
    assert.equal(run.status, "succeeded", run.reason);
    const { summary, notes } = await portal.call("GET", `/runs/${id}/report`);
    assert.deepEqual(summary.telemetry.map((node) => node.hostname), NODES);
    for (const node of summary.telemetry) {
      assert.ok(node.sources.some(({ source, readings }) => source === "kubelet" && readings >= 3), JSON.stringify(node.sources));
      for (const { cpu_percent, memory_used_bytes } of node.series) {
        assert.ok(cpu_percent >= 0 && cpu_percent <= 100 && memory_used_bytes > 1e6, JSON.stringify(node.series));
      }
      assert.equal(node.devices.length, 2, JSON.stringify(node.devices));
    }
    const [first, second] = summary.telemetry;
    const [gpu] = first.devices;
    assert.ok(Math.abs(gpu.mean.power_w - 310) < 1e-6, `${gpu.mean.power_w} W`);
    assert.ok(Math.abs(gpu.energy_j / (gpu.energy_time_ms / 1000) - 310) < 62, "energy rises with real time at this power, seen every 5 s");
    assert.deepEqual(gpu.clock_limits, [{ reason: "power_cap", share: 1 }]);
    assert.ok(first.energy_j > 0 && first.gaps === undefined, JSON.stringify(first.gaps));
    const gap = second.gaps.find(({ source }) => source === "dcgm_exporter");
    assert.ok(gap.end_ms - gap.begin_ms > 20_000 && gap.reason, JSON.stringify(second.gaps));
    assert.ok(notes.some(({ text }) => text.includes("node-2 has a gap")), JSON.stringify(notes));
    const answer = await portal.ask("GET", `/runs/${id}/telemetry?format=ndjson`);
    const samples = (await answer.text()).split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    const kinds = samples.map(({ node, source, at_unix_ns }) => `${node} ${source} ${at_unix_ns}`);
    assert.equal(new Set(kinds).size, kinds.length, "no sample is told twice");

    exporters.remove("node-1");
    const without = await portal.trigger(wanted("without exporters"));
    await portal.ended(without, RUN_S);
    const report = await portal.call("GET", `/runs/${without}/report`);
    for (const node of report.summary.telemetry ?? []) assert.equal(node.devices, undefined, "nothing is shown where nothing was measured");
    assert.equal(report.summary.energy, undefined);
    assert.ok(report.notes.some(({ text }) => text.includes("No DCGM exporter was found")), JSON.stringify(report.notes));
  } finally {
    exporters.end();
  }
};

/** From the chart, with the rights that the chart gives and no others. */
scenarios["a portal in the cluster"] = async () => {
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
};

/** Nothing of a run is left, at the latest when the cluster's garbage collector has gone round. */
async function nothingIsLeft() {
  let left = [];
  for (let tries = 0; tries < 60; tries++) {
    left = cluster.objects();
    if (left.length === 0) return;
    await sleep(500);
  }
  assert.deepEqual(left, []);
}

async function setUp() {
  const added = await portal.call("POST", "/clusters", {
    name: "test",
    kind: "kubernetes",
    kubeconfig: cluster.kubeconfig,
    namespace: cluster.namespace,
    model_roots: [cluster.models],
  });
  world.cluster = added.id;
  const { nodes } = await portal.call("GET", `/clusters/${added.id}/node-metrics`);
  assert.deepEqual(nodes.map((node) => node.hostname).sort(), NODES);
  for (const node of nodes) assert.equal(node.status, "Ready", node.hostname);
  world.model = await addModel(portal);
}

async function addModel(where) {
  const path = `${cluster.models}/smollm2-135m.gguf`;
  return (await where.call("POST", "/models", { name: "smollm2", source: "file", path, location: "node" })).id;
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(scenarios);
let failed = 0;
try {
  cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: cluster.namespace } });
  await setUp();
  for (const name of names) {
    const begun = Date.now();
    try {
      await scenarios[name]();
      await nothingIsLeft();
      console.log(`ok   ${name} (${((Date.now() - begun) / 1000).toFixed(0)} s)`);
    } catch (error) {
      failed++;
      console.error(`FAIL ${name}: ${error.message ?? error}`);
    }
  }
} finally {
  await portal.end("SIGTERM");
  cluster.kubectl("delete", "namespace", cluster.namespace, "--ignore-not-found");
  if (failed > 0) console.error(`The portal's log: ${portal.dataDir}/portal.log`);
}
process.exitCode = failed > 0 ? 1 : 0;
