// What happens to a run under load, each by causing it.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "../cluster.mjs";
import { stage } from "../portal.mjs";
import { LONG, NODES, RUN_S, addCluster, brokeOff, keptRecords, reference, wanted, world } from "../world.mjs";

async function underLoad(benchmark) {
  const id = await world.portal.trigger(benchmark);
  await world.portal.underLoad(id, RUN_S);
  return id;
}

const remove = (pod) => cluster.kubectl("delete", "-n", cluster.namespace, pod, "--grace-period=0", "--force");

export const scenarios = {
  async "cancelled under load"() {
    const id = await underLoad(wanted("cancelled", { load: LONG }));
    await world.portal.call("POST", `/runs/${id}/cancel`);
    const run = await world.portal.ended(id, 90);
    assert.equal(run.status, "cancelled", run.reason);
    assert.equal(stage(run, "clean_up").status, "succeeded");
    await keptRecords(id);
  },

  async "an engine pod deleted"() {
    const id = await underLoad(reference("engine deleted", { load: LONG }));
    remove(cluster.pods("engine").at(-1));
    await brokeOff(id, /The engine on node node-2 was lost\. It was deleted\. .*Those are kept/);
    await keptRecords(id);
  },

  /** While the portal does not look: it finds another pod of the same name, which is not what was ready. */
  async "an engine pod replaced"() {
    const id = await underLoad(reference("engine replaced", { load: { duration_s: 60 } }));
    const [engine] = cluster.pods("engine");
    const found = JSON.parse(cluster.kubectl("get", "-n", cluster.namespace, engine, "-o", "json"));
    const { name, namespace, labels, ownerReferences } = found.metadata;
    world.portal.signal("SIGSTOP");
    try {
      remove(engine);
      const { nodeName, ...spec } = found.spec;
      cluster.apply({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels, ownerReferences }, spec });
      cluster.kubectl("wait", "-n", namespace, engine, "--for=jsonpath={.status.phase}=Running", "--timeout=60s");
    } finally {
      world.portal.signal("SIGCONT");
    }
    await brokeOff(id, /The engine on node node-1 was lost\. It was replaced by another\./);
    await keptRecords(id);
  },

  async "an engine pod evicted"() {
    const id = await underLoad(reference("engine evicted", { load: LONG }));
    const name = cluster.pods("engine").at(-1).replace("pod/", "");
    cluster.evict(name);
    await brokeOff(id, /The engine on node node-2 was lost\. It was evicted from its node/);
    await keptRecords(id);
  },

  /**
   * What it had not handed over is gone with it; the rest is kept, and is what the report is made of. Where the portal looks while the pod
   * is being ended, it is told so by the load and has the rest as well.
   */
  async "the load pod deleted"() {
    const id = await underLoad(reference("load deleted", { load: LONG }));
    // Records are taken over each five seconds.
    await sleep(10_000);
    for (const pod of cluster.pods("load")) remove(pod);
    const reason = /The load's pod .*deleted.*The records of ([\d,]+) requests had been taken over by then and are kept/;
    const run = await brokeOff(id, reason);
    const kept = await keptRecords(id);
    assert.equal(kept.length, Number(reason.exec(run.reason)[1].replaceAll(",", "")));
    const report = await world.portal.call("GET", `/runs/${id}/report`);
    assert.equal(report.summary.total_requests, kept.filter((record) => record.phase === "measured").length);
  },

  async "a worker pod deleted"() {
    const id = await underLoad(reference("worker deleted", { load: LONG, load_from: { load_pods: 2, load_cpu_millicores: 500 } }));
    remove(cluster.pods("worker")[0]);
    await brokeOff(id, /Load pod 2 on node node-[12] was lost\. It was deleted\. .*Those are kept/);
    await keptRecords(id);
  },

  async "the portal killed"() {
    const { portal } = world;
    const id = await underLoad(wanted("portal killed", { load: { num_requests: 60 } }));
    await portal.end("SIGKILL");
    await sleep(3_000);
    await portal.start();
    const run = await portal.ended(id, RUN_S);
    assert.equal(run.status, "succeeded", run.reason);
    const measured = (await keptRecords(id)).filter((record) => record.phase === "measured");
    assert.equal(measured.length, 60, "each request's record arrives once");
  },

  /** For longer than a minute, over the load's end: what was measured waits in its pod. */
  async "the API server away"() {
    const id = await underLoad(reference("API server away", { load: LONG }));
    cluster.signal("apiserver", "SIGSTOP");
    await sleep(70_000);
    cluster.signal("apiserver", "SIGCONT");
    const run = await world.portal.ended(id, RUN_S);
    assert.equal(run.status, "succeeded", run.reason);
    const report = await world.portal.call("GET", `/runs/${id}/report`);
    const measured = (await keptRecords(id)).filter((record) => record.phase === "measured");
    assert.equal(measured.length, report.summary.total_requests);
    // Kubelets that could not say that they are there have to say so again.
    cluster.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s");
  },

  async "a node lost"() {
    const id = await underLoad(reference("node lost", { load: { duration_s: 180 } }));
    cluster.signal("kubelet-2", "SIGSTOP");
    try {
      await brokeOff(id, /node-2/, 300);
    } finally {
      cluster.signal("kubelet-2", "SIGCONT");
      cluster.kubectl("wait", "--for=condition=Ready", "node/node-2", "--timeout=60s");
    }
  },

  /** A user with the chart's rights alone, whose account is removed under load; the kubeconfig is renewed, and the run goes on. */
  async "a token withdrawn and renewed"() {
    const { portal } = world;
    cluster.grantAccess();
    try {
      const own = await addCluster(`token ${Date.now()}`, { kubeconfig: cluster.kubeconfigOf(cluster.newToken()) });
      const test = await portal.call("POST", `/clusters/${own}/test`);
      assert.deepEqual(test.missing, [], "the chart's rights are enough");
      const id = await underLoad(reference("token", { cluster: own, hostnames: [NODES[0]], load: { duration_s: 45 } }));
      cluster.withdrawAccess();
      const told = await portal.events(id, (event) => event.event === "log" && /does not accept/.test(event.data.line), 90);
      assert.match(told.at(-1).data.line, /does not accept the kubeconfig's user.*goes on meanwhile.*asked again for 15 min/);
      cluster.grantAccess();
      await portal.call("PATCH", `/clusters/${own}`, { kubeconfig: cluster.kubeconfigOf(cluster.newToken()) });
      const run = await portal.ended(id, RUN_S);
      assert.equal(run.status, "succeeded", run.reason);
      const report = await portal.call("GET", `/runs/${id}/report`);
      const measured = (await keptRecords(id)).filter((record) => record.phase === "measured");
      assert.equal(measured.length, report.summary.total_requests);
    } finally {
      cluster.removeAccess();
    }
  },
};
