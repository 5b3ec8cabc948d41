"""The model that all accounts serve: the same question always gets the same answer.

1. A question that has CALL in it calls a tool, if the client offers one that the model knows.
2. A tool's result is answered with what was found in the result.
3. Any other question is answered with what the conversation has found so far.
"""

import itertools
import json
import re
from dataclasses import dataclass

# Asks for a call of a tool.
CALL = "[call a tool]"
# What tools find.
FOUND = re.compile(r"result-[0-9a-z]+")
# Says how often this model has been told something, so that tests see where a conversation was lost.
NOTHING = "I know of no result."

FILE = "codeword.txt"
READ = f"cat {FILE}"

# The arguments of each tool that the model knows, in the order of preference.
TOOLS = {
    "add": {"a": 19, "b": 23},
    # Claude Code, opencode, and Codex in several versions.
    "Bash": {"command": READ, "description": "Shows a file"},
    "bash": {"command": READ, "description": "Shows a file"},
    "exec_command": {"cmd": READ},
    "shell_command": {"command": READ},
    "shell": {"command": ["cat", FILE]},
    # Gemini CLI.
    "run_shell_command": {"command": READ, "description": "Shows a file"},
}


@dataclass
class Turn:
    """A part of a conversation: what a user asked, an assistant said, or a tool found."""

    role: str
    text: str


@dataclass
class Call:
    name: str
    arguments: str


def answer(turns, tools):
    """Returns a text, or a `Call` of one of the tools that are offered."""
    # What came since the model spoke: agents add reminders of their own to a question.
    since = list(itertools.takewhile(lambda turn: turn.role in ("user", "system"), reversed(turns)))
    if any(CALL in turn.text for turn in since):
        for name, arguments in TOOLS.items():
            if name in tools:
                return Call(name, json.dumps(arguments))
    found = [match for turn in turns if turn.role == "tool" for match in FOUND.findall(turn.text)]
    if not found:
        return NOTHING
    return f"As said before, it was {found[-1]}." if since else f"The tool found {found[-1]}."


def pieces(text):
    """Cuts a text into the pieces that a stream brings it in."""
    return re.findall(r"\S+\s*", text) or [""]


def tokens(value):
    """Returns a number of tokens that is the same for the same value."""
    return max(1, len(json.dumps(value)) // 4)


def texts(content):
    """Returns all text of a message's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or "" for part in content or [] if isinstance(part, dict))
