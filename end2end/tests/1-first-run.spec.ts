import { readFileSync } from "node:fs";
import { portal } from "../support/portal";
import { expect, hydrated, signIn, test } from "../support/test";
import { goOn, onStep } from "../support/wizard";

test("a new user goes from the one-time link to a report by Try it", async ({ page }) => {
  const { url } = portal();
  await signIn(page);
  await page.goto(`${url}/`);
  await hydrated(page);
  await expect(page.getByText("No runs yet.")).toBeVisible();

  await page.getByRole("link", { name: "Try it" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: "Try it" })).toBeVisible();
  await page.getByRole("button", { name: "Start" }).click();
  // Fetches the engine and the model from the package index, then leads into the wizard.
  await page.waitForURL(/\/wizard\/[0-9a-f-]+\/confirm/, { timeout: 180_000 });
  await onStep(page, /Confirm/);
  await expect(page.getByText(/\d+ requests, \d+ in flight/)).toBeVisible();
  await goOn(page, "Confirm and continue");

  await onStep(page, "Simulate or run");
  await expect(page.getByRole("button", { name: "Simulate" })).toBeVisible();
  await page.getByRole("button", { name: "Run on cluster" }).dblclick();

  await page.waitForURL(/\/runs\/[0-9a-f-]+$/);
  const run = new URL(page.url()).pathname.split("/")[2];
  await hydrated(page);
  await expect(page.getByText("Deploy to engine", { exact: true })).toBeVisible();
  const report = page.getByRole("link", { name: "View report" });
  await expect(report).toBeVisible({ timeout: 180_000 });
  await report.click();
  await page.waitForURL(/\/report$/);

  // The page shows what the API says, and the API what was measured.
  const answer = await page.request.get(`${url}/api/v1/runs/${run}/report`);
  expect(answer.status()).toBe(200);
  const measured = await answer.json();
  expect(measured.status).toBe("succeeded");
  expect(measured.summary.successful_requests).toBe(measured.summary.total_requests);
  expect(measured.summary.ttft_ms.n).toBe(measured.summary.total_requests);
  expect(measured.summary.ttft_ms.p50).toBeGreaterThan(0);
  const requests = await (await page.request.get(`${url}/api/v1/runs/${run}/requests?page_size=500`)).json();
  for (const record of requests.items.filter((record: { phase: string }) => record.phase === "measured")) {
    expect(record.input_tokens).toBe(record.requested_input_tokens);
    expect(record.output_tokens).toBe(record.requested_output_tokens);
    expect(record.e2el_ms - record.ttft_ms).toBeCloseTo(record.tpot_ms * (record.output_tokens - 1), 3);
  }
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("svg[role=img]").first()).toBeVisible();
  const csv = await (await page.request.get(`${url}/api/v1/runs/${run}/requests?format=csv`)).text();
  expect(csv.trim().split("\n").length).toBe(requests.total + 1);

  // One click too many starts nothing more.
  const runs = await (await page.request.get(`${url}/api/v1/runs`)).json();
  expect(runs.total).toBe(1);

  // Nothing is left running.
  const stages = await (await page.request.get(`${url}/api/v1/runs/${run}`)).json();
  expect(stages.stages.at(-1)).toMatchObject({ id: "clean_up", status: "succeeded" });
  expect(readFileSync(portal().log, "utf8")).not.toContain("panicked");
});
