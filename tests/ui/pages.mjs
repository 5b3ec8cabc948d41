// Every page, in both languages, both colours, on a desktop, on a phone and at twice the size: no error, no finding of axe,
// nothing wider than the window.
import assert from "node:assert/strict";
import { accessible, admin, base, fits, logIn, viewer, withBrowser, client } from "./browser.mjs";

const pages = process.env.PAGES.split(" ");
const screens = [
  { viewport: { width: 1280, height: 800 }, colorScheme: "light", locale: "en-US" },
  { viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "zh-CN" },
  { viewport: { width: 640, height: 400 }, colorScheme: "light", locale: "zh-CN", deviceScaleFactor: 2 },
  { viewport: { width: 1280, height: 800 }, colorScheme: "dark", locale: "en-US" },
];

await withBrowser(async (open) => {
  for (const screen of screens) {
    const page = await open({ ...screen, bypassCSP: true });
    const what = (path) => `${path} ${JSON.stringify(screen)}`;
    await page.goto(`${base}/ui/login`);
    await accessible(page, what("log-in"));
    await logIn(page, admin);
    for (const path of pages) {
      const answer = await page.goto(base + path);
      assert.equal(answer.status(), 200, path);
      await accessible(page, what(path));
      await fits(page, what(path));
      const language = await page.getAttribute("html", "lang");
      assert.equal(language, screen.locale.slice(0, 2), path);
    }
    await page.context().close();
  }
  // Whoever has a client's key has one page.
  const own = await open({ bypassCSP: true });
  await logIn(own, client);
  assert.equal(new URL(own.url()).pathname, "/ui/me");
  await accessible(own, "/ui/me");
  // A viewer has no button that changes anything.
  const eyes = await open();
  await logIn(eyes, viewer);
  for (const path of pages) {
    await eyes.goto(base + path);
    const forms = await eyes.locator("main form[method=post]").count();
    assert.equal(forms, 0, path);
  }
});
console.log("pages: passed");
