// Names of 64 characters and 80 accounts: nothing is wider than the window, what can't serve stands first, and everything is found.
import assert from "node:assert/strict";
import { accessible, admin, base, fits, logIn, withBrowser } from "./browser.mjs";

await withBrowser(async (open) => {
  for (const viewport of [{ width: 390, height: 844 }, { width: 640, height: 400 }, { width: 320, height: 640 }]) {
    const page = await open({ viewport, bypassCSP: true });
    await logIn(page, admin);
    for (const path of process.env.PAGES.split(" ")) {
      const answer = await page.goto(base + path);
      assert.equal(answer.status(), 200, path);
      await fits(page, `${path} ${viewport.width}`);
      await accessible(page, `${path} ${viewport.width}`);
    }
    // Every page is in sight in the navigation, and so is the status in the list of requests.
    for (const link of await page.locator("header nav a").all()) {
      const { x, width } = await link.boundingBox();
      assert.ok(x >= 0 && x + width <= viewport.width, await link.textContent());
    }
    await page.goto(`${base}/ui/live`);
    const { x, width } = await page.locator("#requests tbody .state").first().boundingBox();
    assert.ok(x + width <= viewport.width, `the status ends at ${x + width} of ${viewport.width}`);
    await page.context().close();
  }
  const page = await open({ javaScriptEnabled: false });
  await logIn(page, admin);
  assert.equal(await page.locator(".card").count(), 60);
  assert.match(await page.locator(".card").first().textContent(), /disabled/);
  await page.getByRole("link", { name: "Show 20 more" }).click();
  await page.waitForURL(/all=1/);
  assert.equal(await page.locator(".card").count(), 80);
  await page.getByRole("searchbox").fill("A7");
  await page.keyboard.press("Enter");
  await page.waitForURL(/find=A7/);
  assert.equal(await page.locator(".card").count(), 11);
  await page.getByRole("link", { name: /^disabled/ }).click();
  await page.waitForURL(/find=a7&state=disabled/);
  assert.equal(await page.locator(".card").count(), 1);
  await page.getByRole("searchbox").fill("nothing");
  await page.keyboard.press("Enter");
  await page.waitForURL(/find=nothing/);
  assert.match(await page.textContent("main"), /Nothing is found/);
  await page.getByRole("link", { name: "Show all" }).click();
  await page.waitForURL(/\/ui\/$/);
  assert.equal(await page.locator(".card").count(), 60);
});
console.log("long: passed");
