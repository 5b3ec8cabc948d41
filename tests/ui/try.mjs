// A chat that an admin tries, with scripts (in pieces) and without (whole), its facts, a failure; and the test of an account.
import assert from "node:assert/strict";
import { accessible, admin, base, fits, logIn, withBrowser } from "./browser.mjs";

const answer = (page) => page.locator("#trial-answer");

async function failure(page) {
  await page.goto(`${base}/ui/try`);
  await page.fill("input[name=model]", "m");
  await page.fill("textarea[name=message]", "fail");
  await page.getByRole("button", { name: "Send" }).click();
  await page.waitForSelector("#trial-answer .problem");
  assert.match(await answer(page).textContent(), /rejected.*<b>no such organisation<\/b>/s);
  assert.equal(await answer(page).locator("b").count(), 0, "no markup");
}

async function facts(page) {
  await page.waitForSelector("#trial-answer .figures");
  assert.match(await answer(page).textContent(), /^Hello.*Served by.*a.*First token.*Total.*3 → 4.*Cost/s);
}

await withBrowser(async (open) => {
  for (const javaScriptEnabled of [true, false]) {
    const page = await open({ javaScriptEnabled });
    await logIn(page, admin);
    await page.getByRole("link", { name: "Try" }).click();
    assert.equal(new URL(page.url()).pathname, "/ui/try");
    await page.fill("input[name=model]", "m");
    await page.getByRole("button", { name: "Send" }).click();
    if (javaScriptEnabled) {
      await page.waitForFunction(() => document.querySelector("#trial-answer").textContent === "Hel");
      assert.equal(await answer(page).getAttribute("aria-busy"), "true");
      assert.ok(await page.getByRole("button", { name: "Send" }).isDisabled());
    }
    await facts(page);
    assert.equal(await answer(page).getAttribute("aria-busy"), null);
    await answer(page).getByRole("link", { name: "attempts" }).click();
    await page.waitForSelector(".attempt");
    await failure(page);

    await page.goto(`${base}/ui/accounts/a`);
    await page.getByRole("button", { name: /^Test it/ }).click();
    assert.match(await page.textContent(".notice.good"), /m answered\..*Status 200.*First token.*Tokens 7/s);
    await page.locator(".notice a").click();
    await page.waitForSelector(".attempt");
    await page.context().close();
  }
  // The page with an answer is as accessible as the empty one.
  const page = await open({ bypassCSP: true, viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  await logIn(page, admin);
  await page.goto(`${base}/ui/try`);
  await page.fill("input[name=model]", "m");
  await page.getByRole("button", { name: "Send" }).click();
  await facts(page);
  await accessible(page, "an answer");
  await fits(page, "an answer");
  await failure(page);
  await accessible(page, "a failure");
  // The recipes, all of them open.
  await page.getByRole("link", { name: "recipes" }).click();
  for (const summary of await page.locator("summary").all()) await summary.click();
  await accessible(page, "recipes");
  await fits(page, "recipes");
  assert.match(await page.locator("#recipe-codex").textContent(), new RegExp(`base_url = "${base}/v1"`));
  await page.goto(`${base}/ui/try`);
  await page.fill("input[name=model]", "m");
  // Whoever is no longer logged in is sent to the log-in.
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Send" }).click();
  await page.waitForURL((url) => url.pathname === "/ui/login");
});
console.log("try: passed");
