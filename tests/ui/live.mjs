// Updates while requests run: numbers move without a reload, what somebody reads stays, a hidden tab costs nothing.
import assert from "node:assert/strict";
import { admin, base, logIn, withBrowser } from "./browser.mjs";

const key = process.env.POOL_KEY;
const ask = () =>
  fetch(`${base}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] }),
  });

await withBrowser(async (open) => {
  const page = await open();
  await logIn(page, admin);
  await page.waitForSelector("#live-state:not(.off)");
  const mark = await page.evaluate(() => (window.stillHere = Math.random()));
  const today = page.locator("#tiles .tile").nth(3).locator("dd").first();
  const before = Number(await today.textContent());
  await Promise.all(Array.from({ length: 5 }, ask));
  await page.waitForFunction((wanted) => Number(document.querySelectorAll("#tiles .tile")[3].querySelector("dd").textContent) === wanted, before + 5);
  assert.equal(await page.evaluate(() => window.stillHere), mark, "the page was not loaded again");

  // The list of requests grows; a pause holds it.
  await page.goto(`${base}/ui/live`);
  await page.waitForSelector("#live-state:not(.off)");
  const rows = page.locator("#requests tbody tr");
  const shown = await rows.count();
  await ask();
  await page.waitForFunction((wanted) => document.querySelectorAll("#requests tbody tr").length === wanted, shown + 1);
  await page.click("[data-pause]");
  await ask();
  await page.waitForTimeout(1500);
  assert.equal(await rows.count(), shown + 1, "paused");
  await page.click("[data-pause]");
  await page.waitForFunction((wanted) => document.querySelectorAll("#requests tbody tr").length === wanted, shown + 2);

  // A row leads to the attempts.
  await rows.first().locator("a").first().click();
  await page.waitForSelector(".attempt");

  // Parts come and go while somebody reads a new key: the key stays, and the buttons that came work.
  const other = await open();
  await logIn(other, admin);
  const make = async (page, name) => {
    await page.goto(`${base}/ui/keys`);
    await page.fill("#make input[name=name]", name);
    await page.click("#make button[type=submit]");
  };
  await make(page, "read");
  const secret = await page.textContent(".notice .secret");
  await page.waitForSelector("#live-state:not(.off)");
  await make(other, "beside");
  await page.waitForSelector("#key-beside");
  assert.equal(await page.textContent(".notice .secret"), secret);
  assert.equal(await page.locator(".notice .copy").count(), 1);

  // Half a form stays, and the page says that there is something new.
  await page.fill("#make input[name=name]", "half");
  await page.locator("h1").click();
  await make(other, "later");
  await page.waitForSelector(".news a");
  assert.equal(await page.inputValue("#make input[name=name]"), "half");
  assert.equal(await page.locator("#key-later").count(), 0);
  await page.click(".news a");
  await page.waitForSelector("#key-later");
  assert.equal(await page.locator(".news").count(), 0);

  // Pressed twice, it is done once.
  await page.fill("#make input[name=name]", "twice");
  await page.dblclick("#make button[type=submit]");
  await page.waitForSelector("#key-twice");
  assert.equal(await page.locator(".notice").count(), 1);
  assert.ok(await page.locator(".notice .secret").isVisible());
});
console.log("live: passed");
