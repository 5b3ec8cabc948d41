// What an admin does: keys, accounts, the configuration; refused, raced and undone. With and without JavaScript.
import assert from "node:assert/strict";
import { admin, base, follow, logIn, withBrowser } from "./browser.mjs";

/** Asks for a chat with a key, and returns the status. */
const ask = async (key) => {
  const answer = await fetch(`${base}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] }),
  });
  await answer.text();
  return answer.status;
};

const said = (page) => page.textContent(".notice");

/** Presses a button that sends a form. */
const press = (page, name) => follow(page, page.getByRole("button", { name }));

/** Does what takes something away. */
async function ticked(page, name) {
  const form = page.locator("form.ticked", { has: page.getByRole("button", { name, exact: true }) });
  await form.getByRole("checkbox").check();
  await follow(page, form.getByRole("button"));
}

/** Changes the limits and budgets on the page of a key. */
async function limits(page) {
  const save = () => press(page, "Save");
  await page.fill("input[name=rpm]", "31");
  await page.fill("input[name=usd-1]", "40");
  await page.selectOption("select[name=per-1]", "month");
  await save();
  assert.match(await page.textContent("#key"), /rpm.*31.*day.*\$2\.00.*month.*\$40\.00/s);
  await page.fill("input[name=usd-0]", "");
  await save();
  assert.doesNotMatch(await page.textContent("#key"), /\$2\.00/);
  await page.fill("input[name=usd-0]", "");
  await page.fill("input[name=rpm]", "many");
  await save();
  assert.match(await said(page), /rpm/);
  assert.deepEqual([await page.inputValue("input[name=rpm]"), await page.inputValue("input[name=usd-0]")], ["many", ""]);
}

async function keys(page, name) {
  await page.goto(`${base}/ui/keys`);
  await page.fill("#make input[name=name]", name);
  await page.fill("#make input[name=usd]", "2");
  await page.click("#make summary");
  await page.fill("#make input[name=rpm]", "30");
  await follow(page, page.locator("#make button[type=submit]"));
  const secret = await page.textContent(".notice .secret");
  assert.match(secret, /^sk-at-/);
  assert.equal(await ask(secret), 200);
  // Shown this once.
  await page.goto(`${base}/ui/keys`);
  assert.ok(!(await page.content()).includes(secret));
  const card = page.locator(`#key-${name}`);
  assert.match(await card.textContent(), /rpm.*30.*day.*\$2\.00/s);

  // A second secret beside the first, then alone. What takes something away wants a tick first.
  await follow(page, card.getByRole("link", { name }));
  await press(page, "New secret");
  const second = await page.textContent(".notice .secret");
  assert.deepEqual([await ask(secret), await ask(second)], [200, 200]);
  await page.getByRole("button", { name: "End the older secrets" }).click();
  assert.equal(await page.locator(".notice .secret").count(), 1, "nothing is done without the tick");
  await ticked(page, "End the older secrets");
  assert.deepEqual([await ask(secret), await ask(second)], [401, 200]);

  await ticked(page, "Disable");
  assert.match(await said(page), /refused from now on/);
  assert.equal(await ask(second), 403);
  await press(page, "Enable");
  assert.equal(await ask(second), 200);
  await limits(page);
  await ticked(page, "Remove");
  assert.match(await said(page), /Removed/);
  assert.equal(new URL(page.url()).pathname, "/ui/keys");
  assert.equal(await card.count(), 0);
  assert.equal(await ask(second), 401);

  // What is wrong is said, and what was typed stays.
  await page.fill("#make input[name=name]", "team-a");
  await follow(page, page.locator("#make button[type=submit]"));
  assert.match(await said(page), /has the name/);
  await page.fill("#make input[name=name]", "another");
  await page.click("#make summary");
  await page.fill("#make input[name=models]", "m");
  await page.fill("#make input[name=apis]", "no-such");
  await follow(page, page.locator("#make button[type=submit]"));
  assert.match(await said(page), /no-such|id of no API/);
  assert.equal(await page.inputValue("#make input[name=apis]"), "no-such");
}

/** Lets an account rest until a time of the visitor's own zone, or in UTC without scripts, as the label says. */
async function restUntil(page) {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const label = await page.locator("label", { has: page.locator("input[name=until]") }).textContent();
  const isLocal = label.includes("Asia/Dubai");
  assert.ok(isLocal || label.includes("UTC"), label);
  await page.fill("input[name=until]", `${tomorrow}T08:30`);
  await press(page, "Let it rest");
  assert.match(await said(page), /rests/);
  const ends = await page.locator("#api-a .why time").first().getAttribute("datetime");
  // Two clocks may differ by a millisecond.
  const late = Date.parse(ends) - Date.parse(`${tomorrow}T${isLocal ? "04:30" : "08:30"}:00.000Z`);
  assert.ok(Math.abs(late) < 1000, ends);
  await press(page, "Try it again now");
  assert.match(await page.textContent("#api-a"), /can serve/);
}

async function accounts(page) {
  await page.goto(`${base}/ui/accounts/a`);
  await press(page, "Let it rest");
  assert.match(await said(page), /rests/);
  assert.match(await page.textContent("#api-a"), /let rest by an operator/);
  await press(page, "Try it again now");
  assert.match(await page.textContent("#api-a"), /can serve/);
  await restUntil(page);

  await page.fill("input[name=rpm]", "1000");
  await press(page, "Save");
  assert.match(await said(page), /in force/);
  assert.match(await page.textContent("#api-a"), /1,000/);
  await page.fill("input[name=rpm]", "-7");
  await press(page, "Save");
  assert.match(await said(page), /rpm/);
  assert.equal(await page.inputValue("input[name=rpm]"), "-7", "what was typed stays");
  await page.goto(`${base}/ui/accounts/a`);
  await page.fill("input[name=rpm]", "");
  await press(page, "Save");
  assert.doesNotMatch(await page.textContent("#api-a"), /1,000/);

  await ticked(page, "Disable");
  assert.match(await page.textContent("#api-a"), /disabled/);
  await press(page, "Enable");
  await page.fill("input[name=key]", "sk-another-0123456789abcdef");
  await press(page, "Replace the key");
  assert.match(await said(page), /replaced/);
  assert.ok(!(await page.content()).includes("sk-another"));
}

async function added(page) {
  await page.goto(`${base}/ui/add`);
  await page.fill("input[name=id]", "new one");
  await page.fill("input[name=baseUrl]", "no address");
  await page.fill("input[name=key]", "sk-new-0123456789abcdef");
  await press(page, "Add");
  assert.match(await said(page), /baseUrl/);
  assert.equal(await page.inputValue("input[name=id]"), "new one");
  await page.fill("input[name=baseUrl]", process.env.UPSTREAM_URL);
  await page.fill("input[name=key]", "sk-new-0123456789abcdef");
  await page.fill("input[name=models]", "m, m2");
  await press(page, "Add");
  assert.equal(new URL(page.url()).pathname, "/ui/accounts/new%20one");
  assert.match(await page.textContent(".card"), /can serve/);
  await page.goto(`${base}/ui/add`);
  await page.fill("input[name=id]", "short-lived");
  await page.fill("input[name=baseUrl]", process.env.UPSTREAM_URL);
  await page.fill("input[name=key]", "sk-short-0123456789abcdef");
  await press(page, "Add");
  await ticked(page, "Remove");
  assert.match(await said(page), /Removed/);
  assert.doesNotMatch(await page.textContent(".cards"), /short-lived/);
}

async function configuration(page, other) {
  await page.goto(`${base}/ui/configuration`);
  const text = await page.inputValue("#text");
  assert.ok(!text.includes("sk-upstream-a-0123456789") && text.includes("masked"), "no secret");
  await page.fill("#text", text.replace(/"apis": *\[/, '"apis": ['));
  await press(page, "Check");
  assert.match(await page.textContent("main"), /says the same|would change/);
  // A mistake is told with its place, and the text stays.
  await page.fill("#text", text.replace('"models"', '"modles"'));
  await press(page, "Save");
  assert.match(await page.textContent(".problem"), /modles/);
  assert.match(await page.inputValue("#text"), /modles/);
  await page.fill("#text", text.slice(1));
  await press(page, "Save");
  assert.match(await page.textContent(".problem"), /line 1|JSON/);

  // Two at once: the second is told, and loses nothing.
  await page.goto(`${base}/ui/configuration`);
  await other.goto(`${base}/ui/configuration`);
  await other.fill("#text", (await other.inputValue("#text")).replace('"rpm": 30', '"rpm": 31'));
  await press(other, "Save");
  assert.match(await said(other), /in force/);
  const mine = (await page.inputValue("#text")).replace('"rpm": 30', '"rpm": 32');
  await page.fill("#text", mine);
  await press(page, "Save");
  assert.match(await page.textContent(".problem"), /Somebody else/);
  assert.equal(await page.inputValue("#text"), mine);

  // And back.
  await other.goto(`${base}/ui/configuration`);
  await other.fill("#text", (await other.inputValue("#text")).replace('"rpm": 31', '"rpm": 30'));
  await press(other, "Check");
  assert.match(await other.textContent(".diff"), /\+.*30/);
  await press(other, "Save");
  assert.match(await said(other), /in force/);
}

await withBrowser(async (open) => {
  for (const javaScriptEnabled of [true, false]) {
    const page = await open({ javaScriptEnabled, timezoneId: "Asia/Dubai" });
    const other = await open({ javaScriptEnabled });
    await logIn(page, admin);
    await logIn(other, admin);
    await keys(page, javaScriptEnabled ? "colleague" : "other-colleague");
    await accounts(page);
    if (javaScriptEnabled) await added(page);
    await configuration(page, other);
    await page.goto(`${base}/ui/system`);
    assert.match(await page.textContent("main"), /Make the key (other-)?colleague/);
    await press(page, "Log out");
    assert.equal(new URL(page.url()).pathname, "/ui/login");
    await page.goto(`${base}/ui/keys`);
    assert.equal(new URL(page.url()).pathname, "/ui/login");
  }
});
console.log("actions: passed");
