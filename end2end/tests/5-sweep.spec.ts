import { portal } from "../support/portal";
import { startEngine } from "../support/engine";
import { expect, hydrated, signIn, test } from "../support/test";
import { details, goOn, load, onStep, throughPlace } from "../support/wizard";

let engine: Awaited<ReturnType<typeof startEngine>>;

test.beforeAll(async () => {
  engine = await startEngine("--slowdown", "0.05");
});
test.afterAll(() => {
  engine?.process.kill();
});
test.beforeEach(async ({ page }) => signIn(page));

test("a sweep with limits, from step 2's options to each load point's report", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/models/new?source=cloud`);
  await hydrated(page);
  await page.getByLabel("Name", { exact: true }).fill("Reference engine");
  await page.getByLabel("Provider").selectOption("openai_compatible");
  await page.getByLabel("Base URL").fill(engine.url);
  await page.getByLabel("Model name").fill("reference");
  await page.getByRole("button", { name: "Add model" }).click();
  await expect(page.getByText("The model was added.")).toBeVisible();

  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "A sweep with limits", concurrency: "4" });
  await onStep(page, "Load");
  const more = page.locator("details.more-options");
  await expect(more).not.toHaveAttribute("open");
  await page.getByRole("radio", { name: "How it changes with load" }).check();
  await load(page, { input: "32", output: "16", requests: "70" });
  await page.getByLabel("Loads", { exact: true }).fill("1, many");
  await page.getByLabel("Judge by latency limits").check();
  await page.getByLabel("TTFT", { exact: true }).fill("200");
  await page.getByLabel("Percentile").fill("90");
  await goOn(page);

  // Entries stay.
  await expect(page.getByRole("alert")).toContainText("whole number between 1 and 10,000");
  await expect(page.getByLabel("Loads", { exact: true })).toHaveValue("1, many");
  await expect(page.getByLabel("Loads", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("TTFT", { exact: true })).toHaveValue("200");
  await page.getByLabel("Loads", { exact: true }).fill("1, 2, 4");
  // The options open by themselves where one is in error.
  await more.getByText("More options").click();
  await page.getByLabel("Seed (optional)").fill("none");
  await goOn(page);
  await expect(page.getByRole("alert")).toContainText("Seed");
  await expect(more).toHaveAttribute("open", "");
  await page.getByLabel("Seed (optional)").fill("");
  await goOn(page);

  await throughPlace(page);
  await page.goto(page.url().replace(/\/model.*/, "/load"));
  await onStep(page, "Load");
  await expect(more).not.toHaveAttribute("open");
  await expect(page.getByLabel("Loads", { exact: true })).toHaveValue("1, 2, 4");
  await expect(page.getByText("70 requests at each load, 1, 2 and 4 in flight, 32 tokens in and 16 out, p90 TTFT up to 200 ms")).toBeVisible();
  await goOn(page);
  await throughPlace(page);
  await page.getByRole("radio", { name: /Reference engine/ }).check();
  await goOn(page);
  await onStep(page, /Confirm/);
  await expect(page.getByText(/about 6,9\d\d input tokens/)).toBeVisible();
  await goOn(page, "Confirm and continue");
  await onStep(page, "Simulate or run");
  await page.getByRole("button", { name: "Run on cluster" }).click();
  await page.waitForURL(/\/runs\/[0-9a-f-]+$/);
  // The table of load points grows: what each came to, which one goes on, what is to come.
  const loads = page.getByRole("table", { name: "Load points" });
  await expect(loads.getByRole("columnheader", { name: "TTFT p90 ≤ 200 ms" })).toBeVisible({ timeout: 120_000 });
  await expect(loads.getByRole("row")).toHaveCount(4);
  await expect(loads.getByRole("row", { name: /^1 in flight/ })).toContainText(/Yes, 70 requests|No, 70 requests/, { timeout: 120_000 });
  await expect(page.getByRole("link", { name: "View report" })).toBeVisible({ timeout: 120_000 });
  for (const load of ["1", "2", "4"]) {
    await expect(loads.getByRole("row", { name: new RegExp(`^${load} in flight`) })).toContainText(/70 requests.*\d+\.\d/);
  }
  await page.getByRole("link", { name: "View report" }).click();
  await page.waitForURL(/\/report$/);
  await hydrated(page);

  const run = new URL(page.url()).pathname.split("/")[2];
  const measured = await (await page.request.get(`${url}/api/v1/runs/${run}/report`)).json();
  expect(measured.load_points.map((point: { concurrency: number }) => point.concurrency)).toEqual([1, 2, 4]);
  expect(measured.load_points.every((point: { meets_slo?: boolean }) => point.meets_slo !== undefined)).toBe(true);

  // Figures of a client that this machine slowed down are shown on demand only; the walk goes on either way.
  if (!measured.valid) await page.goto(`${url}/runs/${run}/report?figures=shown`);
  for (const title of ["Throughput against speed of one user", "Throughput against load", "TTFT against load", "TPOT against load"]) {
    const chart = page.getByRole("figure", { name: title });
    await expect(chart.locator("svg[role=img]:visible")).toHaveCount(1);
    await chart.getByText("Figures as a table").click();
    await expect(chart.getByRole("row")).toHaveCount(4);
  }
  await expect(page.getByText("limit 200 ms").first()).toBeVisible();

  // Figures under a cursor, by keyboard and by pointer, in all panels that share the axis.
  const ttft = page.getByRole("figure", { name: "TTFT against load" });
  const throughput = page.getByRole("figure", { name: "Throughput against load" });
  await ttft.locator("svg[role=img]:visible").focus();
  await page.keyboard.press("End");
  await expect(ttft.getByRole("status")).toContainText(/in flight: 4/);
  await expect(throughput.locator(".chart-values")).toContainText(/in flight: 4/);
  await page.keyboard.press("ArrowLeft");
  await expect(ttft.getByRole("status")).toContainText(/in flight: 2/);
  await page.keyboard.press("Escape");
  await expect(page.locator(".chart-values, .chart-cursor")).toHaveCount(0);
  await ttft.locator("svg[role=img]:visible").hover();
  await expect(ttft.locator(".chart-values")).toContainText(/in flight: \d/);
  const download = page.waitForEvent("download");
  await ttft.getByRole("button", { name: "PNG of TTFT against load" }).click();
  expect((await download).suggestedFilename()).toBe("sweep-ttft.png");

  // A load point's own report.
  await page.getByRole("navigation", { name: "Load point" }).getByRole("link", { name: /^2 in flight/ }).click();
  await expect(page.getByRole("heading", { name: "Load point: 2 in flight" })).toBeVisible();
  await expect(page).toHaveURL(/point=1/);

  // A metric's meaning, by keyboard alone.
  const name = page.locator("#latency").getByRole("button", { name: /^TTFT, ms/ });
  await name.focus();
  await page.keyboard.press("Enter");
  const meaning = page.getByRole("note", { name: "Time to first token" });
  await expect(meaning).toBeVisible();
  await expect(meaning).toContainText("e_1 − t_send");
  await page.keyboard.press("Escape");
  await expect(meaning).toBeHidden();
  await expect(name).toBeFocused();

  // The command that repeats it.
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("button", { name: "Copy as command" }).click();
  await expect(page.getByText(/^dyno load --base-url .* --concurrency 1,2,4 --slo-ttft-ms 200 --slo-percentile 90/)).toBeVisible();
  const plan = await (await page.request.get(`${url}/api/v1/runs/${run}/plan`)).json();
  expect(plan.load_points).toHaveLength(3);

  // On a phone a request is one line, and its figures are behind it.
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${url}/runs/${run}/report#requests`);
  await hydrated(page);
  const requests = page.getByRole("list", { name: "Requests of the run" });
  await expect(requests.getByRole("listitem")).toHaveCount(25);
  const heights = await requests.locator("summary").evaluateAll((lines) => lines.map((line) => line.getBoundingClientRect().height));
  expect(Math.max(...heights)).toBeLessThan(50);
  const first = requests.getByRole("listitem").first();
  await expect(first.getByText("Output tokens")).toBeHidden();
  await first.locator("summary").click();
  await expect(first.getByText("Output tokens")).toBeVisible();
  await page.getByRole("button", { name: /^Sort: / }).click();
  await page.getByRole("link", { name: "Longest E2E first" }).click();
  await expect(page.getByRole("button", { name: "Sort: Longest E2E first" })).toBeVisible();
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wider).toBeLessThanOrEqual(0);
});
