// Drives realtime of the official OpenAI package for Node against a running pool, and says what it did not find as promised.
//
//     BASE_URL=https://localhost:3001/v1 API_KEY=… API_TOGETHER_TOOLS=…/target/tools NODE_EXTRA_CA_CERTS=cert.pem node realtime.mjs pool
//
// The pool has the upstream of tests/api/realtime/sdk.rs. The browser's form speaks TLS alone, so the pool does.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { API_KEY, API_TOGETHER_TOOLS, BASE_URL } = process.env;
// The packages are not beside this file, where an `import` would look for them.
const require = createRequire(`${API_TOGETHER_TOOLS}/node/`);
const OpenAI = require("openai");
const { OpenAIRealtimeWS } = require("openai/realtime/ws");
const { OpenAIRealtimeWebSocket } = require("openai/realtime/websocket");
// What a browser has.
globalThis.WebSocket = require("ws").WebSocket;

const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY });

/// Asks for a response in a session. Returns what was said, and the usage.
async function talk(session) {
  const socket = session.socket;
  await new Promise((opened, failed) => {
    socket.addEventListener("open", opened);
    session.on("error", failed);
  });
  assert.equal(socket.protocol === "" || socket.protocol === "realtime", true, socket.protocol);
  session.send({ type: "session.update", session: { type: "realtime", instructions: "Be brief. é 世" } });
  session.send({ type: "response.create" });
  let said = "";
  const done = await new Promise((ended, failed) => {
    session.on("response.output_text.delta", (event) => (said += event.delta));
    session.on("response.done", ended);
    session.on("error", failed);
  });
  const closed = new Promise((closed) => socket.addEventListener("close", closed));
  session.close({ code: 1000, reason: "OK" });
  assert.equal((await closed).code, 1000);
  return [said, done.response.usage.total_tokens];
}

assert.deepEqual(await talk(new OpenAIRealtimeWS({ model: "m" }, client)), ["Grüße, 世界", 70]);
assert.deepEqual(await talk(new OpenAIRealtimeWebSocket({ model: "m" }, client)), ["Grüße, 世界", 70]);

const secret = await client.realtime.clientSecrets.create({ session: { type: "realtime", model: "m" } });
const browser = new OpenAI({ baseURL: BASE_URL, apiKey: secret.value, dangerouslyAllowBrowser: true });
assert.deepEqual(await talk(new OpenAIRealtimeWebSocket({ model: "m" }, browser)), ["Grüße, 世界", 70]);
assert.deepEqual(await talk(new OpenAIRealtimeWS({ model: "m" }, browser)), ["Grüße, 世界", 70]);

const refused = new OpenAIRealtimeWS({ model: "unknown" }, client);
const error = await new Promise((failed) => refused.on("error", failed));
assert.match(error.message, /404/);
