// Load-generating clients against the reference engine, whose true times are logged; the engine on one core, the client on
// the other. Prints a table for each shape. Machines differ, and a busy one more: compare within one table.
//
//   node benches/clients.mjs [--dyno PATH] [--runs N] [--json FILE] [SHAPE ...]
//
// VLLM_RS names vLLM's Rust client (`pip install --no-deps vllm`, then vllm/vllm-rs in it); else it is taken from PATH, or
// left out.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { dyno, vllm } from "./parts/clients.mjs";
import { figures } from "./parts/figures.mjs";
import { ended, run, start, watchCpu } from "./parts/process.mjs";
import { shapes } from "./parts/shapes.mjs";
import { table, tlsCost } from "./parts/table.mjs";
import { readTruth } from "./parts/truth.mjs";

const [ENGINE_CORE, CLIENT_CORE] = [0, 1];

const { values: options, positionals } = parseArgs({
  options: { dyno: { type: "string", default: "target/release/dyno" }, engine: { type: "string" }, runs: { type: "string", default: "1" }, json: { type: "string" } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !(name in shapes));
if (unknown.length) throw new Error(`no shape ${unknown.join(", ")}; there are ${Object.keys(shapes).join(", ")}`);

function vllmProgram() {
  const named = process.env.VLLM_RS ?? spawnSync("sh", ["-c", "command -v vllm-rs"]).stdout.toString().trim();
  return named && existsSync(named) ? named : null;
}

async function measure(client, shape) {
  const folder = mkdtempSync(join(tmpdir(), "dyno-bench-"));
  const authority = join(folder, "authority.pem");
  const [engineCore, clientCore] = shape.workers ? [null, null] : [ENGINE_CORE, CLIENT_CORE];
  const engines = Array.from({ length: shape.workers ?? 1 }, (_, number) => {
    const truthFile = join(folder, `truth-${number}.ndjson`);
    const args = ["engine", "--listen", "127.0.0.1:0", "--model", "m", "--ttft-ms", shape.ttft, "--itl-ms", shape.itl, "--truth", truthFile,
      "--events-per-write", shape.eventsPerWrite ?? 1];
    if (shape.tls) args.push("--tls", "--tls-authority", authority);
    return { truthFile, child: start(engineCore, options.engine ?? options.dyno, args.map(String)) };
  });
  try {
    const urls = await Promise.all(engines.map(({ child }) => new Promise((resolve, reject) => {
      child.stdout.on("data", (piece) => resolve(/https?:\/\/[\d.:]+/.exec(String(piece))[0]));
      child.stderr.on("data", (piece) => reject(new Error(String(piece))));
      child.once("exit", () => reject(new Error("an engine has ended")));
    })));
    const enginesCpu = engines.map(({ child }) => watchCpu(child.pid));
    const { program, args: line, env } = client.command(shape, urls, folder);
    const ran = await run(clientCore, program, line, {
      env: { ...env, ...(shape.tls && { SSL_CERT_FILE: authority }) },
    });
    for (const cpu of enginesCpu) cpu.stop();
    for (const { child } of engines) child.kill("SIGTERM");
    await Promise.all(engines.map(({ child }) => ended(child)));
    const truth = readTruth(engines.map(({ truthFile }) => truthFile));
    const found = figures(client.read(folder, truth), truth);
    if (found.joined < shape.requests) console.error(`${client.name}: ${found.joined} of ${shape.requests} requests\n${ran.output}`);
    return {
      ...found,
      client: client.name,
      peak: truth.peak,
      tokensPerS: (truth.tokens * 1e9) / (truth.end - truth.begin),
      cpuPerMillion: (ran.cpuS * 1e6) / truth.tokens,
      loadCpuPerMillion: (ran.cpu.share(truth.begin, truth.end) * (truth.end - truth.begin)) / 1e3 / truth.tokens,
      peakMb: ran.peakMb,
      engineShare: enginesCpu.reduce((sum, cpu) => sum + cpu.share(truth.begin, truth.end), 0),
      clientShare: ran.cpu.share(truth.begin, truth.end),
    };
  } finally {
    for (const { child } of engines) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

const program = vllmProgram();
const clients = [dyno(options.dyno), ...(program ? [vllm(program)] : [])];
if (!program) console.log("vLLM's client is not there: Dyno alone (see VLLM_RS).\n");
const all = {};
for (const name of positionals.length ? positionals : Object.keys(shapes)) {
  const shape = shapes[name];
  all[name] = [];
  for (let number = 0; number < Number(options.runs); number++) {
    // vLLM's client is one process
    for (const client of shape.workers ? clients.slice(0, 1) : clients) all[name].push(await measure(client, shape));
  }
  console.log(table(shape, all[name]));
}
if (all[1000] && all.tls) console.log(`TLS / plain at 1,000 streams:${tlsCost(all[1000], all.tls)}`);
if (options.json) writeFileSync(options.json, JSON.stringify(all, null, 1));
