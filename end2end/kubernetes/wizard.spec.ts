import { readFileSync } from "node:fs";
import { join } from "node:path";
import { administrator } from "../support/portal";
import { expect, hydrated, test } from "../support/test";
import { details, goOn, load, onStep } from "../support/wizard";

const set = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run scripts/kubernetes/test.sh`);
  return value;
};
const url = set("DYNO_PORTAL_URL");
const models = set("DYNO_CLUSTER_MODELS");
const screenshots = process.env.DYNO_SCREENSHOTS;

/** The page as a desk and a phone show it, where somebody wants to look at it. */
async function picture(page: import("@playwright/test").Page, name: string): Promise<void> {
  if (screenshots === undefined) return;
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 1000 });
    await page.screenshot({ path: join(screenshots, `${name}-${width}.png`), fullPage: true });
  }
  await page.setViewportSize({ width: 1440, height: 1000 });
}

/** No page of these is wider than a phone. */
async function fitsAPhone(page: import("@playwright/test").Page): Promise<void> {
  await page.setViewportSize({ width: 390, height: 1000 });
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(content, page.url()).toBeLessThanOrEqual(window);
  await page.setViewportSize({ width: 1440, height: 1000 });
}

test("from a pasted kubeconfig to the report of two nodes", async ({ page }) => {
  const link = [...readFileSync(set("DYNO_PORTAL_LOG"), "utf8").matchAll(/https?:\/\/[^/\s]+(\/link\/\S+)/g)].at(-1)?.[1];
  await page.goto(`${url}${link}`);
  await hydrated(page);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password", { exact: true }).fill(administrator.password);
  await page.getByLabel("Password again").fill(administrator.password);
  await page.getByRole("button", { name: "Set password and sign in" }).click();
  await page.waitForURL((to) => !to.pathname.startsWith("/link"));

  await page.goto(`${url}/clusters`);
  await hydrated(page);
  await page.getByRole("link", { name: "Add a Kubernetes cluster" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Add a Kubernetes cluster" })).toBeVisible();
  await hydrated(page);
  await page.getByLabel("Name", { exact: true }).fill("Two nodes");
  await page.getByLabel("Kubeconfig", { exact: true }).fill(readFileSync(set("DYNO_CLUSTER_KUBECONFIG"), "utf8"));
  await page.getByLabel("Namespace").fill(set("DYNO_CLUSTER_NAMESPACE"));
  await page.getByLabel("Folders with models on the nodes (optional)").fill(models);
  await picture(page, "cluster-form");
  await fitsAPhone(page);
  await page.getByRole("button", { name: "Add cluster" }).click();
  await page.waitForURL(/\/clusters\/[0-9a-f-]{36}/);
  await hydrated(page);
  await expect(page.getByText("node-1").first()).toBeVisible();
  await expect(page.getByText("node-2").first()).toBeVisible();
  await expect(page.getByText(/H100/).first()).toBeVisible();
  await picture(page, "cluster");
  await fitsAPhone(page);

  await page.goto(`${url}/models/new`);
  await hydrated(page);
  await page.getByLabel("Name", { exact: true }).fill("SmolLM2 on the nodes");
  await page.getByLabel("Path").fill(join(models, "smollm2-135m.gguf"));
  await page.getByRole("radio", { name: /node/i }).check();
  await page.getByRole("button", { name: "Add model" }).click();
  await page.waitForURL((to) => !to.pathname.startsWith("/models/new"));

  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "Wizard on two nodes", concurrency: "2" });
  await onStep(page, "Load");
  await load(page, { input: "64", output: "16", requests: "24", warmup: "2" });
  await goOn(page);
  await onStep(page, "Cluster");
  await page.getByRole("radio", { name: /Two nodes/ }).check();
  await picture(page, "wizard-cluster");
  await goOn(page);
  await onStep(page, "Nodes");
  for (const name of [/node-1/, /node-2/]) await page.getByRole("checkbox", { name }).first().check();
  await page.locator("summary", { hasText: "More" }).last().click();
  await page.getByLabel("Node that the load comes from").selectOption("node-2");
  await picture(page, "wizard-nodes");
  await fitsAPhone(page);
  await goOn(page);
  await onStep(page, "Model");
  await page.getByRole("radio", { name: /SmolLM2 on the nodes/ }).check();
  await page.locator("summary", { hasText: "More" }).last().click();
  await page.getByLabel("Container image (optional)").fill("dyno.test/llama-server:1");
  await page.getByLabel("Memory limit of each copy, MiB (optional)").fill("2048");
  await picture(page, "wizard-model");
  await fitsAPhone(page);
  await goOn(page);
  await onStep(page, /Confirm/);
  await expect(page.getByText("dyno.test/llama-server:1")).toBeVisible();
  await expect(page.getByText("2,048 MiB")).toBeVisible();
  await expect(page.getByText("Load from").first()).toBeVisible();
  await picture(page, "wizard-confirm");
  await fitsAPhone(page);
  await goOn(page, "Confirm and continue");
  await onStep(page, "Simulate or run");
  await page.getByRole("button", { name: "Run on cluster" }).click();

  await page.waitForURL(/\/runs\/[0-9a-f-]+$/);
  const run = new URL(page.url()).pathname.split("/")[2];
  await hydrated(page);
  await expect(page.getByText(/Node node-1: the engine/).first()).toBeAttached({ timeout: 180_000 });
  const completed = page.locator(".counters div", { hasText: "Completed" }).locator("dd");
  await expect(completed).toHaveText(/^[1-9]/, { timeout: 240_000 });
  await picture(page, "live");
  await fitsAPhone(page);
  await expect(page.getByRole("link", { name: "View report" })).toBeVisible({ timeout: 240_000 });
  for (const stage of ["Transfer model", "Deploy to engine", "Verify deployment", "Run performance benchmark", "Clean up"]) {
    await expect(page.locator(".stage-list li", { hasText: stage }).first()).toContainText(/Succeeded/i);
  }
  await picture(page, "ended");
  await page.getByRole("link", { name: "View report" }).click();
  await page.waitForURL(/\/report$/);
  await hydrated(page);
  const report = await (await page.request.get(`${url}/api/v1/runs/${run}/report`)).json();
  expect(report.summary.successful_requests).toBe(24);
  expect(report.provenance.load_pods.map((pod: { node: string }) => pod.node)).toEqual(["node-2"]);
  await expect(page.getByText("node-1").first()).toBeVisible();
  await expect(page.getByText(/Node node-[12] is .* slower than node node-[12]/).first()).toBeVisible();
  await picture(page, "report");
  await fitsAPhone(page);
});
