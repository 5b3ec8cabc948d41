"""Asks with each key by the official packages for Python, and prints what each call raised and how many HTTP requests were sent.

    python refused_keys.py http://127.0.0.1:3001 KEY…

One line of JSON for each package and key. tests/api/sdk_refusals.rs starts the pool, and knows what each key is refused for.
"""

import json
import sys

import anthropic
import openai

URL, *KEYS = sys.argv[1:]
HELLO = [{"role": "user", "content": "Hello!"}]


def openai_chat(key, http_client, stream):
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=key, http_client=http_client, timeout=20)
    client.chat.completions.create(model="m", messages=HELLO, max_tokens=24, stream=stream)


def anthropic_messages(key, http_client, stream):
    client = anthropic.Anthropic(base_url=URL, api_key=key, http_client=http_client, timeout=20)
    client.messages.create(model="m", messages=HELLO, max_tokens=24, stream=stream)


for package, ask in (openai, openai_chat), (anthropic, anthropic_messages):
    for key in KEYS:
        for stream in False, True:
            sent = []
            http_client = package.DefaultHttpxClient(event_hooks={"request": [sent.append]})
            told = {"sdk": package.__name__, "key": key, "stream": stream, "raised": None}
            try:
                ask(key, http_client, stream)
            except package.APIStatusError as error:
                body = error.body if isinstance(error.body, dict) else {}
                told |= {"raised": type(error).__name__, "status": error.status_code, "message": error.message}
                told["kind"] = body.get("error", body).get("type")
                told["code"] = getattr(error, "code", None)
            print(json.dumps(told | {"requests": len(sent)}), flush=True)
