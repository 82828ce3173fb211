// What the nodes did while the load ran. DCGM exporters are stood in for, since the cluster's GPUs are not real; kubelets and nodes are.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as standIn from "../stand-in.mjs";
import { NODES, RUN_S, wanted, world } from "../world.mjs";

export const scenarios = {
  async "telemetry beside the figures"() {
    const { portal } = world;
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
  },
};
