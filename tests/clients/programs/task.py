"""The task that all programs in Python do: three turns, the first with a call of a tool."""

import json
import os
import sys
import traceback

BASE_URL, KEY = os.environ["BASE_URL"], os.environ["KEY"]
MODEL, CLAUDE, EMBEDDING = "gpt-5.1", "claude-opus-4-8", "text-embedding-3-small"
# How often each part of a program is done: so often that both accounts have a share.
SESSIONS = int(os.environ.get("SESSIONS", "6"))

FIRST = "What is 19 and 23? [call a tool]"
SECOND = "What was it again?"
THIRD = "And once more?"

PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
ADD = {"name": "add", "description": "Adds two numbers.", "parameters": PARAMETERS}


def add(arguments):
    """What the tool does with its arguments, as a text."""
    given = json.loads(arguments) if isinstance(arguments, str) else arguments
    return f"result-{given['a'] + given['b']}"


def expect(said):
    """An answer has what the tool found: in this turn or in one before."""
    assert "result-42" in said, f"the conversation was lost: {said!r}"


def sessions(*parts):
    """Does each part in several sessions. Ends the program with a list of those that failed; `PARTS` names a few to be done, `WITHOUT` those to be left."""
    wanted, left = os.environ.get("PARTS", ""), os.environ.get("WITHOUT", "").split(",")
    failed = []
    for part in parts:
        if part.__name__ in left or wanted and part.__name__ not in wanted.split(","):
            continue
        failures = 0
        for nth in range(SESSIONS):
            try:
                part(f"session-{part.__name__}-{nth}")
            except Exception:
                failures += 1
                last = traceback.format_exc(limit=-2)
        if failures:
            failed.append(f"{part.__name__} {failures} of {SESSIONS}")
            print(f"--- {part.__name__}, {failures} of {SESSIONS} sessions:\n{last}", file=sys.stderr)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
