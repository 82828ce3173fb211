import { administrator, kill, portal, startAgain } from "../support/portal";
import { ended, startRun } from "../support/reference";
import { confirm, expect, hydrated, signIn, test } from "../support/test";

test.beforeEach(async ({ page }) => signIn(page));

/** Requests that a run of these tests never gets through. */
const MANY = 5_000;

/** The counter of a live page, as a number. */
async function completed(page: import("@playwright/test").Page): Promise<number> {
  const text = await page.locator(".counters div", { hasText: "Completed" }).locator("dd").textContent({ timeout: 60_000 });
  return Number((text ?? "0").replace(/,/g, ""));
}

test.describe("a killed portal", () => {
  // While the portal is gone, the browser itself reports each request that it could not make. Nothing else is allowed.
  test.use({ allowed: [/console: Failed to load resource: net::ERR_\w+ \(http:\/\/127\.0\.0\.1:\d+\/api\/ui\/runs\/[^)]*\)/] });

  test("the live page goes over it to the end, by itself", async ({ page }) => {
    const { url } = portal();
    const run = await startRun(page, "Portal killed", 400);
    await page.goto(`${url}/runs/${run}`);
    await hydrated(page);
    // The page is not loaded anew from here on.
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));
    await expect(async () => expect(await completed(page)).toBeGreaterThan(0)).toPass({ timeout: 60_000 });
    await kill();
    await expect(page.getByText(/Connection lost \d\d:\d\d:\d\d/)).toBeVisible();
    const then = await completed(page);
    await startAgain();
    await expect(page.getByText(/Connection lost/)).toBeHidden({ timeout: 60_000 });
    await expect(page.getByRole("link", { name: "View report" })).toBeVisible({ timeout: 120_000 });
    expect(await completed(page)).toBeGreaterThanOrEqual(then);
    expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
    for (const stage of ["Run performance benchmark", "Clean up"]) {
      await expect(page.locator(".stage-list li", { hasText: stage }).first()).toContainText(/Succeeded/i);
    }
    const report = await (await page.request.get(`${url}/api/v1/runs/${run}/report`)).json();
    expect(report.summary.successful_requests).toBe(400);
    const records = await (await page.request.get(`${url}/api/v1/runs/${run}/requests?page_size=1`)).json();
    expect(records.total).toBe(404);
  });
});

test.describe("a session that ends", () => {
  // The browser itself reports the stream and the call that are refused for want of a session. Nothing else is allowed.
  test.use({ allowed: [/console: Failed to load resource: the server responded with a status of 401 \(Unauthorized\) \(http:\/\/127\.0\.0\.1:\d+\/api\/ui\/runs\/[^)]*\/live[^)]*\)/] });

  test("the live page says so, and leads to the sign-in and back", async ({ page }) => {
    const { url } = portal();
    const run = await startRun(page, "Watched signed out", 400);
    await page.goto(`${url}/runs/${run}`);
    await hydrated(page);
    await expect(async () => expect(await completed(page)).toBeGreaterThan(0)).toPass({ timeout: 60_000 });
    // In another tab, say.
    await page.request.post(`${url}/api/ui/sign-out`);
    await expect(page.getByText("You are signed out. What is shown here is no longer renewed.")).toBeVisible({ timeout: 30_000 });
    await expect(page.getByText(/Connection lost/)).toBeHidden();
    await page.getByRole("link", { name: "Sign in to go on" }).click();
    await expect(page).toHaveURL(new RegExp(`/sign-in\\?next=.*${run}`));
    await page.getByLabel("Name").fill(administrator.name);
    await page.getByLabel("Password", { exact: true }).fill(administrator.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page).toHaveURL(new RegExp(`/runs/${run}$`));
    await expect(page.getByRole("link", { name: "View report" })).toBeVisible({ timeout: 120_000 });
  });
});

test("a run is cancelled from its page, and what was measured is kept", async ({ page }) => {
  const { url } = portal();
  const run = await startRun(page, "Cancelled by hand", MANY);
  await page.goto(`${url}/runs/${run}`);
  await hydrated(page);
  await expect(async () => expect(await completed(page)).toBeGreaterThan(0)).toPass({ timeout: 60_000 });
  await confirm(page, "Cancel run");
  await expect(page.getByText(/Cancelled after [\d,]+ of 5,000 requests\. Those are kept\./).first()).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("button", { name: "Cancel run" })).toHaveCount(0);
  await expect(page.locator(".progress-text")).toHaveText(/^[\d,]+ of 5,000 requests$/);
  await page.getByRole("link", { name: "View report" }).click();
  await expect(page.getByText("Report: Cancelled by hand")).toBeVisible();
});

test("charts fill their cards, and at the end the figures are the report's", async ({ page }) => {
  const { url } = portal();
  const run = await startRun(page, "Figures at the end", 100);
  await page.goto(`${url}/runs/${run}`);
  await hydrated(page);
  const chart = page.getByRole("figure", { name: "TTFT" }).locator("svg[role=img]");
  await expect(chart).toBeVisible({ timeout: 60_000 });
  // Four are in flight all the time, whenever it is looked at.
  const flight = page.locator(".counters div", { hasText: "In flight" }).locator("dd");
  await expect(flight).toContainText(/^[34]\.\d\d/);
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 1000 });
    const widths = await chart.evaluate((svg) => {
      const card = svg.closest("figure") as HTMLElement;
      const { paddingLeft, paddingRight } = getComputedStyle(card);
      return { svg: svg.getBoundingClientRect().width, card: card.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight) };
    });
    expect(Math.abs(widths.svg - widths.card), `at ${width}`).toBeLessThan(1.5);
  }
  await expect(page.getByRole("link", { name: "View report" })).toBeVisible({ timeout: 120_000 });
  await expect(page.locator(".progress-text")).toHaveText("100 requests");
  await expect(page.locator("#live-said")).toHaveText("The run has ended: succeeded.");
  const report = await (await page.request.get(`${url}/api/v1/runs/${run}/report`)).json();
  expect(await completed(page)).toBe(report.summary.successful_requests);
  if (report.valid) {
    const ttft = page.locator(".counters div", { hasText: "TTFT" }).locator("dd");
    await expect(ttft).toContainText(`${Number(report.summary.ttft_ms.p50.toPrecision(3))}`);
    await expect(ttft).toContainText("all requests");
  }
  // What the machine did meanwhile is drawn under the latencies; what nobody measured is not there.
  await page.setViewportSize({ width: 1440, height: 1000 });
  await page.getByRole("link", { name: "View report" }).click();
  await hydrated(page);
  const nodes = page.getByRole("region", { name: "What the nodes did" });
  await expect(nodes.locator("#node-cpu svg.chart-wide")).toBeVisible();
  await expect(nodes.locator("#device-power")).toHaveCount(0);
  const axes = await page.locator("#time svg.chart-wide[data-axis]").evaluateAll((all) => all.map((svg) => svg.getAttribute("data-axis")));
  expect(axes.length).toBeGreaterThan(3);
  expect(new Set(axes).size, "one time axis, so that the cursor is in all of them").toBe(1);
  await expect(nodes.getByRole("table", { name: "CPU and memory of the nodes" })).toContainText("%");
  const samples = await page.request.get(`${url}/api/v1/runs/${run}/telemetry?format=csv`);
  expect((await samples.text()).split("\n").length).toBeGreaterThan(2);
});

test("run again, copy to draft, delete", async ({ page }) => {
  const { url } = portal();
  const run = await startRun(page, "Done once", 8);
  await ended(page, run);
  await page.goto(`${url}/runs/${run}`);
  await hydrated(page);
  // A hasty hand clicks twice, and means it once.
  await page.getByRole("button", { name: "Run again" }).dblclick();
  await page.waitForURL((to) => to.pathname.startsWith("/runs/") && !to.pathname.includes(run));
  const again = await (await page.request.get(`${url}/api/v1/runs?search=Done%20once`)).json();
  expect(again.total, "the run and the one again").toBe(2);
  const second = new URL(page.url()).pathname.split("/")[2];
  await expect(page.getByRole("link", { name: "View report" })).toBeVisible({ timeout: 120_000 });
  const [one, two] = await Promise.all([run, second].map(async (id) => (await page.request.get(`${url}/api/v1/runs/${id}`)).json()));
  expect(two.benchmark_id).toBe(one.benchmark_id);

  await page.getByRole("button", { name: "Copy to draft" }).click();
  await page.waitForURL(/\/wizard\/[0-9a-f-]+\/\w+/);
  await hydrated(page);
  const draft = new URL(page.url()).pathname.split("/")[2];
  const copy = await (await page.request.get(`${url}/api/v1/workflows/${draft}`)).json();
  expect(copy.workflow_steps).toMatchObject({ max_input_tokens: 32, max_output_tokens: 16, num_requests: 8, concurrent_requests: 4 });
  expect(copy.run_id).toBeFalsy();

  await page.goto(`${url}/runs/${second}/report`);
  await hydrated(page);
  await page.getByRole("button", { name: "More actions" }).click();
  await confirm(page, "Delete run");
  await page.waitForURL((to) => to.pathname === "/");
  await expect(page.getByText("Deleted: Done once.")).toBeVisible();
  expect((await page.request.get(`${url}/api/v1/runs/${second}`)).status()).toBe(404);
  expect((await page.request.get(`${url}/api/v1/runs/${run}`)).status(), "the other run stays").toBe(200);
  const row = page.locator("tbody tr", { hasText: "Done once" });
  await expect(row).toHaveCount(1);

  await row.getByRole("button", { name: "Actions for Done once" }).click();
  await confirm(row, "Delete run");
  await expect(row).toHaveCount(0);
});

test("the history's states change while one looks", async ({ page }) => {
  const { url } = portal();
  const first = await startRun(page, "Looked at, first", 60);
  const second = await startRun(page, "Looked at, second", 8);
  await page.goto(`${url}/?search=Looked+at`);
  await hydrated(page);
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  const state = (name: string) => page.locator("tbody tr", { hasText: name }).locator("th");
  await expect(state("Looked at, second")).toContainText(/Queued|Running/);
  // A run that succeeded carries no mark of its state; one that ended otherwise does, and is not what is waited for.
  const anyState = /Queued|Running|Cancel|Failed|Partial|Interrupted/;
  await expect(state("Looked at, first")).not.toContainText(anyState, { timeout: 60_000 });
  await expect(state("Looked at, second")).not.toContainText(anyState, { timeout: 60_000 });
  expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
  // The figures came with the states.
  await expect(page.locator("tbody tr", { hasText: "Looked at, first" }).locator("td.numeric").first()).toContainText(/\d/);
  for (const run of [first, second]) expect((await ended(page, run)).status).toBe("succeeded");
});

test("a menu that is open stays open when a run above it is gone", async ({ page }) => {
  const { url } = portal();
  const long = await startRun(page, "Menu kept open, long", MANY);
  const above = await startRun(page, "Menu kept open, above", 8);
  const origin = { headers: { origin: url } };
  await page.request.post(`${url}/api/v1/runs/${above}/cancel`, origin);
  await ended(page, above);
  await page.goto(`${url}/?search=Menu+kept+open`);
  await hydrated(page);
  await page.getByRole("button", { name: "Actions for Menu kept open, long" }).click();
  const menu = page.locator(`#menu-${long}`);
  await expect(menu).toBeVisible();
  expect((await page.request.delete(`${url}/api/v1/runs/${above}`, origin)).status()).toBeLessThan(300);
  await expect(page.locator("tbody tr")).toHaveCount(1, { timeout: 20_000 });
  await expect(menu).toBeVisible();
  await page.request.post(`${url}/api/v1/runs/${long}/cancel`, origin);
  await ended(page, long);
});

test("a cluster's page reads its nodes again by itself, and when asked", async ({ page }) => {
  const { url } = portal();
  const clusters = await (await page.request.get(`${url}/api/v1/clusters`)).json();
  await page.goto(`${url}/clusters/${clusters.items[0].id}`);
  await hydrated(page);
  const read = () => page.locator("p", { hasText: "Read again" }).locator("time").getAttribute("datetime");
  const before = await read();
  await expect(async () => expect(await read()).not.toBe(before)).toPass({ timeout: 30_000 });
  const then = await read();
  await page.getByRole("link", { name: "Read again" }).click();
  await hydrated(page);
  expect(await read()).not.toBe(then);
  await expect(page.getByText("Ready").first()).toBeVisible();
});
