// A portal of the build under test, and its HTTP API.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(import.meta.dirname, "../../..");
export const program = process.env.DYNO_PROGRAM ?? join(root, "target/release/dyno");
const site = process.env.DYNO_SITE ?? join(root, "target/site");
export const token = "end-to-end-administrator";
/** The product's image on the nodes. */
export const image = process.env.DYNO_IMAGE ?? "dyno.test/dyno:1";
/** How long the portal may take to answer after its start. */
const START_MS = 30_000;
/** What ends a run: nothing follows it. */
const ENDED = ["succeeded", "partial", "failed", "cancelled", "interrupted"];

export const freePort = () =>
  new Promise((done, failed) => {
    const server = createServer();
    server.on("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** What a portal's API is asked, wherever it runs. */
export class Portal {
  constructor(port) {
    this.port = port;
  }

  async answers() {
    for (const until = Date.now() + START_MS; Date.now() < until; await sleep(100)) {
      if (await fetch(`http://127.0.0.1:${this.port}/readyz`).then((answer) => answer.ok, () => false)) return true;
    }
    return false;
  }

  async ask(method, path, body, signal) {
    return fetch(`http://127.0.0.1:${this.port}/api/v1${path}`, {
      method,
      signal,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
  }

  async call(method, path, body) {
    const answer = await this.ask(method, path, body);
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** A workflow up to its confirmation; answers its id. A cloud model has a credential and no engine. */
  async prepare({ name, cluster, hostnames, model, concurrency, eval_with = "configuration", load, load_from, engine, credential }) {
    const details = { name, tags: [], description: "", concurrent_requests: concurrency, eval_with };
    const step = (number, fields) =>
      this.call("POST", "/benchmarks/run-workflow", { ...details, ...fields, step_number: number });
    const { workflow_id } = await step(1, { workflow_total_steps: 8 });
    const lengths = eval_with === "configuration" && { max_input_tokens: 64 };
    await step(2, { workflow_id, ...lengths, max_output_tokens: 16, warmup_requests: 2, ...load });
    await step(3, { workflow_id, cluster_id: cluster });
    await step(4, { workflow_id, nodes: hostnames.map((hostname) => ({ hostname })), ...load_from });
    if (credential) {
      await step(5, { workflow_id, model_id: model });
      await step(6, { workflow_id, credential_id: credential });
    } else {
      await step(5, { workflow_id, model_id: model, engine: "llama.cpp", ...engine });
    }
    await step(7, { workflow_id, user_confirmation: true });
    return workflow_id;
  }

  execute(workflow_id) {
    return this.ask("POST", "/benchmarks/run-workflow", {
      workflow_id,
      step_number: 8,
      run_as_simulation: false,
      trigger_workflow: true,
    });
  }

  /** A run of it; answers the run's id. */
  async trigger(wanted) {
    const answer = await this.execute(await this.prepare(wanted));
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body.run_id ?? body.workflow_steps.run_id;
  }

  run(id) {
    return this.call("GET", `/runs/${id}`);
  }

  /** The run once `is` holds of it; an end before that is an error. */
  async until(id, what, is, seconds) {
    let run;
    for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(300)) {
      run = await this.run(id);
      if (is(run)) return run;
      assert.ok(!ENDED.includes(run.status), `the run ended before ${what}: ${run.status}, ${run.reason}`);
    }
    throw new Error(`not ${what} within ${seconds} s: ${JSON.stringify(run)}`);
  }

  /** The run once it has ended. */
  ended(id, seconds) {
    return this.until(id, "its end", (run) => ENDED.includes(run.status), seconds);
  }

  /** The run once its load has measured something. */
  async underLoad(id, seconds) {
    await this.until(id, "under load", (run) => stage(run, "run_performance_benchmark").status === "running", seconds);
    const found = await this.events(id, (event) => event.event === "progress" && event.data.completed > 0, seconds);
    assert.ok(found.length > 0, "no progress was told");
  }

  /** The run's events from the first on, up to the one that `is` holds of, or `end`. */
  async events(id, is, seconds) {
    const answer = await this.ask("GET", `/runs/${id}/events`, undefined, AbortSignal.timeout(seconds * 1000));
    const events = [];
    let rest = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 1).trim()]));
        if (fields.event === undefined) continue;
        const event = { id: Number(fields.id), event: fields.event, data: JSON.parse(fields.data) };
        events.push(event);
        if (event.event === "end" || is(event)) return events;
      }
    }
    return events;
  }

  /** A dataset of these prompts; answers its id. */
  async addDataset(name, prompts) {
    const body = new FormData();
    body.set("name", name);
    body.set("file", new Blob([prompts.join("\n")]), `${name}.txt`);
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${this.port}/api/v1/datasets`, { method: "POST", headers, body });
    assert.equal(answer.status, 201, await answer.clone().text());
    return (await answer.json()).id;
  }

  /** The records of a run's requests, all of them. */
  async records(id) {
    const answer = await this.ask("GET", `/runs/${id}/requests?format=ndjson`);
    assert.equal(answer.status, 200);
    const text = await answer.text();
    return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }
}

/** A portal on this machine, outside of the cluster. */
export class LocalPortal extends Portal {
  #child;

  /** `environment`: further variables of the portal's. */
  static async open(environment = {}) {
    const portal = new LocalPortal(await freePort());
    portal.environment = environment;
    portal.dataDir = mkdtempSync(join(tmpdir(), "dyno-kubernetes-portal-"));
    await portal.start();
    return portal;
  }

  async start() {
    const log = join(this.dataDir, "portal.log");
    const out = openSync(log, "a");
    this.#child = spawn(program, ["serve"], {
      env: {
        ...process.env,
        LEPTOS_SITE_ADDR: `127.0.0.1:${this.port}`,
        LEPTOS_SITE_ROOT: site,
        DYNO_DATA_DIR: this.dataDir,
        DYNO_ADMIN_TOKEN: token,
        DYNO_IMAGE: image,
        ...this.environment,
      },
      stdio: ["ignore", out, out],
    });
    if (!(await this.answers())) throw new Error(`the portal did not start:\n${readFileSync(log, "utf8")}`);
  }

  /** Stops the process where it stands, or lets it go on. */
  signal(which) {
    this.#child.kill(which);
  }

  /** Ends the process that `start` started, and waits for it. */
  async end(signal) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((done) => this.#child.once("exit", done));
    this.#child.kill(signal);
    await ended;
  }
}

export const stage = (run, id) => run.stages.find((stage) => stage.id === id);
