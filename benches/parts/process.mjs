// Runs a program on one core, or on any, and watches what it and its child processes cost.
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

/** `core`: null for any. */
export function start(core, command, args, options = {}) {
  const line = canPin && core !== null ? ["taskset", "-c", String(core), command, ...args] : [command, ...args];
  return spawn(line[0], line.slice(1), { stdio: ["ignore", "pipe", "pipe"], ...options });
}

export const ended = (child) =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => child.once("exit", resolve));

/** The process and its child processes. */
function family(pid) {
  try {
    return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)];
  } catch {
    return []; // it has ended
  }
}

/** Samples a process's and its children's CPU seconds over time, so that its share in any stretch can be told. */
export function watchCpu(pid) {
  const samples = [];
  const look = () => {
    try {
      const ticks = family(pid).map(statFields).reduce((sum, fields) => sum + Number(fields[11]) + Number(fields[12]), 0);
      if (ticks > 0) samples.push([nowNs(), ticks / TICKS_PER_S]);
    } catch {
      // one has ended
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

/** Runs to the end: output, CPU seconds (user and system, all of its threads, start included), largest resident set, with that of its children. */
export async function run(core, command, args, { limitS = 180, env = {} } = {}) {
  const before = cpuOfEndedChildren();
  const child = start(core, command, args, { env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (output = (output + piece).slice(-20_000)));
  let peakKib = 0;
  const look = () => {
    try {
      const kib = family(child.pid).map((pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
      peakKib = Math.max(peakKib, kib.reduce((sum, one) => sum + one, 0));
    } catch {
      // one has ended
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
