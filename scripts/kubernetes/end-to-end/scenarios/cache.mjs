// Models that are brought to the cluster: fetched from a hub into the cache, and found there by the next run.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "../cluster.mjs";
import { HubStandIn } from "../hub.mjs";
import { LocalPortal, stage } from "../portal.mjs";
import { ENGINE_IMAGE, NODES, RUN_S, addCluster, wanted } from "../world.mjs";

const CLAIM = "models";
/** The user of Dyno's own pods. */
const USER = 65532;

/** The real engine with the file that was fetched, whatever its name is. */
const COMMAND = ["/app/llama-server", "-m", "{model}", "--alias", "{alias}", "--host", "{host}", "--port", "{port}", "-c", "4096", "-np", "2", "-t", "1"];

/** A volume on the nodes' disk (here one disk is all nodes'), and a claim of it. */
function volume(folder) {
  return [
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: "dyno-models" },
      spec: {
        capacity: { storage: "10Gi" },
        accessModes: ["ReadWriteMany"],
        storageClassName: "none",
        persistentVolumeReclaimPolicy: "Retain",
        claimRef: { namespace: cluster.namespace, name: CLAIM },
        hostPath: { path: folder },
      },
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: CLAIM, namespace: cluster.namespace },
      spec: { accessModes: ["ReadWriteMany"], storageClassName: "none", volumeName: "dyno-models", resources: { requests: { storage: "10Gi" } } },
    },
  ];
}

/** The same twice: once fetched, its pod deleted half-way; once found in the cache. */
async function fetchedOnce(portal, hub, own, nodes) {
  const { id: model } = await portal.call("POST", "/models", { name: `hub ${own}`, source: "hub", repository: hub.repository, revision: "main" });
  const benchmark = {
    name: "from the hub",
    cluster: own,
    model,
    hostnames: nodes,
    concurrency: 2,
    load: { num_requests: 8 },
    engine: { engine: "custom", engine_image: ENGINE_IMAGE, engine_args: COMMAND },
  };
  const id = await portal.trigger(benchmark);
  const isFetching = (run) => /smollm2-135m\.gguf: .* of /.test(stage(run, "transfer_model_to_cluster").message ?? "");
  await portal.until(id, "fetching", isFetching, RUN_S);
  await hub.sent(0.3);
  cluster.kubectl("delete", "-n", cluster.namespace, cluster.pods("files")[0], "--grace-period=0", "--force");
  // Not faster before: what is being ended would have the rest in a moment.
  for (let tries = 0; tries < 100 && hub.resumed === 0; tries++) await sleep(100);
  hub.speed = Infinity;
  const run = await portal.ended(id, RUN_S);
  assert.equal(run.status, "succeeded", run.reason);
  assert.match(stage(run, "transfer_model_to_cluster").message, new RegExp(`${hub.repository} at main is in the cluster's cache`));
  assert.ok(hub.resumed > 0, `it went on where it had stopped: ${hub.bytes} bytes were sent`);
  const sent = hub.bytes;
  const again = await portal.ended(await portal.trigger({ ...benchmark, name: "from the cache" }), RUN_S);
  assert.equal(again.status, "succeeded", again.reason);
  assert.equal(hub.bytes, sent, "the cache had it");
}

export const scenarios = {
  /** The hub is a stand-in on this machine, reached from the pods as a mirror is: the public one can't be. */
  async "a hub model in a volume claim"() {
    const folder = join(cluster.folder, "claim");
    mkdirSync(folder, { recursive: true });
    chownSync(folder, USER, USER);
    const objects = volume(folder);
    const file = readFileSync(join(cluster.models, "smollm2-135m.gguf"));
    const hub = await HubStandIn.open("org/smollm2", "smollm2-135m.gguf", file);
    const portal = await LocalPortal.open({ HF_ENDPOINT: hub.url });
    try {
      for (const object of objects) cluster.apply(object);
      const own = await addCluster("claim", { cache: { persistent_volume_claim: CLAIM } }, portal);
      await fetchedOnce(portal, hub, own, NODES);
      hub.corrupt();
      const { id: model } = await portal.call("POST", "/models", { name: "corrupt", source: "hub", repository: hub.repository, revision: "main" });
      const id = await portal.trigger({
        name: "corrupt",
        cluster: own,
        model,
        hostnames: [NODES[0]],
        concurrency: 1,
        load: { num_requests: 1 },
        engine: { engine: "custom", engine_image: ENGINE_IMAGE, engine_args: COMMAND },
      });
      const run = await portal.ended(id, RUN_S);
      assert.equal(run.status, "failed", run.reason);
      assert.match(run.reason, /smollm2-135m\.gguf arrived with another size or digest than the hub says/);
    } finally {
      await portal.end("SIGTERM");
      hub.close();
      await runsAreGone();
      cluster.kubectl("delete", "persistentvolumeclaim", CLAIM, "-n", cluster.namespace, "--ignore-not-found");
      cluster.kubectl("delete", "persistentvolume", "dyno-models", "--ignore-not-found");
      rmSync(folder, { recursive: true, force: true });
    }
  },

  /** Of the portal's machine. The portal is killed meanwhile, and the next run finds the file where it is. */
  async "a portal's file on a node's disk"() {
    const folder = join(cluster.folder, "copied");
    const path = join(cluster.models, "smollm2-135m.gguf");
    const portal = await LocalPortal.open({ DYNO_MODEL_ROOTS: cluster.models });
    try {
      const own = await addCluster("copied", { cache: { host_path: folder } }, portal);
      const { id: model } = await portal.call("POST", "/models", { name: "portal's", source: "file", path, location: "portal" });
      const benchmark = wanted("a portal's file", { cluster: own, model, hostnames: [NODES[0]], load: { num_requests: 8 } });
      const id = await portal.trigger(benchmark);
      await portal.until(id, "transferring", (run) => stage(run, "transfer_model_to_cluster").status === "running", RUN_S);
      await portal.end("SIGKILL");
      await portal.start();
      const run = await portal.ended(id, RUN_S);
      assert.equal(run.status, "succeeded", run.reason);
      assert.match(stage(run, "transfer_model_to_cluster").message, /smollm2-135m\.gguf was copied into the cluster's cache/);
      const [digest, ...others] = readdirSync(join(folder, "portal"));
      assert.deepEqual(others, []);
      const copy = join(folder, "portal", digest, "smollm2-135m.gguf");
      const hash = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
      assert.equal(hash(copy), hash(path));
      const { ino, mtimeMs } = statSync(copy);
      const again = await portal.ended(await portal.trigger({ ...benchmark, name: "again" }), RUN_S);
      assert.equal(again.status, "succeeded", again.reason);
      const after = statSync(copy);
      assert.deepEqual([after.ino, after.mtimeMs], [ino, mtimeMs], "it was not copied again");
    } finally {
      await portal.end("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    }
  },

  /** Half-way: the portal stands still meanwhile, so that the rest is not there in a moment. */
  async "a portal's file whose pod is deleted"() {
    const folder = join(cluster.folder, "copied-twice");
    const path = join(cluster.models, "smollm2-135m.gguf");
    const portal = await LocalPortal.open({ DYNO_MODEL_ROOTS: cluster.models });
    try {
      const own = await addCluster("copied twice", { cache: { host_path: folder } }, portal);
      const { id: model } = await portal.call("POST", "/models", { name: "portal's", source: "file", path, location: "portal" });
      const id = await portal.trigger(wanted("a lost pod", { cluster: own, model, hostnames: [NODES[0]], load: { num_requests: 8 } }));
      const part = await someOf(folder, "smollm2-135m.gguf.part");
      portal.signal("SIGSTOP");
      assert.ok(existsSync(part), "the copy was over before the portal stood still");
      const [lost] = cluster.pods("files");
      cluster.kubectl("delete", "-n", cluster.namespace, lost, "--grace-period=0", "--force");
      const others = () => cluster.pods("files").filter((pod) => pod !== lost);
      for (const until = Date.now() + 60_000; others().length === 0 && Date.now() < until; ) await sleep(300);
      const arrived = statSync(part).size;
      portal.signal("SIGCONT");
      assert.ok(arrived > 0, "something had arrived");
      const run = await portal.ended(id, RUN_S);
      assert.equal(run.status, "succeeded", run.reason);
      const hash = (file) => createHash("sha256").update(readFileSync(file)).digest("hex");
      assert.equal(hash(part.replace(/\.part$/, "")), hash(path));
    } finally {
      portal.signal("SIGCONT");
      await portal.end("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    }
  },

  /** A folder of each node's own disk, which is made where it is missing. */
  async "a hub model on the nodes' disks"() {
    const folder = join(cluster.folder, "node-cache");
    const file = readFileSync(join(cluster.models, "smollm2-135m.gguf"));
    const hub = await HubStandIn.open("org/smollm2", "smollm2-135m.gguf", file);
    const portal = await LocalPortal.open({ HF_ENDPOINT: hub.url });
    try {
      await fetchedOnce(portal, hub, await addCluster("disks", { cache: { host_path: folder } }, portal), [NODES[0]]);
    } finally {
      await portal.end("SIGTERM");
      hub.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** The path of a file below a folder of the portal's copies once it has some content. */
async function someOf(folder, name) {
  const copies = join(folder, "portal");
  for (const until = Date.now() + RUN_S * 1000; Date.now() < until; await sleep(5)) {
    const paths = existsSync(copies) ? readdirSync(copies).map((digest) => join(copies, digest, name)) : [];
    const found = paths.find((path) => existsSync(path) && statSync(path).size > 0);
    if (found) return found;
  }
  throw new Error(`no ${name} below ${copies}`);
}

async function runsAreGone() {
  for (let tries = 0; tries < 60 && cluster.pods("files").length + cluster.pods("engine").length > 0; tries++) await sleep(500);
}
