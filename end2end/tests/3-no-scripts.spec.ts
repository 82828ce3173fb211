import { portal } from "../support/portal";
import { administrator } from "../support/portal";
import { expect, test } from "../support/test";

test.use({ javaScriptEnabled: false });

test("the wizard, a run and its report need no scripts", async ({ page }) => {
  const { url } = portal();
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password").fill(administrator.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.goto(`${url}/benchmarks/new`);
  await page.getByLabel("Name", { exact: true }).fill("");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByRole("alert")).toContainText("Enter a name.");
  await page.getByLabel("Name", { exact: true }).fill("Without scripts");
  await page.getByLabel("Concurrent requests").fill("2");
  await page.getByRole("radio", { name: "Dataset" }).check();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page).toHaveURL(/\/load/);
  await page.locator('input[name="dataset_ids[]"]').first().check();
  await page.getByLabel("Output tokens (optional)").fill("8");
  // A choice's own field shows with the choice.
  await expect(page.getByLabel("Number of requests")).toBeHidden();
  await expect(page.getByLabel("Loads", { exact: true })).toBeHidden();
  await page.getByRole("radio", { name: "Own number" }).check();
  await page.getByLabel("Number of requests").fill("6");
  await page.getByText("More options").click();
  await page.getByLabel("Warm-up requests").fill("0");
  await page.getByRole("button", { name: "Continue" }).last().click();
  // Cluster and nodes are passed over where there is nothing to choose.
  await page.waitForURL(/\/(cluster|nodes|model)/);
  while (!page.url().includes("/model")) {
    const before = page.url();
    await page.getByRole("button", { name: "Continue" }).click();
    await page.waitForURL((to) => to.href !== before);
  }
  await page.getByRole("radio", { name: /SmolLM2/ }).check();
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page).toHaveURL(/\/confirm/);
  await page.getByRole("button", { name: "Confirm and continue" }).click();
  await expect(page).toHaveURL(/\/execution/);
  await page.getByRole("button", { name: "Run on cluster" }).click();
  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]+$/);
  const live = page.url();
  await expect(async () => {
    await page.goto(live);
    await expect(page.getByRole("link", { name: "View report" })).toBeVisible({ timeout: 1000 });
  }).toPass({ timeout: 120_000 });
  await page.getByRole("link", { name: "View report" }).click();
  await expect(page.locator("svg[role=img]").first()).toBeVisible();
  await expect(page.getByRole("table").first()).toBeAttached();

  // A confirmation opens over the page by keyboard, moves nothing, and begins at what loses nothing.
  const heading = page.getByRole("heading", { level: 1 });
  const before = await heading.boundingBox();
  await page.getByRole("button", { name: "More actions" }).press("Enter");
  await page.getByRole("button", { name: "Delete run" }).press("Enter");
  const question = page.getByRole("alertdialog", { name: "Delete run Without scripts?" });
  await expect(question.getByRole("button", { name: "Go back" })).toBeFocused();
  expect(await heading.boundingBox()).toEqual(before);
  await page.keyboard.press("Escape");
  await expect(question).toBeHidden();
  await page.getByRole("button", { name: "Delete run" }).press("Enter");
  await question.getByRole("button", { name: "Delete run" }).press("Enter");
  await expect(page.getByText("Deleted: Without scripts.")).toBeVisible();
});
