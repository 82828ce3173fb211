// Three runs, of each of which something is killed at a random moment. The seed is printed; CHAOS_SEED repeats it.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as cluster from "../cluster.mjs";
import { RUN_S, nothingIsLeft, reference, world } from "../world.mjs";

const ROUNDS = 3;
/** A run of these takes about half a minute from its start to its end. */
const WITHIN_MS = 30_000;
const REQUESTS = 100;

/** mulberry32: the same numbers for the same seed. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const removeFirst = (component) => {
  const [pod] = cluster.pods(component);
  if (pod === undefined) return `no ${component} pod was there`;
  cluster.kubectl("delete", "-n", cluster.namespace, pod, "--grace-period=0", "--force", "--ignore-not-found");
  return `${component} pod deleted`;
};

const kills = {
  async portal() {
    await world.portal.end("SIGKILL");
    await sleep(1_000);
    await world.portal.start();
    return "portal killed and started again";
  },
  load: () => removeFirst("load"),
  engine: () => removeFirst("engine"),
  async "API server"(draw) {
    const ms = Math.round(2_000 + draw() * 18_000);
    cluster.signal("apiserver", "SIGSTOP");
    await sleep(ms);
    cluster.signal("apiserver", "SIGCONT");
    return `API server stopped for ${(ms / 1000).toFixed(1)} s`;
  },
};

export const scenarios = {
  async chaos() {
    const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 32));
    console.log(`    seed ${seed}`);
    const draw = random(seed);
    const before = cluster.everything();
    const { portal } = world;
    for (let round = 1; round <= ROUNDS; round++) {
      const id = await portal.trigger(reference(`chaos ${round}`, { load: { num_requests: REQUESTS } }));
      const after = Math.round(draw() * WITHIN_MS);
      const names = Object.keys(kills);
      const name = names[Math.floor(draw() * names.length)];
      await sleep(after);
      const done = await kills[name](draw);
      const run = await portal.ended(id, RUN_S);
      console.log(`    round ${round}: after ${(after / 1000).toFixed(1)} s ${done}: ${run.status}${run.reason ? `, ${run.reason}` : ""}`);
      assert.ok(["succeeded", "partial", "failed"].includes(run.status), run.status);
      if (run.status !== "succeeded") assert.ok(run.reason, "an end that is not a success has a reason");
      const records = await portal.records(id);
      assert.equal(new Set(records.map((record) => record.id)).size, records.length, "each record is kept once");
      const measured = records.filter((record) => record.phase === "measured");
      if (run.status === "succeeded") assert.equal(measured.length, REQUESTS, "each record is kept");
      await nothingIsLeft();
    }
    assert.deepEqual(cluster.everything(), before, "the cluster is as it was before");
  },
};
