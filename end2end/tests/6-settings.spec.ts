import { portal } from "../support/portal";
import { confirm, expect, hydrated, otherBrowser, signIn, test } from "../support/test";
import { details, onStep } from "../support/wizard";

test.beforeEach(async ({ page }) => signIn(page));

test("a token is shown once, copied, works, and is refused once deleted", async ({ page, context, playwright }) => {
  const { url } = portal();
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
  await page.goto(`${url}/settings`);
  await hydrated(page);
  await page.getByLabel("Name of a new token").fill("nightly");
  await page.getByRole("button", { name: "Make token" }).click();
  const shown = page.locator(".shown-once");
  await expect(shown.getByRole("heading", { name: "Token nightly" })).toBeVisible();
  await hydrated(page);
  const token = (await shown.locator("code").textContent()) ?? "";
  expect(token.length).toBeGreaterThan(40);
  await shown.getByRole("button", { name: "Copy" }).click();
  await expect(shown.getByRole("status")).toHaveText("Copied.");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(token);

  // A script knows nothing of the browser's cookies.
  const script = await playwright.request.newContext({ extraHTTPHeaders: { authorization: `Bearer ${token}` } });
  expect((await script.get(`${url}/api/v1/tokens`)).status()).toBe(200);
  await page.reload();
  await hydrated(page);
  await expect(page.locator(".shown-once")).toHaveCount(0);
  await expect(page.locator("body")).not.toContainText(token);

  const row = page.locator("tr", { hasText: "nightly" });
  await confirm(row, "Delete");
  await expect(page.getByText("The token was deleted. It no longer works.")).toBeVisible();
  await expect(row).toHaveCount(0);
  expect((await script.get(`${url}/api/v1/tokens`)).status()).toBe(401);
  await script.dispose();
});

test("a second person comes in by a link, sees nothing of the first, and can be put out again", async ({ page, browser }) => {
  const { url } = portal();
  const secret = "sk-nobody-else-sees-this";
  const key = { name: "Key of the first", provider: "openai", secret };
  expect((await page.request.post(`${url}/api/v1/credentials`, { data: key })).status()).toBe(201);
  await page.goto(`${url}/benchmarks/new`);
  await onStep(page, "Details");
  await details(page, { name: "Draft of the first" });
  await onStep(page, "Load");
  const draft = page.url();

  await page.goto(`${url}/settings`);
  await hydrated(page);
  await page.getByLabel("Name of a new person").fill("bea");
  await page.getByRole("button", { name: "Add person" }).click();
  await expect(page.getByRole("heading", { name: "One-time link for bea" })).toBeVisible();
  const link = (await page.locator(".shown-once code").textContent()) ?? "";
  const bea = page.locator("tr", { hasText: "bea" });
  await expect(bea).toContainText("Has not used the link yet");

  const other = await otherBrowser(browser);
  await other.goto(link);
  await hydrated(other);
  await other.getByLabel("Password", { exact: true }).fill("a password of bea");
  await other.getByLabel("Password again").fill("another password");
  await other.getByRole("button", { name: "Set password and sign in" }).click();
  await expect(other.getByRole("alert")).toContainText("The two passwords differ.");
  await other.getByLabel("Password", { exact: true }).fill("a password of bea");
  await other.getByLabel("Password again").fill("a password of bea");
  await other.getByRole("button", { name: "Set password and sign in" }).click();
  await other.waitForURL((to) => to.pathname === "/");
  await hydrated(other);
  await expect(other.locator("header")).toContainText("bea");
  for (const path of ["/", "/drafts", "/credentials", "/settings", "/models"]) {
    await other.goto(url + path);
    await hydrated(other);
    for (const text of ["Draft of the first", "Key of the first", secret]) await expect(other.locator("body")).not.toContainText(text);
  }
  await expect(other.getByRole("heading", { name: "People" })).toHaveCount(0);
  expect((await other.request.get(draft)).status()).toBe(404);
  await other.goto(link);
  await expect(other.getByText("This link was used already.")).toBeVisible();

  // Her own password, by her own hand.
  await other.goto(`${url}/settings`);
  await hydrated(other);
  await other.getByLabel("Current password").fill("a password of bea");
  await other.getByLabel("New password", { exact: true }).fill("a better password");
  await other.getByLabel("New password again").fill("a better password");
  await other.getByRole("button", { name: "Change password" }).click();
  await expect(other.getByText("Your password was changed.")).toBeVisible();

  await page.goto(`${url}/settings`);
  await hydrated(page);
  await expect(bea).toContainText("Has a password");
  await expect(page.locator("tr", { hasText: "ada" }).getByText("Shut account")).toHaveCount(0);
  await confirm(bea, "Shut account");
  await expect(page.getByText("The account of bea is shut")).toBeVisible();
  await other.goto(`${url}/drafts`);
  await expect(other).toHaveURL(/\/sign-in\?next=/);
  await bea.getByRole("button", { name: "Open account" }).click();
  await expect(page.getByText("The account of bea is open again.")).toBeVisible();
  await confirm(bea, "Remove");
  await expect(page.getByText("The person was removed. Their runs stay.")).toBeVisible();
  await expect(bea).toHaveCount(0);
  await other.context().close();
});
