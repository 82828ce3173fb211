import { type Locator, type Page } from "@playwright/test";
import { portal } from "../support/portal";
import { referenceEngine, tinyModel } from "../support/reference";
import { expect, hydrated, signIn, test } from "../support/test";
import { details, goOn, load, onStep, throughPlace } from "../support/wizard";

test.beforeEach(async ({ page }) => signIn(page));

/** From the empty form to the model step, with whatever is preselected; the titles of the steps between load and model that
 * were shown. */
async function toModelStep(page: Page, name: string): Promise<string[]> {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name });
  await onStep(page, "Load");
  await load(page, { input: "32", output: "16", requests: "8" });
  await goOn(page);
  return throughPlace(page);
}

test("a credential is added in place, and its secret is never seen again", async ({ page }) => {
  const { url } = portal();
  const secret = "sk-added-in-place-0123456789";
  const data = { name: "cloud-in-place", source: "cloud", provider: "openai", model: "gpt-x" };
  expect((await page.request.post(`${url}/api/v1/models`, { data })).status()).toBe(201);
  await toModelStep(page, "With a new credential");
  await page.getByRole("radio", { name: "cloud-in-place" }).check();
  await page.getByRole("radio", { name: "Add a credential" }).check();
  await page.getByLabel("Name of the credential").fill("In place");
  // Refused first: what is not secret stays in its field, what is does not.
  await goOn(page);
  await expect(page.getByRole("alert")).toBeVisible();
  await expect(page.getByLabel("Name of the credential")).toHaveValue("In place");
  await expect(page.getByLabel("Secret")).toHaveValue("");
  await page.getByLabel("Secret").fill(secret);
  await goOn(page);
  await onStep(page, /Confirm/);
  await expect(page.locator("body")).toContainText("In place");
  expect(await page.content()).not.toContain(secret);
  const stored = await (await page.request.get(`${url}/api/v1/credentials?search=In+place`)).text();
  expect(JSON.parse(stored).total).toBe(1);
  expect(stored).not.toContain(secret);
});

test("back and forward show each step as it was saved", async ({ page }) => {
  const between = await toModelStep(page, "Back and forward");
  for (const title of [...between.toReversed(), "Load"]) {
    await page.goBack();
    await onStep(page, title);
  }
  await expect(page.getByLabel("Input tokens")).toHaveValue("32");
  for (const title of [...between, "Model"]) {
    await page.goForward();
    await onStep(page, title);
  }
  // The way back of the page itself, with an edit: asked first, kept when the answer is no.
  await page.getByRole("link", { name: /^Back/ }).click();
  await onStep(page, "Nodes");
  await page.getByRole("link", { name: /^Back/ }).click();
  await onStep(page, "Cluster");
  await page.getByRole("link", { name: /^Back/ }).click();
  await onStep(page, "Load");
  await page.getByLabel("Output tokens").fill("17");
  page.once("dialog", (dialog) => dialog.dismiss());
  await page.getByRole("link", { name: /^Back/ }).click();
  await expect(page.getByLabel("Output tokens")).toHaveValue("17");
  page.once("dialog", (dialog) => dialog.accept());
  await page.getByRole("link", { name: /^Back/ }).click();
  await onStep(page, "Details");
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Back and forward");
});

/** Tab until an element has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  await expect(target).toBeVisible();
  for (let tries = 0; tries < 80; tries++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error("never reached by Tab");
}

async function retype(page: Page, target: Locator, text: string): Promise<void> {
  await tabTo(page, target);
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(text);
}

/** In a group of radio buttons the arrow keys choose. */
async function choose(page: Page, target: Locator): Promise<void> {
  const name = await target.getAttribute("name");
  const group = page.locator(`input[name="${name}"]`);
  const checked = page.locator(`input[name="${name}"]:checked`);
  await tabTo(page, (await checked.count()) > 0 ? checked : group.first());
  if ((await checked.count()) === 0) await page.keyboard.press("Space");
  for (let tries = 0; tries < 20 && !(await target.isChecked()); tries++) await page.keyboard.press("ArrowDown");
  await expect(target).toBeChecked();
}

test("the whole wizard by keyboard, to a report", async ({ page }) => {
  const { url } = portal();
  await tinyModel(page);
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await retype(page, page.getByLabel("Name", { exact: true }), "By keyboard to the end");
  await retype(page, page.getByLabel("Concurrent requests"), "2");
  await page.keyboard.press("Enter");

  await onStep(page, "Load");
  await expect(page.locator("h1")).toBeFocused();
  await choose(page, page.getByRole("radio", { name: "Own lengths" }));
  await retype(page, page.getByLabel("Input tokens"), "0");
  await page.keyboard.press("Enter");
  // The summary has the focus; its link leads to the field.
  const summary = page.locator("#error-summary");
  await expect(summary).toBeFocused();
  await tabTo(page, summary.getByRole("link").first());
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Input tokens")).toBeFocused();
  await retype(page, page.getByLabel("Input tokens"), "32");
  await retype(page, page.getByLabel("Output tokens"), "16");
  await choose(page, page.getByRole("radio", { name: "Own number" }));
  await retype(page, page.getByLabel("Number of requests"), "6");
  await page.keyboard.press("Enter");

  // By address: where there is nothing to choose, both are passed over.
  await expect(page).toHaveURL(/\/(cluster|nodes|model)/);
  await page.goto(page.url().replace(/\/(cluster|nodes|model).*/, "/cluster"));
  await onStep(page, "Cluster");
  await tabTo(page, page.getByRole("button", { name: "Continue" }));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/(nodes|model)/);
  await page.goto(page.url().replace(/\/(nodes|model).*/, "/nodes"));
  await onStep(page, "Nodes");
  await tabTo(page, page.getByRole("checkbox").first());
  await page.keyboard.press("Space");
  await page.keyboard.press("Space");
  await expect(page.getByRole("checkbox").first()).toBeChecked();
  await tabTo(page, page.getByRole("button", { name: "Continue" }));
  await page.keyboard.press("Enter");

  await onStep(page, "Model");
  await choose(page, page.getByRole("radio", { name: "tiny-reference" }));
  await choose(page, page.getByRole("radio", { name: /own command/i }));
  const more = page.locator("summary", { hasText: "More" });
  await tabTo(page, more);
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByLabel(/Engine arguments/));
  for (const [index, argument] of referenceEngine.entries()) {
    if (index > 0) await page.keyboard.press("Enter");
    await page.keyboard.type(argument);
  }
  await tabTo(page, page.getByRole("button", { name: "Continue" }));
  await page.keyboard.press("Enter");

  await onStep(page, /Confirm/);
  await tabTo(page, page.getByRole("button", { name: "Confirm and continue" }));
  await page.keyboard.press("Enter");
  await onStep(page, "Simulate or run");
  await tabTo(page, page.getByRole("button", { name: "Run on cluster" }));
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/[0-9a-f-]+$/);
  await hydrated(page);
  const report = page.getByRole("link", { name: "View report" });
  await expect(report).toBeVisible({ timeout: 120_000 });
  await tabTo(page, report);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/report$/);
  await expect(page.getByText("Report: By keyboard to the end")).toBeVisible();
});

test("two clicks on Continue begin one draft", async ({ page }) => {
  const { url } = portal();
  const drafts = async () => (await (await page.request.get(`${url}/api/v1/workflows?search=Clicked+twice`)).json()).total;
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await page.getByLabel("Name", { exact: true }).fill("Clicked twice");
  await page.getByRole("button", { name: "Continue" }).dblclick();
  await onStep(page, "Load");
  expect(await drafts()).toBe(1);
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await page.getByLabel("Name", { exact: true }).fill("Clicked twice");
  await goOn(page);
  await onStep(page, "Load");
  expect(await drafts(), "made by intent").toBe(2);
});

test("what only the server can refuse stays said until that field is changed", async ({ page }) => {
  await tinyModel(page);
  await toModelStep(page, "Refused by the server");
  await page.getByRole("radio", { name: "tiny-reference" }).check();
  await page.locator("summary", { hasText: "More" }).click();
  await page.getByLabel(/Engine arguments/).fill("--port\n9");
  await goOn(page);
  const message = page.locator("#f-engine_args-error");
  await expect(message).toBeVisible();
  await hydrated(page);
  await page.getByLabel(/Copies on each node/).fill("1");
  await page.getByLabel(/Copies on each node/).blur();
  await expect(message).toBeVisible();
  await page.getByLabel(/Engine arguments/).fill("");
  await expect(message).toHaveCount(0);
});
