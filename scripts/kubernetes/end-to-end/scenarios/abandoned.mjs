// Portals that are gone for good. The cluster ends and removes their runs by itself, and another portal's sweep removes what is left; nothing
// that is not Dyno's is touched.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "../cluster.mjs";
import { HubStandIn } from "../hub.mjs";
import { LocalPortal, stage } from "../portal.mjs";
import { RUN_S, addCluster, addModel, reference } from "../world.mjs";

const SWEPT = "dyno-swept";
const PAUSE_IMAGE = "dyno.test/pause:1";
/** Seconds since 1970. */
const now = () => Math.floor(Date.now() / 1000);

/** A Job that runs nothing. */
function job(namespace, name, metadata = {}) {
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "pause", image: PAUSE_IMAGE }] } };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace, ...metadata }, spec: { parallelism: 0, template } };
}

/** A Job with the marks of a run's owner. */
function owner(namespace, run, { name = `dyno-run-${run}`, deadline }) {
  const labels = { "app.kubernetes.io/managed-by": "dyno", "dyno/run": run };
  const annotations = deadline === undefined ? {} : { "dyno/deadline": String(deadline) };
  return job(namespace, name, { labels, annotations });
}

/** What Dyno did not make; two of them look like it. */
function strangers(namespace) {
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "somebodys", namespace }, data: { a: "b" } },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "somebodys", namespace }, stringData: { a: "b" } },
    job(namespace, "somebodys"),
    owner(namespace, randomUUID(), { name: "with-copied-labels", deadline: 1_000_000_000 }),
    owner(namespace, randomUUID(), {}),
  ];
}

const KINDS = { ConfigMap: "configmap", Secret: "secret", Job: "job.batch" };
const names = (objects) => objects.map(({ kind, metadata }) => `${KINDS[kind]}/${metadata.name}`).sort();

function change(object, spec) {
  cluster.kubectl("patch", "-n", cluster.namespace, object, "--type=merge", "-p", JSON.stringify({ spec }));
}

const field = (object, path) => cluster.kubectl("get", "-n", cluster.namespace, object, "-o", `jsonpath={${path}}`);
const waitFor = (object, condition) => cluster.kubectl("wait", "-n", cluster.namespace, `--for=${condition}`, object, "--timeout=150s");

/** Nothing but these is left within a time. */
async function onlyStay(objects, namespace, seconds = 90) {
  const expected = names(objects);
  let left;
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(500)) {
    left = cluster.objects(namespace).sort();
    if (JSON.stringify(left) === JSON.stringify(expected)) return;
  }
  assert.deepEqual(left, expected);
}

/** What happens at a run's deadline and after its time to live, at once instead of in hours: both are shortened. */
async function endsByItself(id) {
  const run = `job.batch/dyno-run-${id}`;
  change(run, { activeDeadlineSeconds: 1 });
  waitFor(run, "condition=Failed");
  assert.equal(field(run, '.status.conditions[?(@.type=="Failed")].reason'), "DeadlineExceeded");
  for (const engine of cluster.pods("engine")) {
    change(engine, { activeDeadlineSeconds: 1 });
    waitFor(engine, "jsonpath={.status.phase}=Failed");
    assert.equal(field(engine, ".status.reason"), "DeadlineExceeded", `${engine} is ended by its own deadline`);
  }
  change(run, { ttlSecondsAfterFinished: 1 });
}

/** With objects in the namespace that are not Dyno's, which have to stay. */
async function besideStrangers(work) {
  const others = strangers(cluster.namespace);
  for (const object of others) cluster.apply(object);
  try {
    await work();
    await onlyStay(others, cluster.namespace);
  } finally {
    for (const name of names(others)) cluster.kubectl("delete", "-n", cluster.namespace, name, "--ignore-not-found");
  }
}

export const scenarios = {
  async "a portal lost for good under load"() {
    const portal = await LocalPortal.open();
    try {
      await besideStrangers(async () => {
        const changes = { cluster: await addCluster("lost", {}, portal), model: await addModel(portal), load: { duration_s: 900 } };
        const id = await portal.trigger(reference("lost", changes));
        await portal.underLoad(id, RUN_S);
        await portal.end("SIGKILL");
        await endsByItself(id);
      });
    } finally {
      await portal.end("SIGKILL");
    }
  },

  /** With a Secret that holds the hub's token, and a Job that fetches. */
  async "a portal lost for good during the transfer"() {
    const folder = join(cluster.folder, "lost-cache");
    const file = readFileSync(join(cluster.models, "smollm2-135m.gguf"));
    const hub = await HubStandIn.open("org/smollm2", "smollm2-135m.gguf", file);
    hub.speed = 512 << 10;
    const portal = await LocalPortal.open({ HF_ENDPOINT: hub.url, HF_TOKEN: "hf_of_nobody" });
    try {
      await besideStrangers(async () => {
        const own = await addCluster("lost", { cache: { host_path: folder } }, portal);
        const { id: model } = await portal.call("POST", "/models", { name: "hub", source: "hub", repository: hub.repository, revision: "main" });
        const id = await portal.trigger(reference("lost", { cluster: own, model, hostnames: ["node-1"] }));
        const isFetching = (run) => /smollm2-135m\.gguf: .* of /.test(stage(run, "transfer_model_to_cluster").message ?? "");
        await portal.until(id, "fetching", isFetching, RUN_S);
        await portal.end("SIGKILL");
        assert.ok(field(`secret/dyno-run-${id}`, ".data.hub-token"), "the token is on the cluster");
        assert.equal(cluster.pods("files").length, 1);
        const run = `job.batch/dyno-run-${id}`;
        const left = ["activeDeadlineSeconds", "ttlSecondsAfterFinished"].map((name) => Number(field(run, `.spec.${name}`)));
        // A portal that follows the transfer puts the deadline off each five minutes, to half an hour from then on.
        assert.ok(left[0] > 0 && left[0] <= 1860 && left[1] === 300, left.join());
        await endsByItself(id);
      });
    } finally {
      await portal.end("SIGKILL");
      hub.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },

  /** In a namespace of its own, into which no other portal looks. */
  async "what a lost portal left is swept by another"() {
    const lost = await LocalPortal.open();
    const other = await LocalPortal.open();
    try {
      const own = await addCluster("lost", { namespace: SWEPT }, lost);
      const changes = { cluster: own, model: await addModel(lost), hostnames: ["node-1"], load: { duration_s: 900 } };
      const id = await lost.trigger(reference("left", changes));
      await lost.underLoad(id, RUN_S);
      await lost.end("SIGKILL");
      const another = owner(SWEPT, randomUUID(), { deadline: now() + 3600 });
      const stay = [...strangers(SWEPT), another];
      for (const object of stay) cluster.apply(object);
      await addCluster("swept", { namespace: SWEPT }, other);
      // A run is nobody's any more a quarter of an hour after its deadline.
      const past = `dyno/deadline=${now() - 1000}`;
      cluster.kubectl("annotate", "-n", SWEPT, "--overwrite", `job/dyno-run-${id}`, past);
      // A portal sweeps when it starts.
      await other.end("SIGTERM");
      await other.start();
      await onlyStay(stay, SWEPT, 120);
    } finally {
      await lost.end("SIGKILL");
      await other.end("SIGTERM");
      cluster.kubectl("delete", "namespace", SWEPT, "--ignore-not-found");
    }
  },
};
