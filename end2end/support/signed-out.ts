import { type Page, expect } from "@playwright/test";
import { administrator, portal } from "./portal";
import { goOn } from "./wizard";

const KEPT = "You were signed out. Your entries are kept; nothing was saved yet.";

/** Ends the session in another tab while a form is being filled in here; signs in again where the form leads to. */
async function signedOutMeanwhile(page: Page, send: () => Promise<void>): Promise<void> {
  const { url } = portal();
  const tab = await page.context().newPage();
  await tab.goto(`${url}/drafts`);
  await tab.getByRole("button", { name: "Sign out" }).click();
  await tab.waitForURL(/\/sign-in/);
  await tab.close();
  await send();
  await page.waitForURL(/\/sign-in\?next=/);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password", { exact: true }).fill(administrator.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText(KEPT)).toBeVisible();
}

/** The same with and without scripts: nothing that was typed is lost, and nothing is saved before it is sent again. */
export async function nothingTypedIsLost(page: Page, ready: (page: Page) => Promise<void>): Promise<void> {
  const { url } = portal();
  await page.goto(`${url}/benchmarks/new`);
  await ready(page);
  await page.getByLabel("Name", { exact: true }).fill("Typed before the end");
  await page.getByLabel("Tags (optional)").fill("blue, green");
  await page.getByLabel("Description (optional)").fill("A long thought.");
  await page.getByLabel("Concurrent requests").fill("37");
  await page.getByRole("radio", { name: "Dataset" }).check();
  await signedOutMeanwhile(page, () => goOn(page));
  await ready(page);
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Typed before the end");
  await expect(page.getByLabel("Tags (optional)")).toHaveValue("blue, green");
  await expect(page.getByLabel("Description (optional)")).toHaveValue("A long thought.");
  await expect(page.getByLabel("Concurrent requests")).toHaveValue("37");
  await expect(page.getByRole("radio", { name: "Dataset" })).toBeChecked();
  const drafts = async () => (await (await page.request.get(`${url}/api/v1/workflows?search=Typed+before`)).json()).total;
  const before = await drafts();
  await goOn(page);
  await page.waitForURL(/\/wizard\/[0-9a-f-]+\/load/);
  expect(await drafts()).toBe(before + 1);

  // A later step, whose page is the draft's own.
  await ready(page);
  await page.getByLabel("Output tokens (optional)").fill("21");
  await page.getByRole("radio", { name: "Own number" }).check();
  await page.getByLabel("Number of requests").fill("23");
  await signedOutMeanwhile(page, () => goOn(page));
  await ready(page);
  await expect(page.getByLabel("Output tokens (optional)")).toHaveValue("21");
  await expect(page.getByLabel("Number of requests")).toHaveValue("23");

  // A secret is kept nowhere.
  await page.goto(`${url}/credentials/new`);
  await ready(page);
  await page.getByLabel("Name").fill("Key before the end");
  await page.getByLabel("Provider").selectOption({ label: "OpenAI" });
  await page.getByLabel("Secret").fill("sk-typed-before-the-end");
  await signedOutMeanwhile(page, () => page.getByRole("button", { name: "Add credential" }).click());
  await ready(page);
  await expect(page.getByLabel("Name")).toHaveValue("Key before the end");
  await expect(page.getByLabel("Secret")).toHaveValue("");
  await expect(page.getByText("Enter it again: secrets are not kept.").first()).toBeVisible();
}
