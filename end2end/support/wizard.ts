import { type Page, expect } from "@playwright/test";
import { hydrated } from "./test";

/** Waits for a wizard page by its heading, alive. */
export async function onStep(page: Page, title: string | RegExp): Promise<void> {
  await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
  await hydrated(page);
}

export async function goOn(page: Page, button = "Continue"): Promise<void> {
  await page.getByRole("button", { name: button, exact: true }).last().click();
}

/** Step 1, filled in and sent. */
export async function details(page: Page, values: { name: string; concurrency?: string; method?: "Configuration" | "Dataset" }): Promise<void> {
  await page.getByLabel("Name", { exact: true }).fill(values.name);
  await page.getByLabel("Concurrent requests").fill(values.concurrency ?? "2");
  await page.getByRole("radio", { name: values.method ?? "Configuration" }).check();
  await goOn(page);
}

/** Step 2, filled in but not sent: one load of exact lengths and a number of requests. */
export async function load(page: Page, values: { input: string; output: string; requests: string; warmup?: string }): Promise<void> {
  await page.getByRole("radio", { name: "Own lengths" }).check();
  await page.getByLabel("Input tokens").fill(values.input);
  await page.getByLabel("Output tokens").fill(values.output);
  await requests(page, values.requests, values.warmup);
}

/** How many requests step 2 measures, and how many it sends before. */
export async function requests(page: Page, number: string, warmup?: string): Promise<void> {
  await page.getByRole("radio", { name: "Own number" }).check();
  await page.getByLabel("Number of requests").fill(number);
  if (warmup === undefined) return;
  const more = page.locator("details.more-options");
  if ((await more.getAttribute("open")) === null) await more.getByText("More options").click();
  await page.getByLabel("Warm-up requests").fill(warmup);
}

/** From step 2 on to step 5. Cluster and nodes are passed over where there is nothing to choose; where there is, what is
 * preselected is taken. Answers the titles of the steps that were shown. */
export async function throughPlace(page: Page): Promise<string[]> {
  const shown: string[] = [];
  const heading = page.getByRole("heading", { level: 1, name: /^(Cluster|Nodes|Model)$/ });
  for (;;) {
    await expect(heading).toBeVisible();
    await hydrated(page);
    const title = (await heading.textContent()) ?? "";
    if (title === "Model") return shown;
    if (shown.includes(title)) throw new Error(`step ${title} does not go on`);
    shown.push(title);
    if (title === "Nodes") await page.getByRole("checkbox").first().check();
    await goOn(page);
    await expect(page.getByRole("heading", { level: 1, name: title, exact: true })).toBeHidden();
  }
}
