import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");
/** What is tested: the release, unless told otherwise (a debug build, say). */
export const program = process.env.DYNO_PROGRAM ?? join(root, "target/release/dyno");
const site = process.env.DYNO_SITE ?? join(root, "target/site");

/** What the tests know of the portal under test; written by the global set-up, read by every worker. */
export type Portal = { url: string; link: string; dataDir: string; pid: number; log: string };

/** The administrator that the first test makes; the others sign in with it. */
export const administrator = { name: "ada", password: "correct horse battery" };

const stateFile = join(tmpdir(), `dyno-end2end-${process.env.DYNO_END2END_ID ?? "portal"}.json`);

export function portal(): Portal {
  return JSON.parse(readFileSync(stateFile, "utf8")) as Portal;
}

export function remember(state: Portal): void {
  writeFileSync(stateFile, JSON.stringify(state));
}

export async function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.on("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address && typeof address === "object" ? done(address.port) : failed(new Error("no port"))));
    });
  });
}

/** `kill -9`, as a crash would. */
export async function kill(): Promise<void> {
  await stop(portal().pid, "SIGKILL");
}

/** The killed portal again, on its data and its port. */
export async function startAgain(): Promise<void> {
  const was = portal();
  const again = await start({ dataDir: was.dataDir, port: Number(new URL(was.url).port) });
  remember({ ...was, pid: again.pid });
}

/** Starts `dyno serve`; the process outlives this one only until `stop`. */
export async function start(options: { dataDir?: string; port?: number } = {}): Promise<Portal> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "dyno-end2end-"));
  const port = options.port ?? (await freePort());
  const log = join(dataDir, "portal.log");
  const out = openSync(log, "a");
  const child: ChildProcess = spawn(program, ["serve"], {
    cwd: root,
    env: { ...process.env, LEPTOS_SITE_ADDR: `127.0.0.1:${port}`, DYNO_DATA_DIR: dataDir, LEPTOS_SITE_ROOT: site },
    stdio: ["ignore", out, out],
    detached: true,
  });
  child.unref();
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const up = await fetch(`${url}/healthz`).then((answer) => answer.ok, () => false);
    const links = [...readFileSync(log, "utf8").matchAll(/https?:\/\/\S+\/link\/\S+/g)];
    if (up) return { url, link: links.at(-1)?.[0] ?? "", dataDir, pid: child.pid ?? 0, log };
    await new Promise((resume) => setTimeout(resume, 100));
  }
  throw new Error(`the portal did not start:\n${readFileSync(log, "utf8")}`);
}

/** Ends the portal by its own process id and waits until it is gone. */
export async function stop(pid: number, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  const alive = () => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  if (!alive()) return;
  process.kill(pid, signal);
  for (let tries = 0; tries < 100 && alive(); tries++) await new Promise((resume) => setTimeout(resume, 100));
  if (alive()) process.kill(pid, "SIGKILL");
}
