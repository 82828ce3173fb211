// What the scenarios share: the portal under test, the cluster and the model that were added to it, and a benchmark to change.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "./cluster.mjs";
import { LocalPortal, image } from "./portal.mjs";

export const ENGINE_IMAGE = "dyno.test/llama-server:1";
export const NODES = ["node-1", "node-2"];
/** An engine's start and a short load, on a machine that does much else. */
export const RUN_S = 240;
/** A load that lasts until something was done to it. */
export const LONG = { duration_s: 25 };

/** Filled in by `setUp`. */
export const world = { portal: undefined, cluster: undefined, model: undefined };

/** What a scenario changes of the usual benchmark: llama.cpp on both nodes. */
export function wanted(name, changes = {}) {
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

/** The same with the reference engine, which starts at once and answers at known times: where it does not matter what serves. */
export function reference(name, changes = {}) {
  const command = ["dyno", "engine", "--listen", "{host}:{port}", "--model", "{alias}", "--ttft-ms", "20", "--itl-ms", "20"];
  const engine = { engine: "custom", engine_image: image, engine_args: command, ...changes.engine };
  return wanted(name, { ...changes, engine });
}

export async function addModel(portal) {
  const path = `${cluster.models}/smollm2-135m.gguf`;
  return (await portal.call("POST", "/models", { name: "smollm2", source: "file", path, location: "node" })).id;
}

/** An entry for the test cluster; answers its id. */
export async function addCluster(name, changes = {}, portal = world.portal) {
  const body = {
    name,
    kind: "kubernetes",
    kubeconfig: cluster.kubeconfig,
    namespace: cluster.namespace,
    model_roots: [cluster.models],
    ...changes,
  };
  return (await portal.call("POST", "/clusters", body)).id;
}

export async function setUp() {
  world.portal = await LocalPortal.open();
  cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: cluster.namespace } });
  world.cluster = await addCluster("test");
  const { nodes } = await world.portal.call("GET", `/clusters/${world.cluster}/node-metrics`);
  assert.deepEqual(nodes.map((node) => node.hostname).sort(), NODES);
  for (const node of nodes) assert.equal(node.status, "Ready", node.hostname);
  world.model = await addModel(world.portal);
}

/** Nothing of a run is left, at the latest when the cluster's garbage collector has gone round. */
export async function nothingIsLeft() {
  let left = [];
  for (let tries = 0; tries < 60; tries++) {
    left = cluster.objects();
    if (left.length === 0) return;
    await sleep(500);
  }
  assert.deepEqual(left, []);
}

/** A run that failed before its load, with what its reason says. */
export async function failsBeforeLoad(benchmark, reason, at) {
  const id = await world.portal.trigger(benchmark);
  const run = await world.portal.ended(id, RUN_S);
  assert.equal(run.status, "failed", run.reason);
  assert.match(run.reason, reason);
  if (at) assert.equal(run.stages.find((stage) => stage.id === at).status, "failed", `${at}: ${run.reason}`);
  return run;
}

/** A run that broke off under load: named, and what was measured is kept, each record once. */
export async function brokeOff(id, reason, seconds = RUN_S) {
  const run = await world.portal.ended(id, seconds);
  assert.ok(["failed", "partial"].includes(run.status), `${run.status}: ${run.reason}`);
  assert.match(run.reason, reason);
  return run;
}

export async function keptRecords(id) {
  const records = await world.portal.records(id);
  assert.ok(records.length > 0, "what was measured is kept");
  assert.equal(new Set(records.map((record) => record.id)).size, records.length, "each record is kept once");
  return records;
}
