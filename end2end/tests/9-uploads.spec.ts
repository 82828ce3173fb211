import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { portal } from "../support/portal";
import { expect, hydrated, signIn, test } from "../support/test";

test("a file over the limit comes back to its form, with the name that was typed", async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), "dyno-upload-"));
  const file = join(folder, "much.jsonl");
  // Holes: as large as it says, and hardly anything on the disk.
  writeFileSync(file, '{"prompt":"one"}\n');
  truncateSync(file, 258 * 1024 * 1024);
  await signIn(page);
  await page.goto(`${portal().url}/datasets/new`);
  await hydrated(page);
  await page.getByLabel("Name").fill("Too much");
  await page.getByLabel("File").setInputFiles(file);
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByRole("alert")).toContainText("The file is larger than 256 MB.", { timeout: 90_000 });
  await expect(page.getByLabel("Name")).toHaveValue("Too much");
  await expect(page.getByLabel("File")).toHaveAttribute("aria-invalid", "true");
  rmSync(folder, { recursive: true });

  await page.getByLabel("File").setInputFiles({ name: "few.jsonl", mimeType: "application/jsonl", buffer: Buffer.from('{"prompt":"one"}\n{"prompt":"two"}\n') });
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByText("The dataset was added.")).toBeVisible();
});
