// The official OpenAI package for Node.

import assert from "node:assert/strict";

import OpenAI from "openai";

import { ADD, BASE_URL, EMBEDDING, FIRST, KEY, MODEL, SECOND, THIRD, add, expect, sessions } from "./task.mjs";

const client = new OpenAI({ baseURL: `${BASE_URL}/v1`, apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const tools = [{ type: "function", ...ADD }];

const result = (call) => ({ type: "function_call_output", call_id: call.call_id, output: add(call.arguments) });

async function chatting(ask) {
  const messages = [{ role: "user", content: FIRST }];
  for (const question of [null, SECOND, THIRD, null]) {
    const message = await ask({ model: MODEL, messages, tools: [{ type: "function", function: ADD }] });
    messages.push(message);
    if (message.tool_calls?.length) {
      const [call] = message.tool_calls;
      messages.push({ role: "tool", tool_call_id: call.id, content: add(call.function.arguments) });
    } else {
      expect(message.content);
      messages.push({ role: "user", content: question ?? SECOND });
    }
  }
}

await sessions({
  async chat() {
    await chatting(async (given) => (await client.chat.completions.create(given)).choices[0].message);
  },

  async chat_stream() {
    await chatting(async (given) => (await client.chat.completions.stream(given).finalChatCompletion()).choices[0].message);
  },

  async by_previous_response() {
    const ask = (input, previous) =>
      client.responses.create({ model: MODEL, tools, input, previous_response_id: previous?.id });
    const called = await ask(FIRST);
    let last = await ask([result(called.output.at(-1))], called);
    expect(last.output_text);
    for (const question of [SECOND, THIRD]) {
      last = await ask(question, last);
      expect(last.output_text);
    }
  },

  async without_store() {
    const input = [{ role: "user", content: FIRST }];
    for (const question of [null, SECOND, THIRD, null]) {
      const stateless = { store: false, include: ["reasoning.encrypted_content"] };
      const answer = await client.responses.stream({ model: MODEL, tools, input, ...stateless }).finalResponse();
      // The package adds fields of its own to a stream's items, which the API refuses.
      input.push(...answer.output.map(({ parsed_arguments, ...item }) => item));
      const call = answer.output.at(-1);
      if (call.type === "function_call") {
        input.push(result(call));
      } else {
        expect(call.content[0].text);
        input.push({ role: "user", content: question ?? SECOND });
      }
    }
  },

  async by_conversation() {
    const { id } = await client.conversations.create();
    const ask = (input) => client.responses.create({ model: MODEL, tools, input, conversation: id });
    const called = await ask(FIRST);
    expect((await ask([result(called.output.at(-1))])).output_text);
    for (const question of [SECOND, THIRD]) expect((await ask(question)).output_text);
  },

  async embeddings() {
    const { data } = await client.embeddings.create({ model: EMBEDDING, input: "text" });
    assert.deepEqual([...data[0].embedding], [0.5, -0.25, 1]);
  },

  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes(MODEL), `${names}`);
  },
});
