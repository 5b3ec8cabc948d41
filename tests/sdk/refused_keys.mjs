// Asks with each key by the official packages for Node, and prints what each call raised and how many HTTP requests were sent.
//
//     API_TOGETHER_TOOLS=…/target/tools node refused_keys.mjs http://127.0.0.1:3001 KEY…
//
// One line of JSON for each package and key. tests/api/sdk_refusals.rs starts the pool, and knows what each key is refused for.

import { createRequire } from "node:module";

// The packages are not beside this file, where an `import` would look for them.
const require = createRequire(`${process.env.API_TOGETHER_TOOLS}/clients-node/`);
const OpenAI = require("openai");
const Anthropic = require("@anthropic-ai/sdk");

const [url, ...keys] = process.argv.slice(2);
const messages = [{ role: "user", content: "Hello!" }];
const body = (stream) => ({ model: "m", messages, max_tokens: 24, stream });

const SDKS = {
  openai: (options, stream) => new OpenAI({ baseURL: `${url}/v1`, ...options }).chat.completions.create(body(stream)),
  anthropic: (options, stream) => new Anthropic({ baseURL: url, ...options }).messages.create(body(stream)),
};

for (const [sdk, ask] of Object.entries(SDKS)) {
  for (const key of keys) {
    for (const stream of [false, true]) {
      let requests = 0;
      const counted = (...request) => {
        requests += 1;
        return fetch(...request);
      };
      const told = { sdk, key, stream, raised: null };
      try {
        await ask({ apiKey: key, timeout: 20_000, fetch: counted }, stream);
      } catch (error) {
        const said = error.error?.error ?? error.error;
        Object.assign(told, { raised: error.constructor.name, status: error.status, message: error.message });
        Object.assign(told, { kind: said?.type ?? null, code: error.code ?? null });
      }
      console.log(JSON.stringify({ ...told, requests }));
    }
  }
}
