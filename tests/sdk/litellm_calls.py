"""Makes the calls below with litellm, and prints what each of them returned.

    BASE_URL=http://127.0.0.1:3001 API_KEY=… python litellm_calls.py

tests/api/sdk/libraries.rs compares what is printed, with the pool and without.
"""

import io
import json
import os
import re
import sys

# No prices are fetched from elsewhere.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
import litellm.vector_stores.main as vector_stores

litellm.suppress_debug_info = True
litellm.telemetry = False
litellm.num_retries = 0
BASE_URL, API_KEY = os.environ["BASE_URL"], os.environ["API_KEY"]
AT = {"api_base": f"{BASE_URL}/v1", "api_key": API_KEY, "timeout": 20, "max_retries": 0}
OPENAI = {**AT, "custom_llm_provider": "openai"}
AZURE = {**AT, "api_base": BASE_URL, "api_version": "2024-10-21"}
ANTHROPIC = {**AT, "api_base": BASE_URL}
ASKED = [{"role": "user", "content": "Grüße, 世界 🎉"}]
# The pool asks for the usage of a stream, if nobody else does.
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


def file(name):
    return name, b"\r\n--boundary\r\n" + bytes(range(256)) * 40


def opened(name):
    opened = io.BytesIO(file(name)[1])
    opened.name = name
    return opened


CALLS = [
    ("openai chat", lambda: litellm.completion("openai/m", ASKED, **AT)),
    ("openai chat, streamed", lambda: litellm.completion("openai/m", ASKED, **STREAMED, **AT)),
    ("openai chat, tools", lambda: litellm.completion("openai/m", ASKED, tools=TOOLS, temperature=0.5, **AT)),
    ("text completion", lambda: litellm.text_completion(model="text-completion-openai/m", prompt="Say", **AT)),
    ("anthropic", lambda: litellm.completion("anthropic/m", ASKED, max_tokens=9, **ANTHROPIC)),
    ("anthropic, streamed", lambda: litellm.completion("anthropic/m", ASKED, max_tokens=9, stream=True, **ANTHROPIC)),
    ("azure", lambda: litellm.completion("azure/m", ASKED, **AZURE)),
    ("azure, streamed", lambda: litellm.completion("azure/m", ASKED, **STREAMED, **AZURE)),
    ("azure embedding", lambda: litellm.embedding("azure/m", input=["a"], **AZURE)),
    ("azure transcription", lambda: litellm.transcription("azure/m", file("a.wav"), **AZURE)),
    ("embedding", lambda: litellm.embedding("openai/m", input=["a", "é"], **AT)),
    ("image", lambda: litellm.image_generation("a cat", model="openai/m", size="256x256", **AT)),
    ("image edit", lambda: litellm.image_edit(image=opened("a.png"), prompt="a hat", model="openai/m", **AT)),
    ("image variation", lambda: litellm.image_variation(image=opened("a.png"), model="openai/m", **AT)),
    ("transcription", lambda: litellm.transcription("openai/m", file("a.wav"), **AT)),
    ("speech", lambda: litellm.speech("openai/m", input="Grüße", voice="alloy", **AT)),
    ("moderation", lambda: litellm.moderation("some text", model="m", **AT)),
    ("rerank", lambda: litellm.rerank("hosted_vllm/m", "cats", ["a cat", "a dog"], **AT)),
    ("responses", lambda: litellm.responses("Hi", model="openai/m", **AT)),
    ("responses, streamed", lambda: litellm.responses("Hi", model="openai/m", stream=True, **AT)),
    ("responses get", lambda: litellm.get_responses("resp_1", **OPENAI)),
    ("responses items", lambda: litellm.list_input_items("resp_1", **OPENAI)),
    ("responses cancel", lambda: litellm.cancel_responses("resp_1", **OPENAI)),
    ("responses delete", lambda: litellm.delete_responses("resp_1", **OPENAI)),
    ("file create", lambda: litellm.create_file(file=file("a.jsonl"), purpose="batch", **OPENAI)),
    ("file list", lambda: litellm.file_list(**OPENAI)),
    ("file", lambda: litellm.file_retrieve("file-1", **OPENAI)),
    ("file content", lambda: litellm.file_content("file-1", **OPENAI)),
    ("file delete", lambda: litellm.file_delete("file-1", **OPENAI)),
    ("batch create", lambda: litellm.create_batch("24h", "/v1/chat/completions", "file-1", **OPENAI)),
    ("batch", lambda: litellm.retrieve_batch("batch_1", **OPENAI)),
    ("batch list", lambda: litellm.list_batches(limit=2, **OPENAI)),
    ("batch cancel", lambda: litellm.cancel_batch("batch_1", **OPENAI)),
    ("fine-tuning create", lambda: litellm.create_fine_tuning_job(model="m", training_file="file-1", **OPENAI)),
    ("fine-tuning list", lambda: litellm.list_fine_tuning_jobs(limit=2, **OPENAI)),
    ("fine-tuning", lambda: litellm.retrieve_fine_tuning_job("ftjob-1", **OPENAI)),
    ("fine-tuning cancel", lambda: litellm.cancel_fine_tuning_job("ftjob-1", **OPENAI)),
    ("vector store create", lambda: vector_stores.create(name="docs", **OPENAI)),
    ("vector store search", lambda: vector_stores.search("vs_1", "how", **OPENAI)),
    ("vector store", lambda: vector_stores.retrieve("vs_1", **OPENAI)),
    ("vector store list", lambda: vector_stores.list(**OPENAI)),
    ("vector store update", lambda: vector_stores.update("vs_1", name="other", **OPENAI)),
    ("vector store delete", lambda: vector_stores.delete("vs_1", **OPENAI)),
]


def shown(value):
    """What a call returned, as text, without what litellm makes up itself: times, and ids."""
    if hasattr(value, "__next__") or type(value).__name__.endswith(("StreamWrapper", "Iterator")):
        return [shown(one) for one in value]
    if hasattr(value, "model_dump_json"):
        value = value.model_dump_json(warnings=False)
    elif hasattr(value, "read") or hasattr(value, "content"):
        value = (value.content if hasattr(value, "content") else value.read()).hex()
    return re.sub(r'"(created|created_at)":\s*[\d.]+|chatcmpl-[0-9a-f-]{36}|resp_[\w-]{40,}=*', "…", str(value))


def outcome(call):
    try:
        return shown(call())
    except Exception as error:
        return {"raised": f"{type(error).__name__}: {error}"}


for name, call in CALLS:
    print(json.dumps([name, outcome(call)]), flush=True)
# Its threads for callbacks would be waited for.
sys.stdout.flush()
os._exit(0)
