import { spawn, type ChildProcess } from "node:child_process";
import { freePort, program } from "./portal";

/** Starts `dyno engine`, the reference engine whose times are known; the caller kills the process. */
export async function startEngine(...more: string[]): Promise<{ url: string; process: ChildProcess }> {
  const port = await freePort();
  const child = spawn(
    program,
    ["engine", "--listen", `127.0.0.1:${port}`, "--model", "reference", "--ttft-ms", "20", "--itl-ms", "2", ...more],
    { stdio: "ignore" },
  );
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 100; tries++) {
    if (await fetch(`${url}/v1/models`).then((answer) => answer.ok, () => false)) return { url, process: child };
    await new Promise((resume) => setTimeout(resume, 100));
  }
  child.kill();
  throw new Error("the reference engine did not start");
}
