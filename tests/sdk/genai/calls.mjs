// Makes calls with Google's package for Node, and prints what each of them returned.
//
//     API_TOGETHER_TOOLS=target/tools BASE_URL=http://127.0.0.1:3001 API_KEY=… node calls.mjs
//
// tests/api/sdk/genai.rs compares what is printed, with the pool and without.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.API_TOGETHER_TOOLS}/genai-node/`);
const { GoogleGenAI } = await import(pathToFileURL(require.resolve("@google/genai")));
const client = (apiVersion) =>
  new GoogleGenAI({ apiKey: process.env.API_KEY, httpOptions: { baseUrl: process.env.BASE_URL, apiVersion } });
const [usual, stable] = [client(), client("v1")];

// The head is the server's own.
const shown = (answer) => ({ ...answer, sdkHttpResponse: undefined });
const all = async (stream) => {
  const pieces = [];
  for await (const piece of await stream) pieces.push(shown(piece));
  return pieces;
};
const config = { systemInstruction: "Short", maxOutputTokens: 9, temperature: 0.5 };
const image = { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" } };
const calls = {
  generate: () => usual.models.generateContent({ model: "m", contents: "Grüße, 世界 🎉" }),
  "generate with all": () => usual.models.generateContent({ model: "models/m", contents: ["Look", image], config }),
  "generate by v1": () => stable.models.generateContent({ model: "m", contents: "Hi" }),
  stream: () => all(usual.models.generateContentStream({ model: "m", contents: "Hi", config })),
  count: () => usual.models.countTokens({ model: "m", contents: "Hi" }),
  embed: () => usual.models.embedContent({ model: "m", contents: ["one", "two"], config: { outputDimensionality: 2 } }),
  chat: async () => {
    const chat = usual.chats.create({ model: "m" });
    return [await chat.sendMessage({ message: "One" }), await chat.sendMessage({ message: "Two" })].map(shown);
  },
};
for (const [name, call] of Object.entries(calls)) {
  let returned;
  try {
    returned = await call();
    returned = Array.isArray(returned) ? returned : shown(returned);
  } catch (error) {
    returned = { raised: `${error.name} ${error.status} ${error.message}` };
  }
  console.log(JSON.stringify([name, returned]));
}
