import { administrator, portal } from "../support/portal";
import { nothingTypedIsLost } from "../support/signed-out";
import { signIn, test } from "../support/test";

test("nothing typed is lost when the session ends in mid-form, without scripts", async ({ page, browser }) => {
  // The first sign-in of all, where this test runs alone, is by a link.
  await signIn(page);
  const context = await browser.newContext({ javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(`${portal().url}/sign-in`);
  await plain.getByLabel("Name").fill(administrator.name);
  await plain.getByLabel("Password").fill(administrator.password);
  await plain.getByRole("button", { name: "Sign in" }).click();
  await plain.waitForURL((to) => to.pathname === "/");
  await nothingTypedIsLost(plain, async () => {});
  await context.close();
});
