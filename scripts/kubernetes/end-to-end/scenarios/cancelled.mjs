// Runs that a person cancels before their load: in each stage they end at once, and nothing of them stays.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as cluster from "../cluster.mjs";
import { HubStandIn } from "../hub.mjs";
import { LocalPortal, stage } from "../portal.mjs";
import { ENGINE_IMAGE, RUN_S, addCluster, nothingIsLeft, reference, world } from "../world.mjs";

/** `at`: the stage that it was in. */
async function cancels(portal, id, at) {
  await portal.call("POST", `/runs/${id}/cancel`);
  const run = await portal.ended(id, 90);
  assert.equal(run.status, "cancelled", run.reason);
  assert.match(run.reason, /^Cancelled before any/);
  assert.equal(stage(run, at).status, "cancelled", JSON.stringify(run.stages));
  assert.equal(stage(run, "clean_up").status, "succeeded", JSON.stringify(run.stages));
  assert.deepEqual(await portal.records(id), []);
}

const isRunning = (at) => (run) => stage(run, at).status === "running";

export const scenarios = {
  async "cancelled during the transfer"() {
    const folder = join(cluster.folder, "cancelled-cache");
    const file = readFileSync(join(cluster.models, "smollm2-135m.gguf"));
    const hub = await HubStandIn.open("org/smollm2", "smollm2-135m.gguf", file);
    hub.speed = 512 << 10;
    const portal = await LocalPortal.open({ HF_ENDPOINT: hub.url });
    try {
      const own = await addCluster("cancelled", { cache: { host_path: folder } }, portal);
      const { id: model } = await portal.call("POST", "/models", { name: "hub", source: "hub", repository: hub.repository, revision: "main" });
      const id = await portal.trigger(reference("cancelled", { cluster: own, model, hostnames: ["node-1"] }));
      const at = "transfer_model_to_cluster";
      await portal.until(id, "fetching", (run) => /smollm2-135m\.gguf: .* of /.test(stage(run, at).message ?? ""), RUN_S);
      await cancels(portal, id, at);
      await nothingIsLeft();
    } finally {
      await portal.end("SIGTERM");
      hub.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },

  /** There is no registry, so that the image is asked for again and again. */
  async "cancelled while an image is pulled"() {
    const id = await world.portal.trigger(reference("cancelled", { engine: { engine_image: "dyno.test/nothing:1" } }));
    const isPulling = (event) => event.event === "log" && /pulled/.test(event.data.line);
    const told = await world.portal.events(id, isPulling, RUN_S);
    assert.ok(isPulling(told.at(-1)), JSON.stringify(told.at(-1)));
    await cancels(world.portal, id, "deploy_to_engine");
  },

  async "cancelled while an engine starts"() {
    const engine_args = ["/usr/bin/python3", "-c", "import time; time.sleep(600)", "{host}:{port}", "{alias}"];
    const id = await world.portal.trigger(reference("cancelled", { engine: { engine_image: ENGINE_IMAGE, engine_args } }));
    await world.portal.until(id, "verifying", isRunning("verify_deployment_status"), RUN_S);
    await cancels(world.portal, id, "verify_deployment_status");
  },

  /** Which takes seconds, before the first request. */
  async "cancelled while the client is checked"() {
    const id = await world.portal.trigger(reference("cancelled", { load: { duration_s: 60 } }));
    await world.portal.until(id, "at the load", isRunning("run_performance_benchmark"), RUN_S);
    await cancels(world.portal, id, "run_performance_benchmark");
  },
};
