import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Page, expect } from "@playwright/test";
import { portal, program } from "./portal";

/** The smallest GGUF file that says something: an architecture, its layers, and one tensor. */
function tinyGguf(): Buffer {
  const parts: Buffer[] = [Buffer.from("GGUF")];
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    parts.push(bytes);
  };
  const u64 = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    parts.push(bytes);
  };
  const text = (value: string) => {
    u64(value.length);
    parts.push(Buffer.from(value));
  };
  u32(3);
  u64(1);
  u64(2);
  text("general.architecture");
  u32(8);
  text("llama");
  text("llama.block_count");
  u32(4);
  u32(7);
  text("token_embd.weight");
  u32(2);
  u64(8);
  u64(4);
  u32(0);
  u64(0);
  const head = Buffer.concat(parts);
  return Buffer.concat([head, Buffer.alloc(Math.ceil(head.length / 32) * 32 - head.length + 128)]);
}

/** What an own command has to be to start Dyno's reference engine; about 100 ms for a request of 16 tokens. */
export const referenceEngine = [program, "engine", "--listen", "{host}:{port}", "--model", "{alias}", "--ttft-ms", "20", "--itl-ms", "5"];

/** A model for the reference engine; added at the first call. */
export async function tinyModel(page: Page): Promise<string> {
  const { url, dataDir } = portal();
  const known = await (await page.request.get(`${url}/api/v1/models?search=tiny-reference`)).json();
  if (known.items.length > 0) return known.items[0].id;
  const file = join(dataDir, "tiny.gguf");
  if (!existsSync(file)) writeFileSync(file, tinyGguf());
  const data = { name: "tiny-reference", source: "file", path: file, location: "portal" };
  const answer = await page.request.post(`${url}/api/v1/models`, { data });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).id;
}

/** Starts a run on the reference engine, four requests in flight; its id. */
export async function startRun(page: Page, name: string, requests: number): Promise<string> {
  const { url } = portal();
  const model = await tinyModel(page);
  const cluster = (await (await page.request.get(`${url}/api/v1/clusters`)).json()).items[0].id;
  const { nodes } = await (await page.request.get(`${url}/api/v1/clusters/${cluster}/node-metrics`)).json();
  const step = async (data: Record<string, unknown>) => {
    const answer = await page.request.post(`${url}/api/v1/benchmarks/run-workflow`, { data });
    expect(answer.status(), await answer.text()).toBe(200);
    return answer.json();
  };
  const details = { name, tags: [], description: "", concurrent_requests: 4, eval_with: "configuration" };
  const { workflow_id } = await step({ workflow_total_steps: 9, step_number: 1, ...details });
  const later = [
    { step_number: 2, max_input_tokens: 32, max_output_tokens: 16, num_requests: requests },
    { step_number: 3, cluster_id: cluster },
    { step_number: 4, nodes: [{ hostname: nodes[0].hostname }] },
    { step_number: 5, model_id: model, engine: "custom", engine_args: referenceEngine },
    { step_number: 7, user_confirmation: true },
    { step_number: 8, run_as_simulation: false, trigger_workflow: true },
  ];
  let answer = { run_id: "" };
  for (const body of later) answer = await step({ workflow_id, ...body });
  return answer.run_id;
}

/** Waits until the run has ended, whatever any page shows. */
export async function ended(page: Page, run: string): Promise<{ status: string; reason: string | null }> {
  const { url } = portal();
  let found = { status: "", reason: null as string | null };
  await expect(async () => {
    found = await (await page.request.get(`${url}/api/v1/runs/${run}`)).json();
    expect(["queued", "running", "cancelling"]).not.toContain(found.status);
  }).toPass({ timeout: 120_000 });
  return found;
}
