"""Makes calls with Google's package for Python, and prints what each of them returned.

    BASE_URL=http://127.0.0.1:3001 API_KEY=… python calls.py

tests/api/sdk/genai.rs compares what is printed, with the pool and without.
"""

import json
import os
import warnings

from google import genai
from google.genai import types

warnings.simplefilter("ignore")


def client(version=None):
    options = types.HttpOptions(base_url=os.environ["BASE_URL"], api_version=version, timeout=20_000)
    return genai.Client(api_key=os.environ["API_KEY"], http_options=options)


def shown(value):
    if hasattr(value, "model_dump_json"):
        # The head is the server's own.
        return json.loads(value.model_dump_json(exclude={"sdk_http_response"}, exclude_none=True))
    return [shown(one) for one in value]


PARAMETERS = {"type": "OBJECT", "properties": {"a": {"type": "NUMBER"}}}
TOOL = types.Tool(function_declarations=[{"name": "add", "description": "Adds", "parameters": PARAMETERS}])
IMAGE = types.Part.from_bytes(data=bytes(range(256)), mime_type="image/png")
CONFIG = types.GenerateContentConfig(
    system_instruction="Short", temperature=0.5, max_output_tokens=9, tools=[TOOL], thinking_config={"include_thoughts": True},
    automatic_function_calling={"disable": True})

default, stable, alpha = client(), client("v1"), client("v1alpha")
CALLS = {
    "generate": lambda: default.models.generate_content(model="m", contents="Grüße, 世界 🎉"),
    "generate with all": lambda: default.models.generate_content(model="models/m", contents=["Look", IMAGE], config=CONFIG),
    "generate by v1": lambda: stable.models.generate_content(model="m", contents="Hi"),
    "generate by v1alpha": lambda: alpha.models.generate_content(model="m", contents="Hi"),
    "generate, structured": lambda: default.models.generate_content(
        model="m", contents="Hi", config={"response_mime_type": "application/json", "response_schema": {"type": "OBJECT"}}),
    "stream": lambda: default.models.generate_content_stream(model="m", contents="Hi", config=CONFIG),
    "count": lambda: default.models.count_tokens(model="m", contents=["Hi", IMAGE]),
    "embed": lambda: default.models.embed_content(model="m", contents="Hi"),
    "embed several": lambda: default.models.embed_content(
        model="m", contents=["one", "two"], config={"output_dimensionality": 2, "task_type": "RETRIEVAL_QUERY"}),
    "chat": lambda: [(chat := default.chats.create(model="m")).send_message("One"), chat.send_message("Two")],
    "chat, streamed": lambda: default.chats.create(model="m").send_message_stream("Hi"),
}


def main():
    for name, call in CALLS.items():
        try:
            returned = shown(call())
        except Exception as error:
            returned = {"raised": f"{type(error).__name__}: {error}"}
        print(json.dumps([name, returned]))


main()
