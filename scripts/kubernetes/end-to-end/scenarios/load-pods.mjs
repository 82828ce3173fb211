// Loads that come from several pods.

import assert from "node:assert/strict";
import * as cluster from "../cluster.mjs";
import { RUN_S, failsBeforeLoad, keptRecords, reference, world } from "../world.mjs";

/** One engine on node-1, so that node-2 is not under test. */
function from(pods) {
  const load_from = { load_pods: pods, load_cpu_millicores: 900 };
  return reference(`from ${pods}`, { hostnames: ["node-1"], concurrency: 8, load: { num_requests: 240, warmup_requests: 8 }, load_from });
}

const field = (pod, path) => cluster.kubectl("get", "-n", cluster.namespace, pod, "-o", `jsonpath={${path}}`);

async function measured(id) {
  const run = await world.portal.ended(id, RUN_S);
  assert.equal(run.status, "succeeded", run.reason);
  const report = await world.portal.call("GET", `/runs/${id}/report`);
  assert.equal(report.summary.successful_requests, 240, JSON.stringify(report.summary));
  return report;
}

/** Within the larger of 5 % and so much, in the figure's own unit. */
function isClose(what, one, two, least) {
  const bound = Math.max(one * 0.05, least);
  console.log(`    ${what}: ${one.toFixed(3)} from one pod, ${two.toFixed(3)} from two (bound ${bound.toFixed(3)})`);
  assert.ok(Math.abs(one - two) <= bound, `${what}: ${one} from one pod, ${two} from two`);
}

export const scenarios = {
  async "two load pods"() {
    const { portal } = world;
    const one = await measured(await portal.trigger(from(1)));
    assert.deepEqual(one.provenance.load_pods, [{ node: "node-2", cpu_millicores: 900 }]);
    const id = await portal.trigger(from(2));
    await portal.underLoad(id, RUN_S);
    const pods = [...cluster.pods("load"), ...cluster.pods("worker")];
    assert.equal(pods.length, 2, pods.join());
    for (const pod of pods) {
      assert.equal(field(pod, ".spec.nodeName"), "node-2", "not the node under test");
      for (const kind of ["requests", "limits"]) assert.equal(field(pod, `.spec.containers[0].resources.${kind}.cpu`), "900m");
    }
    const two = await measured(id);
    assert.equal(two.provenance.load_pods.length, 2);
    assert.equal(two.provenance.plan.workers, 2);
    const workers = two.provenance.load_workers;
    assert.deepEqual(workers.map((worker) => worker.name), ["Load pod 1 on node node-2", "Load pod 2 on node node-2"]);
    for (const worker of workers) assert.equal(worker.requests, 124, "half of all, warm-up included");
    assert.match(JSON.stringify(two.notes), /Load pod 2 on node node-2: its clock was .* ms (ahead of|behind) that of the first/);
    const records = await keptRecords(id);
    assert.equal(records.length, 248);
    const sent = records.map((record) => record.sent_unix_ns);
    assert.ok(sent.every((at, index) => index === 0 || at >= sent[index - 1]), "in the order of sending");
    isClose("TTFT p50, ms", one.summary.ttft_ms.p50, two.summary.ttft_ms.p50, 1);
    isClose("TPOT p50, ms", one.summary.tpot_ms.p50, two.summary.tpot_ms.p50, 1);
    isClose("output tokens/s", one.summary.output_throughput, two.summary.output_throughput, 0);
    isClose("requests/s", one.summary.request_throughput, two.summary.request_throughput, 0);
  },

  /** Each pod is sent what it reads. */
  async "two load pods with a dataset"() {
    const prompts = Array.from({ length: 30 }, (_, index) => `What is ${index} and ${index + 1}?`);
    const dataset_ids = [await world.portal.addDataset("sums", prompts)];
    const load_from = { load_pods: 2, load_cpu_millicores: 500 };
    const changes = { hostnames: ["node-1"], concurrency: 4, eval_with: "dataset", load: { dataset_ids, num_requests: 40 }, load_from };
    const id = await world.portal.trigger(reference("dataset", changes));
    const run = await world.portal.ended(id, RUN_S);
    assert.equal(run.status, "succeeded", run.reason);
    const { provenance } = await world.portal.call("GET", `/runs/${id}/report`);
    assert.deepEqual(provenance.load_workers.map((worker) => worker.requests), [21, 21], "warm-up included");
    assert.equal((await keptRecords(id)).length, 42);
  },

  async "load pods that no node has room for"() {
    const load_from = { load_pods: 3, load_cpu_millicores: 64_000 };
    const reason = /No node has room for load pod 1 of 3, which asks for 64 CPU: node-[12] has [\d.]+ CPU left, node-[12] has [\d.]+ CPU left/;
    await failsBeforeLoad(reference("no room", { concurrency: 4, load_from }), reason);
  },
};
