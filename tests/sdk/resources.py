"""Makes every call of resources.json with the official packages for Python, and prints what each of them returned.

    BASE_URL=http://127.0.0.1:3001 API_KEY=… python resources.py openai|agents|azure|anthropic

tests/api/sdk/resources.rs compares what is printed, with the pool and without.
"""

import json
import os
import sys
import warnings

import anthropic
import openai

warnings.simplefilter("ignore")
BASE_URL = os.environ["BASE_URL"]
OPTIONS = {"api_key": os.environ["API_KEY"], "timeout": 20, "max_retries": 0}
CLIENTS = {
    "openai": lambda: openai.OpenAI(base_url=f"{BASE_URL}/v1", **OPTIONS),
    "agents": lambda: openai.OpenAI(base_url=f"{BASE_URL}/v1", **OPTIONS),
    "azure": lambda: openai.AzureOpenAI(azure_endpoint=BASE_URL, api_version="2024-10-21", **OPTIONS),
    "anthropic": lambda: anthropic.Anthropic(base_url=BASE_URL, **OPTIONS),
}


def files_of(value):
    """Puts a file where a text begins with an @, which its name follows. The content has what looks like a boundary."""
    if isinstance(value, str) and value.startswith("@"):
        return value[1:], b"\r\n--boundary\r\n" + bytes(range(256)) * 40 + value.encode()
    if isinstance(value, list):
        return [files_of(one) for one in value]
    return {name: files_of(one) for name, one in value.items()} if isinstance(value, dict) else value


def shown(value):
    """What a call returned, as JSON: streams and pages as the list of all that they bring."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if hasattr(value, "__next__") or hasattr(value, "has_next_page"):
        return [shown(one) for one in value]
    if hasattr(value, "to_dict"):
        return value.to_dict(mode="json", warnings=False)
    return (value.content if hasattr(value, "content") else value.read()).hex()


def outcome(call, first, params):
    try:
        return shown(call(*([] if first is None else [first]), **files_of(params)))
    except Exception as error:
        text = getattr(getattr(error, "response", None), "text", "")
        return {"raised": f"{type(error).__name__}: {error} {text}"}


def main():
    with open(os.path.join(os.path.dirname(__file__), "resources.json"), encoding="utf-8") as file:
        calls = json.load(file)[sys.argv[1]]
    client = CLIENTS[sys.argv[1]]()
    for name, first, params in calls:
        call = client
        for part in name.split("."):
            call = getattr(call, part)
        print(json.dumps([name, outcome(call, first, params)]))


main()
