import { portal } from "../support/portal";
import { expect, hydrated, signIn, test } from "../support/test";
import { details, goOn, onStep } from "../support/wizard";

test.beforeEach(async ({ page }) => signIn(page));

test("every step says what is wrong at the field, and keeps what was typed", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");

  await details(page, { name: "", concurrency: "0" });
  await expect(page.getByRole("alert")).toContainText("Enter a name.");
  await expect(page).toHaveTitle(/^Error:/);
  await expect(page.getByLabel("Concurrent requests")).toHaveValue("0");
  await expect(page.getByLabel("Name", { exact: true })).toHaveAttribute("aria-invalid", "true");

  await page.getByLabel("Name", { exact: true }).fill("x".repeat(63));
  await page.getByLabel("Concurrent requests").fill("2");
  await goOn(page);
  await expect(page.getByRole("alert")).toContainText("Name must be 50 characters or fewer; this has 63.");

  await page.getByLabel("Name", { exact: true }).fill("Errors at each step");
  await goOn(page);
  await onStep(page, "Load");
  await goOn(page);
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByLabel("Input tokens").fill("9000");
  await page.getByLabel("Output tokens").fill("16");
  await page.getByLabel("Number of requests").fill("4");
  await page.getByLabel("Warm-up requests").fill("1");
  await goOn(page);

  await onStep(page, "Cluster");
  await expect(page.getByText("Reachable")).toBeVisible();
  await goOn(page);
  await onStep(page, "Nodes");
  for (const box of await page.getByRole("checkbox").all()) await box.uncheck();
  await goOn(page);
  await expect(page.getByRole("alert")).toBeVisible();
  await page.getByRole("checkbox").first().check();
  await goOn(page);

  await onStep(page, "Model");
  await page.getByRole("radio", { name: /SmolLM2/ }).check();
  await goOn(page);
  // The context is known only now; the message names the field of the earlier step.
  await expect(page.getByRole("alert")).toContainText(/context is 8,192/);
});

test("a field is checked once it was left, then as it is typed; the load is worded meanwhile", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "Checked while typed", concurrency: "32" });
  await onStep(page, "Load");
  const output = page.getByLabel("Output tokens", { exact: true });
  await page.getByLabel("Input tokens", { exact: true }).fill("512");
  await output.click();
  await page.keyboard.type("0");
  await expect(page.locator("#f-max_output_tokens-error")).toHaveCount(0);
  await page.keyboard.press("Tab");
  const message = page.locator("#f-max_output_tokens-error");
  await expect(message).toContainText("Output tokens must be a whole number between 1 and 1,000,000.");
  await expect(output).toHaveAttribute("aria-invalid", "true");
  await expect(output).toHaveAttribute("aria-describedby", /f-max_output_tokens-error/);
  await output.click();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type("128");
  await expect(message).toHaveCount(0);
  await page.getByLabel("Number of requests").fill("700");
  await expect(page.locator("#load-sentence")).toContainText("700 requests, 32 in flight, 512 tokens in and 128 out");

  // Only what the choice needs is shown, and sent.
  await page.locator("summary", { hasText: "More options" }).click();
  await expect(page.getByLabel("Rate", { exact: true })).toBeHidden();
  await page.getByRole("radio", { name: "Send at a rate" }).check();
  await expect(page.getByLabel("Burstiness")).toBeHidden();
  await page.getByLabel("Gaps between requests").selectOption("gamma");
  await page.getByLabel("Rate", { exact: true }).fill("20");
  await page.getByLabel("Burstiness").fill("0.5");
  await expect(page.locator("#load-sentence")).toContainText("20 requests per second in bursts (burstiness 0.5)");
  await page.getByLabel("Gaps between requests").selectOption("constant");
  await expect(page.locator("#load-sentence")).toContainText("20 requests per second in even steps");
  await goOn(page);
  await onStep(page, "Cluster");
});

test("a draft goes on where it was, after a reload at each step", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "Reloaded at each step" });
  const again = async (title: string | RegExp) => {
    await onStep(page, title);
    await page.reload();
    await onStep(page, title);
  };
  await again("Load");
  await page.getByLabel("Input tokens").fill("40");
  await page.getByLabel("Output tokens").fill("8");
  await page.getByLabel("Number of requests").fill("6");
  await goOn(page);
  await again("Cluster");
  await goOn(page);
  await again("Nodes");
  await goOn(page);
  await again("Model");
  await page.getByRole("radio", { name: /SmolLM2/ }).check();
  await goOn(page);
  await again(/Confirm/);

  await page.goto(`${url}/drafts`);
  await hydrated(page);
  const draft = page.getByRole("link", { name: /Continue: Confirm/ }).first();
  await draft.click();
  await onStep(page, /Confirm/);
  await goOn(page, "Confirm and continue");
  await again("Simulate or run");

  // Back, a change, and what depended on it is gone, visibly.
  await page.goto(page.url().replace("/execution", "/load"));
  await onStep(page, "Load");
  await page.getByLabel("Output tokens").fill("9");
  await goOn(page);
  await expect(page.getByText(/cleared|dropped/i).first()).toBeVisible();
});

test("two tabs on one draft: the later save is told what changed", async ({ page, context }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "Two tabs" });
  await onStep(page, "Load");
  const address = page.url().replace("/load", "/details");
  await page.goto(address);
  await onStep(page, "Details");
  const other = await context.newPage();
  await other.goto(address);
  await onStep(other, "Details");
  await other.getByLabel("Name", { exact: true }).fill("From the second tab");
  await goOn(other);
  await onStep(other, "Load");
  await page.getByLabel("Name", { exact: true }).fill("From the first tab");
  await goOn(page);
  await expect(page.getByText("From the second tab").first()).toBeVisible();
  await expect(page.getByText(/changed/i).first()).toBeVisible();
});

test("by keyboard alone", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await page.keyboard.press("Tab");
  await expect(page.locator(":focus")).toHaveText(/skip/i);
  await page.getByLabel("Name", { exact: true }).focus();
  await page.keyboard.type("By keyboard");
  await page.keyboard.press("Enter");
  await onStep(page, "Load");
  await expect(page.locator("h1")).toBeFocused();
});

test("someone else's draft and one that never was answer alike", async ({ page }) => {
  const { url } = portal();
  const answer = await page.request.get(`${url}/wizard/00000000-0000-4000-8000-000000000000/load`);
  expect(answer.status()).toBe(404);
});
