import { portal } from "../support/portal";
import { expect, hydrated, signIn, test } from "../support/test";
import { details, goOn, load, onStep, throughPlace } from "../support/wizard";

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
  // All that is wrong is said at once, in the words of the page.
  await page.getByRole("radio", { name: "The largest load within my limits" }).check();
  await page.getByRole("radio", { name: "Own lengths" }).check();
  await page.getByRole("radio", { name: "Own number" }).check();
  await goOn(page);
  for (const message of [
    "Enter the least load of the search.",
    "Enter the largest load of the search.",
    "Enter at least one limit: TTFT, TPOT or E2E latency.",
    "Enter the input tokens.",
    "Enter the output tokens.",
    "Enter a number of requests.",
  ]) {
    await expect(page.getByRole("alert")).toContainText(message);
  }
  await page.getByRole("radio", { name: "How fast it is at one load" }).check();
  await load(page, { input: "9000", output: "16", requests: "4", warmup: "1" });
  await goOn(page);

  await throughPlace(page);
  // Steps that were passed over keep their pages.
  await page.goto(page.url().replace(/\/model.*/, "/cluster"));
  await onStep(page, "Cluster");
  await expect(page.getByText("Reachable")).toBeVisible();
  await page.goto(page.url().replace("/cluster", "/nodes"));
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
  await page.getByRole("radio", { name: "Own lengths" }).check();
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
  await page.getByRole("radio", { name: "Own number" }).check();
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
  await throughPlace(page);
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
  await load(page, { input: "40", output: "8", requests: "6" });
  await goOn(page);
  await throughPlace(page);
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

test("the question decides which fields there are, with the time where it is known", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "Which question", concurrency: "3" });
  await onStep(page, "Load");
  const flight = page.getByLabel("Requests in flight", { exact: true });
  await expect(flight).toHaveValue("3");
  for (const hidden of ["Loads", "From", "To", "Rate", "Input tokens", "Number of requests", "TTFT"]) {
    await expect(page.getByLabel(hidden, { exact: true })).toBeHidden();
  }
  await flight.fill("20");
  await expect(page.locator("#amount-quick")).toHaveText("200 requests");
  await page.getByRole("radio", { name: "Send at a rate" }).check();
  await page.getByLabel("Rate", { exact: true }).fill("10");
  await expect(page.locator("#amount-quick")).toHaveText("100 requests, about 10 seconds");
  await expect(page.locator("#amount-p99")).toHaveText("700 requests, about 70 seconds");
  await expect(page.getByLabel("Burstiness")).toBeHidden();
  await page.getByLabel("Gaps between requests").selectOption("gamma");
  await expect(page.getByLabel("Burstiness")).toBeVisible();
  await page.getByRole("radio", { name: "Keep requests in flight" }).check();
  await page.getByRole("radio", { name: "How it changes with load" }).check();
  await expect(flight).toBeHidden();
  await page.getByLabel("Loads", { exact: true }).fill("1, 2");
  await page.getByRole("radio", { name: "RAG" }).check();
  await goOn(page);
  await throughPlace(page);
  // Nothing contradicts the load.
  const draft = page.getByRole("complementary", { name: "Draft so far" });
  await expect(draft).toContainText("1 and 2 in flight");
  await expect(draft).toContainText("4,000");
  await expect(draft).not.toContainText("Requests in flight");
});

test("back from step 2 finds step 1 as it was saved", async ({ page }) => {
  const { url } = portal();
  const drafts = async () => (await (await page.request.get(`${url}/api/v1/workflows?search=Back+to`)).json()).total;
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "Back to the first step" });
  await onStep(page, "Load");
  await page.goBack();
  await onStep(page, "Details");
  await expect(page).toHaveURL(/\/wizard\/[0-9a-f-]+\/details$/);
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Back to the first step");
  await page.getByLabel("Name", { exact: true }).fill("Back to the first step, renamed");
  await goOn(page);
  await onStep(page, "Load");
  expect(await drafts()).toBe(1);
});

test("leaving a step by the menu warns", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await page.getByLabel("Name", { exact: true }).fill("Not yet saved");
  page.once("dialog", (dialog) => dialog.dismiss());
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Models" }).click();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Not yet saved");
});

test("the menu folds on a phone, and a long name makes no page wider than the window", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "W".repeat(50) });
  await onStep(page, "Load");
  await page.setViewportSize({ width: 320, height: 800 });
  const draft = page.url().replace(/\/load.*/, "");
  for (const path of [`${draft}/details`, `${draft}/load`, `${url}/drafts`, `${url}/`]) {
    await page.goto(path);
    await hydrated(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect.soft(wide, path).toBeLessThanOrEqual(0);
  }
  const models = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Models" });
  await expect(models).toBeHidden();
  await page.getByRole("button", { name: "Menu" }).click();
  await models.click();
  await expect(page).toHaveURL(/\/models$/);
});
