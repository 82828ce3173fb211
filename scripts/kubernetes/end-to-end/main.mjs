// Benchmarks on the test cluster, from end to end over the portal's HTTP API, and what can go wrong by causing it.
//   node scripts/kubernetes/end-to-end/main.mjs [--short | SCENARIO…]
// All of them; with --short those that tell the most, in a quarter of an hour, and where DYNO_TEST_UNTIL says how much time there is, then the
// others as far as it goes.

import * as cluster from "./cluster.mjs";
import { scenarios as abandoned } from "./scenarios/abandoned.mjs";
import { scenarios as benchmarks } from "./scenarios/benchmarks.mjs";
import { scenarios as cache } from "./scenarios/cache.mjs";
import { scenarios as cancelled } from "./scenarios/cancelled.mjs";
import { scenarios as chaos } from "./scenarios/chaos.mjs";
import { scenarios as cloud } from "./scenarios/cloud.mjs";
import { scenarios as loadPods } from "./scenarios/load-pods.mjs";
import { scenarios as lost } from "./scenarios/lost.mjs";
import { scenarios as refused } from "./scenarios/refused.mjs";
import { scenarios as telemetry } from "./scenarios/telemetry.mjs";
import { nothingIsLeft, setUp, world } from "./world.mjs";

const scenarios = { ...benchmarks, ...refused, ...loadPods, ...lost, ...abandoned, ...cancelled, ...cloud, ...cache, ...telemetry, ...chaos };
const SHORT = [
  "benchmark",
  "the wizard in Chromium",
  "an engine that ends at once",
  "a memory limit that is too small",
  "more GPUs than a node has",
  "a quota",
  "cancelled under load",
  "an engine pod deleted",
  "two load pods",
  "the portal killed",
  "a token withdrawn and renewed",
  "a cloud model",
  "a portal in the cluster",
];

const asked = process.argv.slice(2);
const until = process.env.DYNO_TEST_UNTIL ? Number(process.env.DYNO_TEST_UNTIL) * 1000 : Infinity;
const all = Object.keys(scenarios);
const shortFirst = Number.isFinite(until) ? [...SHORT, ...all.filter((name) => !SHORT.includes(name))] : SHORT;
const names = asked[0] === "--short" ? shortFirst : asked.length > 0 ? asked : all;
const unknown = names.filter((name) => scenarios[name] === undefined);
if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(", ")}; there are ${Object.keys(scenarios).join(", ")}`);

const failed = [];
const late = [];
// The longest of them takes about as long.
const LONGEST_MS = 150_000;
const seconds = (since) => ((Date.now() - since) / 1000).toFixed(0);
const begun = Date.now();

async function passes(name) {
  const since = Date.now();
  try {
    await scenarios[name]();
    await nothingIsLeft();
    console.log(`ok   ${name} (${seconds(since)} s)`);
    return true;
  } catch (error) {
    console.error(`FAIL ${name} (${seconds(since)} s): ${error.message ?? error}`);
    return false;
  }
}

try {
  await setUp();
  for (const name of names) {
    if (Date.now() + LONGEST_MS > until) late.push(name);
    else if (!(await passes(name))) failed.push(name);
  }
  // On a busy machine the cluster itself can be late: what failed is tried once more, and both outcomes are said.
  for (const name of [...failed]) {
    if (Date.now() + LONGEST_MS <= until && (await passes(name))) {
      failed.splice(failed.indexOf(name), 1);
      console.error(`${name}: failed once, and passed when it was run again`);
    }
  }
} finally {
  await world.portal?.end("SIGTERM");
  cluster.kubectl("delete", "namespace", cluster.namespace, "--ignore-not-found");
}
if (late.length > 0) console.log(`Not run, since the time is over: ${late.join(", ")}`);
console.log(`${names.length - late.length - failed.length} of ${names.length} scenarios passed in ${seconds(begun)} s`);
if (failed.length > 0) {
  console.error(`The portal's log: ${world.portal?.dataDir}/portal.log`);
  process.exitCode = 1;
}
