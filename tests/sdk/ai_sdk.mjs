// Calls each function of Vercel's AI SDK with each provider that has the function, and prints what each of them returned.
//
//     BASE_URL=http://127.0.0.1:3001 API_KEY=… API_TOGETHER_TOOLS=…/target/tools node ai_sdk.mjs
//
// tests/api/sdk/libraries.rs compares what is printed, with the pool and without.

import { createRequire } from "node:module";

const { API_KEY, API_TOGETHER_TOOLS, BASE_URL } = process.env;
// The packages are not beside this file, where an `import` would look for them.
const require = createRequire(`${API_TOGETHER_TOOLS}/node/`);
const ai = require("ai");
const { z } = require("zod");

globalThis.AI_SDK_LOG_WARNINGS = false;
const AT = { baseURL: `${BASE_URL}/v1`, apiKey: API_KEY };
const openai = require("@ai-sdk/openai").createOpenAI(AT);
const anthropic = require("@ai-sdk/anthropic").createAnthropic(AT);
const compatible = require("@ai-sdk/openai-compatible").createOpenAICompatible({
  name: "pool",
  // The pool asks for the usage of a stream, if nobody else does.
  includeUsage: true,
  ...AT,
});

const CHATS = {
  "openai.responses": openai.responses("m"),
  "openai.chat": openai.chat("m"),
  "openai.completion": openai.completion("m"),
  "compatible.chat": compatible.chatModel("m"),
  "compatible.completion": compatible.completionModel("m"),
  anthropic: anthropic("m"),
};
const EMBEDDINGS = { openai: openai.embedding("m"), compatible: compatible.textEmbeddingModel("m") };
const IMAGES = { openai: openai.image("m"), compatible: compatible.imageModel("m") };
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
const tools = { weather: ai.tool({ description: "of a town", inputSchema: z.object({ town: z.string() }) }) };

const calls = [];
for (const [name, model] of Object.entries(CHATS)) {
  const asked = { model, prompt: "Grüße, 世界 🎉", maxRetries: 0 };
  calls.push([`${name}.generateText`, async () => (await ai.generateText({ ...asked, maxOutputTokens: 9 })).text]);
  calls.push([`${name}.streamText`, async () => {
    const stream = ai.streamText({ ...asked, onError: ({ error }) => { throw error; } });
    const pieces = [];
    for await (const piece of stream.textStream) pieces.push(piece);
    return [pieces, await stream.finishReason, (await stream.usage).totalTokens ?? null];
  }]);
  if (name.endsWith("completion")) continue;
  const object = { ...asked, schema: z.object({ a: z.number() }), prompt: "an object" };
  calls.push([`${name}.generateObject`, async () => (await ai.generateObject(object)).object]);
  calls.push([`${name}.tools`, async () => (await ai.generateText({ ...asked, tools })).text]);
  const content = [{ type: "text", text: "What is this?" }, { type: "image", image: PNG, mediaType: "image/png" }];
  const seen = { model, maxRetries: 0, messages: [{ role: "user", content }] };
  calls.push([`${name}.image`, async () => (await ai.generateText(seen)).text]);
}
const once = { maxRetries: 0 };
for (const [name, model] of Object.entries(EMBEDDINGS)) {
  calls.push([`${name}.embed`, async () => (await ai.embed({ model, value: "é", ...once })).embedding]);
  const many = { model, values: ["a", "b"], ...once };
  calls.push([`${name}.embedMany`, async () => (await ai.embedMany(many)).embeddings]);
}
for (const [name, model] of Object.entries(IMAGES)) {
  const [made, edited] = [{ prompt: "a cat", size: "256x256" }, { prompt: { text: "a hat", images: [PNG] } }];
  calls.push([`${name}.generateImage`, async () => (await ai.generateImage({ model, ...made, ...once })).image.base64]);
  calls.push([`${name}.editImage`, async () => (await ai.generateImage({ model, ...edited, ...once })).image.base64]);
}
const audio = new Uint8Array([82, 73, 70, 70, 0, 0, 0, 0, 87, 65, 86, 69]);
const heard = { model: openai.transcription("m"), audio, ...once };
calls.push(["openai.transcribe", async () => (await ai.experimental_transcribe(heard)).text]);
const spoken = { model: openai.speech("m"), text: "Grüße", voice: "alloy", ...once };
calls.push(["openai.generateSpeech", async () => (await ai.experimental_generateSpeech(spoken)).audio.base64]);

for (const [name, call] of calls) {
  const outcome = await call().catch((error) => ({ raised: `${error.name}: ${error.message}` }));
  console.log(JSON.stringify([name, outcome]));
}
