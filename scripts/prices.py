#!/usr/bin/env python3
"""Makes config/prices.csv from a published table of prices: `scripts/prices.py PUBLISHED.csv > config/prices.csv`.

The published table has the columns provider, model, input, output, cache_read, cache_write, reasoning, in dollars for a
million tokens, under the names of models.dev. Kept are the rows of providers with a preset (config/providers.json), under the
preset's id. Left out are rows without a price for the input. A price of 0 for a write into a cache means that a write costs no
more than other input, so the cell stays empty. Added are the rows of FREE: accounts without a price for a token.
"""

import csv
import decimal
import json
import pathlib
import re
import sys

COLUMNS = ["input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"]

# Run at home, or paid by the month.
FREE = ["ollama", "ollama-cloud", "lmstudio", "vllm", "llama.cpp", "zhipu-coding", "zai-coding", "kimi-coding",
        "volcengine-coding", "dashscope-coding", "dashscope-coding-cn", "mimo-coding-sgp", "mimo-coding-cn",
        "mimo-coding-ams"]

# Patterns for whole families.
PATTERNS = [("openrouter", "*:free")]


def presets():
    path = pathlib.Path(__file__).parent.parent / "config" / "providers.json"
    providers = json.loads(path.read_text())["providers"]
    words = {}
    for provider, facts in providers.items():
        for word in [provider, *facts.get("aka", [])]:
            words.setdefault(word, provider)
    return words


def plain(number):
    text = format(decimal.Decimal(number).normalize(), "f")
    return text


def main(path):
    lines = pathlib.Path(path).read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    date = re.search(r"\d{4}-\d{2}-\d{2}", " ".join(comments)).group()
    words, rows = presets(), {}
    for row in csv.DictReader(line for line in lines if line and not line.startswith("#")):
        provider = words.get(row["provider"])
        cells = {column: row.get(column) or "" for column in COLUMNS}
        if provider is None or not cells["input"]:
            continue
        prices = {column: plain(cell) for column, cell in cells.items() if cell}
        if any(decimal.Decimal(price) < 0 for price in prices.values()):
            sys.exit(f"{provider} {row['model']}: a price below zero")
        if prices.get("cache_write") == "0":
            del prices["cache_write"]
        rows.setdefault((provider, row["model"]), prices)
    for key in [(provider, "*") for provider in FREE] + PATTERNS:
        rows[key] = {"input": "0", "output": "0"}
    print(f"# US dollars for a million tokens, as of {date}, from models.dev (MIT). Made by scripts/prices.py.")
    print("# An empty cell: a cache costs as much as other input, thoughts as much as other output.")
    print(",".join(["provider", "model", *COLUMNS]))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for (provider, model), prices in sorted(rows.items()):
        writer.writerow([provider, model, *(prices.get(column, "") for column in COLUMNS)])


main(*sys.argv[1:])
