import { hydrated, signIn, test } from "../support/test";
import { nothingTypedIsLost } from "../support/signed-out";

// A form that the server refuses for want of a session is reported by the browser itself; it goes on from there.
test.use({ allowed: [/console: Failed to load resource: the server responded with a status of 401 \(Unauthorized\) \(http:\/\/127\.0\.0\.1:\d+\/api\/ui\/wizard-\w+\)/] });

test("nothing typed is lost when the session ends in mid-form", async ({ page }) => {
  await signIn(page);
  await nothingTypedIsLost(page, hydrated);
});
