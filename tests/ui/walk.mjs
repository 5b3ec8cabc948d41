// What an operator asks of the pages, and how many clicks each answer takes. Typing is not counted, and no page is opened by its address.
import assert from "node:assert/strict";
import { admin, base, follow, logIn, withBrowser } from "./browser.mjs";

const counts = {};

await withBrowser(async (open) => {
  const page = await open();
  await logIn(page, admin);
  let clicks = 0;
  const click = async (role, name) => {
    clicks += 1;
    await follow(page, page.getByRole(role, { name }).first());
  };
  const walk = async (what, most, steps) => {
    clicks = 0;
    await steps();
    counts[what] = clicks;
    assert.ok(clicks <= most, `${what}: ${clicks} clicks`);
    await page.goto(`${base}/ui/`);
  };

  await walk("which account is out of quota, and until when", 0, async () => {
    assert.match(await page.textContent("#health"), /At a limit: b requests a day are used up · until .*\d/);
  });
  await walk("a key with a budget for a colleague", 2, async () => {
    await click("link", "Keys");
    await page.getByLabel("Name", { exact: true }).fill("colleague");
    await page.getByLabel("Budget in dollars").fill("2");
    await click("button", "Make a key");
    assert.match(await page.textContent(".notice .secret"), /^sk-at-/);
    assert.match(await page.textContent("#key-colleague"), /day.*\$2\.00/s);
  });
  await walk("what did today cost, and by whom", 1, async () => {
    const cost = page.locator(".tile", { hasText: "Cost today" }).getByRole("link");
    assert.match(await cost.textContent(), /\$0\.0/);
    clicks += 1;
    await follow(page, cost);
    assert.match(await page.textContent("#usage table"), /team-a.*\$0\.0/s);
    assert.match(page.url(), /range=today/);
  });
  await walk("rest an account for an hour, and undo it", 3, async () => {
    await click("link", "named a");
    await click("button", "Let it rest");
    assert.match(await page.textContent("#api-a"), /let rest by an operator · until/);
    await click("button", "Try it again now");
    assert.match(await page.textContent("#api-a"), /can serve/);
  });
  await walk("why did the request with this id fail", 3, async () => {
    await click("link", "Live");
    await page.getByLabel("Request id").fill(process.env.FAILED_REQUEST);
    await click("button", "Filter");
    clicks += 1;
    await follow(page, page.locator("#requests tbody a").first());
    assert.match(await page.textContent("main"), /server_error.*the model crashed/s);
  });
  await walk("why did the last request fail", 2, async () => {
    await click("link", /^server_error/);
    clicks += 1;
    await follow(page, page.locator("#requests tbody a").first());
    assert.match(await page.textContent("main"), /the model crashed/);
  });
});
console.log("walk: passed", JSON.stringify(counts));
