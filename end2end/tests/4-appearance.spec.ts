import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { portal } from "../support/portal";
import { expect, hydrated, signIn, test } from "../support/test";

const pictures = process.env.DYNO_PICTURES;
const axe = require.resolve("axe-core");

/** Every page in both themes and both widths: no accessibility violation, nothing wider than the screen. */
test("pages are accessible and fit, in both themes, wide and narrow", async ({ page }) => {
  test.setTimeout(600_000);
  const { url } = portal();
  await signIn(page);
  const runs = await (await page.request.get(`${url}/api/v1/runs?sort=created_at`)).json();
  const run = runs.items[0].id;
  const drafts = await (await page.request.get(`${url}/api/v1/workflows`)).json();
  const draft = drafts.items[0].workflow_id ?? drafts.items[0].id;
  const clusters = await (await page.request.get(`${url}/api/v1/clusters`)).json();
  const models = await (await page.request.get(`${url}/api/v1/models`)).json();
  const datasets = await (await page.request.get(`${url}/api/v1/datasets`)).json();
  const paths: Record<string, string> = {
    history: "/",
    live: `/runs/${run}`,
    report: `/runs/${run}/report`,
    drafts: "/drafts",
    new: "/benchmarks/new",
    load: `/wizard/${draft}/load`,
    cluster: `/wizard/${draft}/cluster`,
    nodes: `/wizard/${draft}/nodes`,
    model: `/wizard/${draft}/model`,
    clusters: "/clusters",
    "cluster-detail": `/clusters/${clusters.items[0].id}`,
    models: "/models",
    "model-detail": `/models/${models.items[0].id}`,
    datasets: "/datasets",
    "dataset-detail": `/datasets/${datasets.items[0].id}`,
    credentials: "/credentials",
    settings: "/settings",
    try: "/try",
  };
  for (const [width, height] of [[1440, 1000], [390, 844], [320, 800]]) {
    for (const scheme of ["light", "dark"] as const) {
      if (width === 320 && scheme === "dark") continue;
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      for (const [name, path] of Object.entries(paths)) {
        await page.goto(url + path);
        await hydrated(page);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect.soft(wide, `${name} at ${width} px is wider than the screen`).toBeLessThanOrEqual(0);
        if (pictures) {
          mkdirSync(pictures, { recursive: true });
          await page.screenshot({ path: join(pictures, `${name}-${width}-${scheme}.png`), fullPage: true });
        }
        if (width === 320) continue;
        await page.evaluate(require("node:fs").readFileSync(axe, "utf8"));
        const found = await page.evaluate(async () => {
          const result = await (window as unknown as { axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }).axe.run();
          return result.violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).slice(0, 2).join(" | ")}`);
        });
        expect.soft(found, `${name} at ${width} px, ${scheme}`).toEqual([]);
      }
    }
  }
});
