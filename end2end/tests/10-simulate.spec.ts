import type { Page } from "@playwright/test";

import { administrator, portal } from "../support/portal";
import { expect, hydrated, signIn, test } from "../support/test";
import { details, goOn, load, onStep } from "../support/wizard";

/** Where pictures of the walk are put, if anywhere. */
const pictures = process.env.DYNO_PICTURES;

/** The first figure of what-if: TTFT. */
const ttft = (page: Page) => page.locator("#what-if-result .headline-value").first();

/** Sliders by keyboard: figures and address follow, and the address says the same to somebody else, with scripts and without. */
async function whatIf(page: Page) {
  const before = await ttft(page).textContent();
  // How long each answer takes from the change to what is drawn, in the page's own time.
  await page.evaluate(() => {
    const times: number[] = [];
    (window as unknown as { redraws: number[] }).redraws = times;
    let asked: number | undefined;
    addEventListener("input", () => (asked ??= performance.now()), true);
    new MutationObserver(() => {
      if (asked !== undefined) times.push(performance.now() - asked);
      asked = undefined;
    }).observe(document.getElementById("what-if-result")!, { childList: true, subtree: true, characterData: true, attributes: true });
  });
  const slider = page.getByRole("slider", { name: "Requests in flight" });
  await slider.focus();
  await expect(slider).toHaveAttribute("aria-valuetext", "16 requests");
  // The first question has the worker load its module; what is timed comes after it.
  await page.keyboard.press("ArrowRight");
  await expect(page.locator("#what-if-result")).toContainText("24 requests in flight");
  await page.evaluate(() => ((window as unknown as { redraws: number[] }).redraws.length = 0));
  for (const requests of [32, 48, 64, 96, 128]) {
    await page.keyboard.press("ArrowRight");
    await expect(page.locator("#what-if-result")).toContainText(`${requests} requests in flight`);
  }
  const redraws = await page.evaluate(() => (window as unknown as { redraws: number[] }).redraws);
  test.info().annotations.push({ type: "redraws, ms", description: redraws.map((ms) => ms.toFixed(0)).join(" ") });
  console.log(`what-if, ms from input to redraw: ${redraws.map((ms) => ms.toFixed(1)).join(" ")}`);
  await expect(ttft(page)).not.toHaveText(before ?? "");
  await expect(slider).toHaveAttribute("aria-valuetext", "128 requests");
  await expect(page.getByRole("spinbutton", { name: "Requests in flight" })).toHaveValue("128");
  await expect(page).toHaveURL(/concurrency=128&input=512&output=128&devices=\d+&tensor_parallel=\d#what-if$/);
  await page.getByRole("spinbutton", { name: "Input length" }).fill("2000");
  await expect(page.locator("#what-if-result")).toContainText("2,000 tokens in and 128 out");
  await page.getByRole("radio", { name: "1", exact: true }).check();
  await expect(page.locator("#what-if-result")).toContainText(/The model does not fit.*are missing on each device/);
  await page.getByRole("radio", { name: "8", exact: true }).check();
  await expect(page.locator("#what-if-result")).toContainText("1 replica, on 8 devices");
  await expect(page.locator("#what-if-result svg.chart-wide")).toHaveCount(3);
  const after = await ttft(page).textContent();
  await page.reload();
  await hydrated(page);
  await expect(ttft(page)).toHaveText(after ?? "");
  await expect(page.getByRole("slider", { name: "Requests in flight" })).toHaveAttribute("aria-valuetext", "128 requests");
}

test("a model is simulated on a node of the catalogue, in a layout that was taken from the list", async ({ page }) => {
  const { url } = portal();
  const picture = async (name: string) => {
    if (pictures === undefined) return;
    for (const scheme of ["light", "dark"] as const) {
      for (const width of [1440, 390]) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.setViewportSize({ width, height: 1000 });
        await page.screenshot({ path: `${pictures}/${name}-${width}-${scheme}.png`, fullPage: true });
      }
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 1440, height: 1000 });
  };
  await signIn(page);
  const added = await page.request.post(`${url}/api/v1/models`, {
    data: { name: "Llama 3.1 70B", source: "hub", repository: "meta-llama/Llama-3.1-70B-Instruct", revision: "main" },
    headers: { origin: url },
  });
  expect(added.status()).toBe(201);

  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "before buying", concurrency: "16" });
  await onStep(page, "Load");
  await load(page, { input: "512", output: "128", requests: "200" });
  await goOn(page);
  // With one real cluster the step is passed over; its Change leads back.
  await onStep(page, /^(Cluster|Nodes|Model)$/);
  const workflow = new URL(page.url()).pathname.split("/")[2];
  await page.goto(`${url}/wizard/${workflow}/cluster`);
  await onStep(page, "Cluster");
  await page.getByRole("radio", { name: /catalogue/ }).check();
  await picture("1-cluster");
  await goOn(page);
  await onStep(page, "Nodes");
  // So many nodes fold under their devices.
  await expect(page.getByRole("checkbox", { name: "h100-sxm-80gb-x8" })).toBeHidden();
  await page.getByText(/^H100-SXM-80GB \(\d\)$/).click();
  await page.getByRole("checkbox", { name: "h100-sxm-80gb-x8" }).check();
  await picture("2-nodes");
  await goOn(page);
  await onStep(page, "Model");
  await page.getByRole("radio", { name: /Llama 3\.1 70B/ }).check();
  await page.getByRole("radio", { name: /^vLLM/ }).check();
  await picture("3-model");
  await goOn(page);
  await onStep(page, /Confirm/);
  await page.goto(`${url}/wizard/${workflow}/model`);
  await onStep(page, "Model");
  await picture("4-layouts");
  await expect(page.getByText("Chosen", { exact: true })).toHaveCount(0);
  await page.getByRole("button", { name: /^Use/ }).first().click();
  await onStep(page, /Confirm/);
  await page.goto(`${url}/wizard/${workflow}/model`);
  await onStep(page, "Model");
  await expect(page.getByText("Chosen", { exact: true })).toHaveCount(1);
  await page.goto(`${url}/wizard/${workflow}/confirm`);
  await onStep(page, /Confirm/);
  await picture("5-confirm");
  await goOn(page, "Confirm and continue");
  await onStep(page, "Simulate or run");
  await expect(page.getByRole("button", { name: "Run on cluster" })).toHaveCount(0);
  await picture("6-simulate");
  await page.getByRole("button", { name: "Simulate" }).click();
  await page.waitForURL(/\/runs\/[0-9a-f-]+$/);
  await hydrated(page);
  await expect(page.getByRole("link", { name: "View report" })).toBeVisible();
  await picture("7-run");
  await page.getByRole("link", { name: "View report" }).click();
  await page.waitForURL(/\/report$/);
  await expect(page.getByRole("heading", { level: 1 })).toContainText(/^Simulated:/);
  await hydrated(page);
  await picture("8-report");
  await whatIf(page);
  await picture("8-what-if");
  await page.goto(`${url}/`);
  await expect(page.getByRole("row", { name: /before buying/ })).toContainText("Simulated");
  await picture("9-history");
});

test("what-if is a form where there are no scripts", async ({ browser }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  const { url } = portal();
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password").fill(administrator.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("row", { name: /before buying/ }).getByRole("link", { name: "before buying" }).click();
  await page.goto(`${page.url().replace(/\/report$/, "")}/report`);
  await expect(page.getByRole("slider")).toHaveCount(0);
  await page.getByRole("spinbutton", { name: "Requests in flight" }).fill("40");
  await page.getByRole("button", { name: "Simulate", exact: true }).click();
  await expect(page).toHaveURL(/concurrency=40&/);
  await expect(page.locator("#what-if-result")).toContainText("40 requests in flight");
  await context.close();
});
