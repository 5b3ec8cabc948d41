// What all scripts here share: the browser, a log-in, and what must hold on every page.
import { createRequire } from "node:module";
import assert from "node:assert/strict";

const require = createRequire(`${process.env.API_TOGETHER_TOOLS}/ui-node/`);
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

/** Where the pool is, as the tests say. */
export const base = process.env.BASE_URL;
export const admin = process.env.ADMIN_KEY;
export const viewer = process.env.VIEWER_KEY;
export const client = process.env.CLIENT_KEY;

/** Starts Chromium, runs `steps`, and fails on what no page may do: an error in the console, a request to another host. */
export async function withBrowser(steps) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  const problems = [];
  const open = async (options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-US", ...options });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    page.on("console", (message) => {
      // A refused form answers with its status, which Chromium reports as a failed load.
      const isStatus = message.text().startsWith("Failed to load resource: the server responded with a status");
      if (["error", "warning"].includes(message.type()) && !isStatus) problems.push(`${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.origin !== base && url.protocol !== "data:") problems.push(`${page.url()} asked ${url.href}`);
    });
    return page;
  };
  try {
    await steps(open);
  } finally {
    await browser.close();
  }
  assert.deepEqual(problems, []);
}

/** Logs in with a key. */
export async function logIn(page, key) {
  await page.goto(`${base}/ui/login`);
  await page.fill("#key", key);
  await page.press("#key", "Enter");
  await page.waitForURL((url) => !url.pathname.endsWith("/login"));
}

/** Clicks what leads to another page, and waits until that one is whole: a half-read page has half a text in its fields. */
export async function follow(page, target) {
  const loaded = page.waitForEvent("load");
  await target.click();
  await loaded;
}

/** Fails on what axe finds: contrast, names, roles, order of headings. */
export async function accessible(page, what) {
  await page.addScriptTag({ path: axe }).catch(async () => page.evaluate(await readFile(axe)));
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
  assert.deepEqual(found, [], what);
}

async function readFile(path) {
  const { readFile: read } = await import("node:fs/promises");
  return read(path, "utf8");
}

/** Fails where a page is wider than the window: then somebody on a phone has to push it to and fro. */
export async function fits(page, what) {
  const [inner, whole] = await page.evaluate(() => [window.innerWidth, document.documentElement.scrollWidth]);
  assert.ok(whole <= inner + 1, `${what}: ${whole} px in a window of ${inner}`);
}
