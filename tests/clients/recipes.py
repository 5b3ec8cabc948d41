"""The recipes of docs/agents.md: a fenced block below `<!-- tested: NAME -->` is used here as it stands there."""

import re
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "agents.md"
BLOCK = re.compile(r"<!-- tested: ([a-z-]+) -->\s*```\w*\n(.*?)```", re.DOTALL)


def recipe(name, address, key):
    """Returns a block of the document, for this pool: address and key are all that changes."""
    blocks = dict(BLOCK.findall(FILE.read_text()))
    assert name in blocks, f"{FILE} has no block below <!-- tested: {name} -->, but {sorted(blocks)}"
    return blocks[name].replace("http://localhost:3001", address).replace("sk-123", key)
