// Runs a program on one core and watches what it costs.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";

const TICKS_PER_S = 100;
const canPin = cpus().length >= 2 && spawnSync("taskset", ["--version"]).status === 0;

export const nowNs = () => Number(process.hrtime.bigint());

/** Fields of a /proc stat file after the name, which may hold spaces. */
const statFields = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");

/** CPU seconds of children that have ended. */
const cpuOfEndedChildren = () => {
  const fields = statFields("self");
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_S;
};

export function start(core, command, args, options = {}) {
  const line = canPin ? ["taskset", "-c", String(core), command, ...args] : [command, ...args];
  return spawn(line[0], line.slice(1), { stdio: ["ignore", "pipe", "pipe"], ...options });
}

export const ended = (child) =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once("exit", resolve));

/** Samples a process's CPU seconds over time, so that its share in any stretch can be told. */
export function watchCpu(pid) {
  const samples = [];
  const look = () => {
    try {
      const fields = statFields(pid);
      samples.push([nowNs(), (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S]);
    } catch {
      // it has ended
    }
  };
  look();
  const timer = setInterval(look, 50);
  return {
    stop: () => clearInterval(timer),
    /** CPU seconds per second between two monotonic times, ns. */
    share(from, to) {
      const inside = samples.filter(([at]) => at >= from && at <= to);
      if (inside.length < 2) return NaN;
      const [first, last] = [inside[0], inside.at(-1)];
      return ((last[1] - first[1]) * 1e9) / (last[0] - first[0]);
    },
  };
}

/** Runs to the end: output, CPU seconds (user and system, all of its threads, start included), largest resident set. */
export async function run(core, command, args, { limitS = 180, env = {} } = {}) {
  const before = cpuOfEndedChildren();
  const child = start(core, command, args, { env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (output = (output + piece).slice(-20_000)));
  let peakKib = 0;
  const look = () => {
    try {
      const kib = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"));
      peakKib = Math.max(peakKib, Number(kib?.[1] ?? 0));
    } catch {
      // it has ended
    }
  };
  const watching = setInterval(look, 25);
  const cpu = watchCpu(child.pid);
  const limit = setTimeout(() => child.kill("SIGKILL"), limitS * 1000);
  await ended(child);
  clearInterval(watching);
  clearTimeout(limit);
  cpu.stop();
  return { output, code: child.exitCode, cpuS: cpuOfEndedChildren() - before, peakMb: peakKib / 1000, cpu };
}
