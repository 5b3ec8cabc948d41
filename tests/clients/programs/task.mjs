// The task that all programs for Node do: three turns, the first with a call of a tool.

import assert from "node:assert/strict";

export const { BASE_URL, KEY } = process.env;
export const [MODEL, CLAUDE, EMBEDDING] = ["gpt-5.1", "claude-opus-4-8", "text-embedding-3-small"];
const SESSIONS = Number(process.env.SESSIONS ?? "6");

export const FIRST = "What is 19 and 23? [call a tool]";
export const SECOND = "What was it again?";
export const THIRD = "And once more?";

export const PARAMETERS = {
  type: "object",
  properties: { a: { type: "integer" }, b: { type: "integer" } },
  required: ["a", "b"],
  additionalProperties: false,
};
export const ADD = { name: "add", description: "Adds two numbers.", parameters: PARAMETERS };

/// What the tool does with its arguments, as a text.
export function add(given) {
  const { a, b } = typeof given === "string" ? JSON.parse(given) : given;
  return `result-${a + b}`;
}

/// An answer has what the tool found: in this turn or in one before.
export function expect(said) {
  assert.match(said, /result-42/, "the conversation was lost");
}

/// Does each part in several sessions. Ends the program with a list of those that failed; `PARTS` names a few to be done,
/// `WITHOUT` those to be left.
export async function sessions(parts) {
  const failed = [];
  const left = process.env.WITHOUT?.split(",") ?? [];
  for (const [name, part] of Object.entries(parts)) {
    if (left.includes(name)) continue;
    if (process.env.PARTS && !process.env.PARTS.split(",").includes(name)) continue;
    let [failures, last] = [0, undefined];
    for (let nth = 0; nth < SESSIONS; nth += 1) {
      try {
        await part(`session-${name}-${nth}`);
      } catch (error) {
        [failures, last] = [failures + 1, error];
      }
    }
    if (failures > 0) {
      failed.push(`${name} ${failures} of ${SESSIONS}`);
      console.error(`--- ${name}, ${failures} of ${SESSIONS} sessions:\n${last.stack}\n`);
    }
  }
  if (failed.length > 0) console.error(`failed: ${failed.join(", ")}`);
  process.exit(failed.length > 0 ? 1 : 0);
}
