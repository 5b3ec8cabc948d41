// The official Anthropic package for Node.

import assert from "node:assert/strict";

import Anthropic from "@anthropic-ai/sdk";

import { ADD, BASE_URL, CLAUDE, FIRST, KEY, PARAMETERS, SECOND, THIRD, add, expect, sessions } from "./task.mjs";

const client = new Anthropic({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const tools = [{ name: ADD.name, description: ADD.description, input_schema: PARAMETERS }];

async function conversation(session, ask) {
  const messages = [{ role: "user", content: FIRST }];
  for (const question of [null, SECOND, THIRD, null]) {
    const answer = await ask({ model: CLAUDE, max_tokens: 2000, messages, tools, metadata: { user_id: session } });
    messages.push({ role: "assistant", content: answer.content });
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0, JSON.stringify(answer.usage));
    const used = answer.content.find((block) => block.type === "tool_use");
    if (used) {
      messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: used.id, content: add(used.input) }] });
    } else {
      expect(answer.content.at(-1).text);
      messages.push({ role: "user", content: question ?? SECOND });
    }
  }
}

await sessions({
  async messages(session) {
    await conversation(session, (given) => client.messages.create(given));
  },

  async messages_stream(session) {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    await conversation(session, (given) => client.messages.stream({ ...given, thinking }).finalMessage());
  },

  async beta(session) {
    const betas = ["context-management-2025-06-27"];
    await conversation(session, (given) => client.beta.messages.create({ ...given, betas }));
  },

  async count_tokens() {
    const messages = [{ role: "user", content: FIRST }];
    assert.ok((await client.messages.countTokens({ model: CLAUDE, messages })).input_tokens > 0);
  },

  async models() {
    const names = [];
    for await (const model of client.models.list({ limit: 1000 })) names.push(model.id);
    assert.ok(names.includes(CLAUDE), `${names}`);
  },
});
