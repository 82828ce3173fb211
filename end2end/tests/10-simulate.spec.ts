import { portal } from "../support/portal";
import { expect, hydrated, signIn, test } from "../support/test";
import { details, goOn, load, onStep } from "../support/wizard";

/** Where pictures of the walk are put, if anywhere. */
const pictures = process.env.DYNO_PICTURES;

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
  await page.goto(`${url}/`);
  await expect(page.getByRole("row", { name: /before buying/ })).toContainText("Simulated");
  await picture("9-history");
});
