// Drives the official OpenAI package for Node against a running pool, and says what it did not find as promised.
//
//     BASE_URL=http://127.0.0.1:3001/v1 API_KEY=… API_TOGETHER_TOOLS=…/target/tools node node_sdk.mjs pool|demo
//
// `pool` expects the upstreams that tests/api/sdk.rs starts, `demo` those of `api-together demo`.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { API_KEY, API_TOGETHER_TOOLS, BASE_URL } = process.env;
// The package is not beside this file, where an `import` would look for it.
const OpenAI = createRequire(`${API_TOGETHER_TOOLS}/node/`)("openai");

const HELLO = [{ role: "user", content: "Hello!" }];
const SAID = "Grüße, 世界 🎉 – done.";
const VECTOR = [0.5, -0.25, 1.0];

/// A client that counts the HTTP requests that it sends: its own retries included. The account's names are the client's
/// own affair: tests/api/sdk.rs checks that no upstream sees them.
function client(options = {}) {
  const counted = new OpenAI({
    baseURL: BASE_URL,
    apiKey: API_KEY,
    organization: "org-of-the-client",
    project: "proj-of-the-client",
    timeout: 20_000,
    fetch: (...request) => {
      counted.requests += 1;
      return fetch(...request);
    },
    ...options,
  });
  counted.requests = 0;
  return counted;
}

const chat = (model, more = {}, asking = client()) =>
  asking.chat.completions.create({ model, messages: HELLO, ...more });

async function all(stream) {
  const items = [];
  for await (const item of await stream) items.push(item);
  return items;
}

async function raised(kind, promise) {
  const error = await promise.then(
    () => assert.fail(`no ${kind.name} was raised`),
    (error) => error,
  );
  assert.equal(error.constructor.name, kind.name, `${error.stack}`);
  return error;
}

const text = (chunks) => chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join("");

const POOL = {
  async chat() {
    const answer = await chat("m");
    assert.equal(answer.choices[0].message.content, SAID);
    assert.deepEqual(answer.usage, { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 });
    assert.equal(answer._request_id, "req-of-the-upstream");
    assert.equal((await chat("friendly-name")).choices[0].message.content, SAID);
  },

  async chatStream() {
    const { data, request_id } = await chat("m", { stream: true }).withResponse();
    assert.ok(request_id, "a stream has no request id");
    const chunks = await all(data);
    for (const chunk of chunks) {
      assert.ok(chunk.choices.length > 0 && !("usage" in chunk), `usage, which nobody asked for: ${JSON.stringify(chunk)}`);
    }
    const deltas = chunks.map((chunk) => chunk.choices[0].delta.content);
    assert.deepEqual(deltas, ["", "Grüße, ", "世界 ", "🎉 ", "– done.", undefined]);
    assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
  },

  async chatStreamWithUsage() {
    const chunks = await all(chat("m", { stream: true, stream_options: { include_usage: true } }));
    const last = chunks.pop();
    assert.equal(text(chunks), SAID);
    assert.deepEqual(chunks.map((chunk) => chunk.usage), Array(6).fill(null));
    assert.deepEqual([last.choices, last.usage.total_tokens], [[], 7]);
  },

  async embeddings() {
    // Unless told otherwise, the SDK asks for base64 and decodes it.
    for (const more of [{}, { encoding_format: "float" }]) {
      const answer = await client().embeddings.create({ model: "m", input: "text", ...more });
      assert.deepEqual(answer.data.map((item) => item.embedding), [VECTOR]);
      assert.equal(answer.usage.total_tokens, 5);
      assert.ok(answer._request_id, "an answer without the upstream's request id has none of the pool's");
    }
  },

  async models() {
    const listed = new Map((await all(client().models.list())).map((model) => [model.id, model]));
    for (const name of ["m", "friendly-name", "vendor/m"]) {
      const { _request_id, ...one } = await client().models.retrieve(name);
      assert.deepEqual(one, listed.get(name));
    }
    assert.deepEqual(Object.keys(listed.get("m")).sort(), ["created", "id", "object", "owned_by"]);
    const error = await raised(OpenAI.NotFoundError, client().models.retrieve("nonesuch"));
    assert.equal(error.code, "model_not_found");
  },

  async completions() {
    const answer = await client().completions.create({ model: "m", prompt: "Hello" });
    assert.deepEqual([answer.choices[0].text, answer.usage.total_tokens], [SAID, 7]);
  },

  async moderations() {
    const { results } = await client().moderations.create({ model: "m", input: "Hello" });
    assert.deepEqual([results[0].flagged, results[0].category_scores.hate], [true, 0.75]);
  },

  async responses() {
    const answer = await client().responses.create({ model: "m", input: "Hello" });
    assert.deepEqual([answer.output_text, answer.usage.total_tokens], [SAID, 11]);
    const events = await all(client().responses.create({ model: "m", input: "Hello", stream: true }));
    const kinds = ["response.created", ...Array(4).fill("response.output_text.delta"), "response.completed"];
    assert.deepEqual(events.map((event) => event.type), kinds);
    assert.equal(events.slice(1, -1).map((event) => event.delta).join(""), SAID);
    assert.equal(events.at(-1).response.usage.total_tokens, 11);
  },

  async images() {
    const { data } = await client().images.generate({ model: "m", prompt: "a cat" });
    assert.equal(data[0].b64_json, "aW1hZ2U=");
  },

  async speech() {
    const answer = await client().audio.speech.create({ model: "m", input: "Hello", voice: "alloy" });
    assert.equal(answer.headers.get("content-type"), "audio/mpeg");
    const wanted = Uint8Array.from({ length: 10_240 }, (_, i) => i % 256);
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), wanted);
  },

  async rawResponseHeaders() {
    const response = await chat("m").asResponse();
    assert.deepEqual([response.status, response.headers.get("content-type")], [200, "application/json"]);
    assert.equal(response.headers.get("x-request-id"), "req-of-the-upstream");
  },

  async aWrongKey() {
    const error = await raised(OpenAI.AuthenticationError, chat("m", {}, client({ apiKey: "sk-wrong" })));
    assert.deepEqual([error.status, error.code, error.type], [401, "invalid_api_key", "authentication_error"]);
    assert.ok(error.requestID, "no request id");
  },

  async anUnknownModel() {
    const error = await raised(OpenAI.NotFoundError, chat("nonesuch"));
    assert.deepEqual([error.code, error.param], ["model_not_found", "model"]);
    assert.match(error.message, /nonesuch/);
  },

  async aMistakeOfTheCallers() {
    const error = await raised(OpenAI.BadRequestError, chat("strict"));
    assert.equal(error.message, "400 Invalid 'messages': “é”");
    assert.deepEqual([error.type, error.param, error.code], ["invalid_request_error", "messages", "bad"]);
    assert.equal(error.requestID, "req-of-the-upstream");
  },

  async aSpentMinute() {
    assert.equal((await chat("scarce-minute")).choices[0].message.content, SAID);
    const error = await raised(OpenAI.RateLimitError, chat("scarce-minute", {}, client({ maxRetries: 0 })));
    assert.equal(error.code, "rate_limit_exceeded");
    const wait = Number(error.headers.get("retry-after"));
    assert.ok(30 < wait && wait <= 61, `retry-after: ${wait}`);
  },

  async aSpentDay() {
    assert.equal((await chat("scarce-day")).choices[0].message.content, SAID);
    const asking = client();
    // This SDK has no longest wait: without x-should-retry it would sleep until midnight.
    const error = await raised(OpenAI.RateLimitError, chat("scarce-day", {}, asking));
    assert.ok(Number(error.headers.get("retry-after")) > 3600, error.headers.get("retry-after"));
    assert.deepEqual([error.headers.get("x-should-retry"), asking.requests], ["false", 1]);
  },

  async upstreamsThatFail() {
    for (const [model, status] of [["dropping", 502], ["locked", 502], ["failing", 500]]) {
      const asking = client();
      const error = await raised(OpenAI.InternalServerError, chat(model, {}, asking));
      assert.equal(error.status, status, model);
      assert.ok(error.requestID, `no request id: ${error}`);
      // Every upstream was tried already: two more rounds of that would help nobody, and rest them all.
      assert.equal(asking.requests, 1, `${asking.requests} HTTP requests for ${model}`);
    }
  },

  async aStreamThatBreaksOff() {
    const seen = [];
    const read = async () => {
      for await (const chunk of await chat("breaking", { stream: true })) seen.push(chunk.choices[0].delta.content);
    };
    const error = await raised(OpenAI.APIError, read());
    assert.deepEqual(seen, ["Half of"]);
    assert.deepEqual([error.code, error.type], ["upstream_failed", "upstream_error"]);
  },
};

const DEMO = {
  async chat() {
    // One of its two upstreams fails now and then: nobody sees that.
    for (let i = 0; i < 8; i += 1) {
      const asking = client();
      const { choices, usage } = await chat("demo-chat", {}, asking);
      assert.match(choices[0].message.content, /You said: Hello!/);
      assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
      assert.equal(asking.requests, 1, `${asking.requests} HTTP requests`);
    }
  },

  async stream() {
    const chunks = await all(chat("demo-chat", { stream: true }));
    assert.match(text(chunks), /You said: Hello!/);
    assert.ok(chunks.length > 5, "it comes word by word");
    const last = (await all(chat("demo-chat", { stream: true, stream_options: { include_usage: true } }))).at(-1);
    assert.ok(last.choices.length === 0 && last.usage.total_tokens > 0, JSON.stringify(last));
  },

  async embeddings() {
    const embed = async (more) =>
      (await client().embeddings.create({ model: "demo-embedding", input: "one", ...more })).data[0].embedding;
    const [decoded, floats] = [await embed({}), await embed({ encoding_format: "float" })];
    assert.equal(decoded.length, floats.length, `base64 was not answered with base64: ${decoded}`);
    assert.ok(Math.abs(Math.hypot(...decoded) - 1) < 1e-5, `${decoded}`);
    assert.ok(decoded.every((x, i) => Math.abs(x - floats[i]) < 1e-6), `${decoded}, ${floats}`);
  },

  async models() {
    const names = (await all(client().models.list())).map((model) => model.id);
    assert.deepEqual(names.sort(), ["demo-chat", "demo-embedding", "gpt-4"]);
  },
};

const failed = [];
for (const [name, check] of Object.entries({ pool: POOL, demo: DEMO }[process.argv[2]])) {
  try {
    await check();
  } catch (error) {
    failed.push(name);
    console.error(`--- ${name}:\n${error.stack}\n`);
  }
}
if (failed.length > 0) {
  console.error(`openai for Node, failed: ${failed.join(", ")}`);
  process.exitCode = 1;
}
