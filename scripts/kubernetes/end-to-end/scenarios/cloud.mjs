// A provider's model, called from a pod. The reference engine on this machine stands in for the provider.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "../cluster.mjs";
import { freePort, program, stage } from "../portal.mjs";
import { NODES, RUN_S, failsBeforeLoad, keptRecords, wanted, world } from "../world.mjs";

const ADDRESS = "10.99.0.100";
const KEY = "sk-end-to-end-0123456789abcdef";

async function provider() {
  const port = await freePort();
  const listen = ["--listen", `${ADDRESS}:${port}`, "--model", "m", "--api-key-env", "DYNO_TEST_KEY", "--ttft-ms", "20", "--itl-ms", "10"];
  const child = spawn(program, ["engine", ...listen], { env: { ...process.env, DYNO_TEST_KEY: KEY }, stdio: "ignore" });
  const url = `http://${ADDRESS}:${port}/v1`;
  for (let tries = 0; tries < 100; tries++) {
    if (await fetch(`${url}/models`).then(() => true, () => false)) break;
    await sleep(100);
  }
  return { url, end: () => child.kill() };
}

async function cloudModel(name, base_url) {
  const model = await world.portal.call("POST", "/models", { name, source: "cloud", provider: "openai_compatible", base_url, model: "m" });
  const credential = await world.portal.call("POST", "/credentials", { name, provider: "openai_compatible", secret: KEY, base_url });
  return { model: model.id, credential: credential.id };
}

export const scenarios = {
  async "a cloud model"() {
    const { portal } = world;
    const { url, end } = await provider();
    try {
      const of = await cloudModel("provider", url);
      const id = await portal.trigger({ ...wanted("cloud", { hostnames: [NODES[1]], load: { num_requests: 200 } }), ...of });
      await portal.underLoad(id, RUN_S);
      const [load] = cluster.pods("load");
      assert.equal(cluster.kubectl("get", "-n", cluster.namespace, load, "-o", "jsonpath={.spec.nodeName}"), NODES[1], "from the chosen node");
      const encoded = Buffer.from(KEY).toString("base64");
      const secrets = JSON.parse(cluster.kubectl("get", "secrets", "-n", cluster.namespace, "-o", "json")).items;
      const holding = secrets.filter((secret) => JSON.stringify(secret).includes(encoded));
      assert.deepEqual(holding.map((secret) => secret.metadata.name), [`dyno-run-${id}`], "the key is in the run's Secret");
      for (const kind of ["pods", "jobs", "configmaps", "services", "events"]) {
        const text = cluster.kubectl("get", kind, "-n", cluster.namespace, "-o", "json");
        assert.ok(!text.includes(KEY) && !text.includes(encoded), `the key is in ${kind}`);
      }
      assert.ok(!cluster.kubectl("logs", "-n", cluster.namespace, load).includes(KEY), "the key is in the load's log");
      const run = await portal.ended(id, RUN_S);
      assert.equal(run.status, "succeeded", run.reason);
      assert.ok(stage(run, "deploy_to_engine") === undefined, "nothing is deployed");
      await keptRecords(id);
      const left = cluster.kubectl("get", "secrets", "-n", cluster.namespace, "-o", "name").trim();
      assert.equal(left, "", "the Secret ended with its run");
    } finally {
      end();
    }
  },

  /** From a pod, loopback is the pod. */
  async "a cloud model at a loopback address"() {
    const of = await cloudModel("loopback", "http://127.0.0.1:9/v1");
    await failsBeforeLoad({ ...wanted("loopback", { hostnames: [NODES[0]] }), ...of }, /127\.0\.0\.1:9.* is loopback: from a pod, that is the pod itself/);
  },
};
