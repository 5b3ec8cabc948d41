// The Vercel AI SDK with its providers for OpenAI and Anthropic.

import assert from "node:assert/strict";

import { embed, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { CLAUDE, EMBEDDING, FIRST, MODEL, SECOND, THIRD, add, expect, sessions } from "./task.mjs";

// The recipe of docs/agents.md.
const { anthropic, openai } = await import(process.env.SNIPPET);

const tools = {
  add: tool({
    description: "Adds two numbers.",
    inputSchema: z.object({ a: z.number().int(), b: z.number().int() }),
    execute: async (given) => add(given),
  }),
};

async function conversation(model, ask) {
  const messages = [];
  for (const question of [FIRST, SECOND, THIRD]) {
    messages.push({ role: "user", content: question });
    const { said, more } = await ask({ model, messages, tools, stopWhen: stepCountIs(4), maxRetries: 0 });
    expect(said);
    messages.push(...more);
  }
}

async function whole(given) {
  const result = await generateText(given);
  return { said: result.text, more: result.response.messages };
}

async function streamed(given) {
  const errors = [];
  const result = streamText({ ...given, onError: ({ error }) => errors.push(error) });
  await result.consumeStream();
  if (errors.length > 0) throw errors[0];
  return { said: await result.text, more: (await result.response).messages };
}

await sessions({
  chat: () => conversation(openai.chat(MODEL), whole),
  chat_stream: () => conversation(openai.chat(MODEL), streamed),
  // Its default: earlier items go up as references.
  responses: () => conversation(openai(MODEL), whole),
  responses_stream: () => conversation(openai(MODEL), streamed),
  anthropic: () => conversation(anthropic(CLAUDE), whole),
  anthropic_stream: () => conversation(anthropic(CLAUDE), streamed),

  async embeddings() {
    const { embedding } = await embed({ model: openai.embedding(EMBEDDING), value: "text", maxRetries: 0 });
    assert.deepEqual(embedding, [0.5, -0.25, 1]);
  },
});
