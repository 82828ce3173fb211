import { test as base, expect, type Browser, type Locator, type Page } from "@playwright/test";
import { administrator, portal, remember } from "./portal";

/** Every test fails on a console error, a page error or an answer of 500 and above. */
export const test = base.extend<{ allowed: RegExp[] }>({
  allowed: [[], { option: true }],
  page: async ({ page, allowed }, use) => {
    const problems: string[] = [];
    const note = (text: string) => {
      if (!allowed.some((pattern) => pattern.test(text))) problems.push(text);
    };
    page.on("console", (message) => {
      if (message.type() === "error") note(`console: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => note(`page: ${error.message}`));
    page.on("response", (answer) => {
      if (answer.status() >= 500) note(`answer ${answer.status()}: ${answer.url()}`);
    });
    await use(page);
    expect(problems, "console errors, page errors, failed answers").toEqual([]);
  },
});

export { expect };

/** Waits until the page is alive: a click before that is a plain form post, which most tests don't mean. */
export async function hydrated(page: Page): Promise<void> {
  await expect(page.locator("body[data-hydrated]")).toBeAttached();
}

/** Opens the confirmation of a button and confirms. */
export async function confirm(within: Page | Locator, text: string): Promise<void> {
  await within.getByRole("button", { name: text }).click();
  await within.getByRole("alertdialog").getByRole("button", { name: text }).click();
}

/** A second person at a browser of their own. Closed by the test. */
export async function otherBrowser(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
  return context.newPage();
}

/** Signs in as the administrator; the first time by the one-time link, which sets the password. */
export async function signIn(page: Page): Promise<void> {
  const state = portal();
  await page.goto(state.link ? state.link.replace(/^https?:\/\/[^/]+/, state.url) : `${state.url}/sign-in`);
  await hydrated(page);
  await page.getByLabel("Name").fill(administrator.name);
  await page.getByLabel("Password", { exact: true }).fill(administrator.password);
  if (state.link) {
    await page.getByLabel("Password again").fill(administrator.password);
    await page.getByRole("button", { name: "Set password and sign in" }).click();
    await page.waitForURL((to) => !to.pathname.startsWith("/link"));
    remember({ ...state, link: "" });
  } else {
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((to) => to.pathname !== "/sign-in");
  }
  await hydrated(page);
}
