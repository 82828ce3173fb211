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
