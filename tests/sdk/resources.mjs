// Makes every call of resources.json with the official packages for Node, and prints what each of them returned.
//
//     BASE_URL=http://127.0.0.1:3001 API_KEY=… API_TOGETHER_TOOLS=…/target/tools node resources.mjs openai|azure|anthropic
//
// tests/api/sdk/resources.rs compares what is printed, with the pool and without.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { API_KEY, API_TOGETHER_TOOLS, BASE_URL } = process.env;
// The packages are not beside this file, where an `import` would look for them.
const require = createRequire(`${API_TOGETHER_TOOLS}/clients-node/`);
const OpenAI = require("openai");
const Anthropic = require("@anthropic-ai/sdk");

const OPTIONS = { apiKey: API_KEY, adminAPIKey: API_KEY, timeout: 20_000, maxRetries: 0 };
const CLIENTS = {
  openai: () => new OpenAI({ baseURL: `${BASE_URL}/v1`, ...OPTIONS }),
  azure: () => new OpenAI.AzureOpenAI({ endpoint: BASE_URL, apiVersion: "2024-10-21", ...OPTIONS }),
  anthropic: () => new Anthropic({ baseURL: BASE_URL, ...OPTIONS }),
};

/// Puts a file where a text begins with an @, which its name follows. The content has what looks like a boundary.
function filesOf(value) {
  if (typeof value === "string" && value.startsWith("@")) {
    const bytes = Buffer.from(Array.from({ length: 10_240 }, (_, nth) => nth % 256));
    return new File([`\r\n--boundary\r\n`, bytes, value], value.slice(1));
  }
  if (Array.isArray(value)) return value.map(filesOf);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filesOf(one)]));
}

/// What a call returned, as JSON: streams and pages as the list of all that they bring.
async function shown(value) {
  if (value instanceof Response) return Buffer.from(await value.arrayBuffer()).toString("hex");
  if (!value?.[Symbol.asyncIterator]) return value ?? null;
  const all = [];
  for await (const one of value) all.push(one);
  return all;
}

const camel = (name) =>
  name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()).replace("Url", "URL").replace("Oauth", "OAuth");

const chosen = process.argv[2];
const client = CLIENTS[chosen]();
const calls = JSON.parse(readFileSync(new URL("resources.json", import.meta.url)));
for (const [name, first, params] of calls[chosen]) {
  const path = camel(name).split(".");
  const resource = path.slice(0, -1).reduce((resource, part) => resource[part], client);
  const given = [first ?? [], Object.keys(params).length ? filesOf(params) : []].flat();
  const outcome = await (async () => shown(await resource[path.at(-1)](...given)))().catch((error) => ({
    raised: `${error.name} ${error.constructor.name}: ${error.message}`,
  }));
  console.log(JSON.stringify([name, outcome]));
}
