"""OpenAI's chat completions, embeddings and models."""

import base64
import json
import struct

from . import model
from .http import Answer


def completions(account, body):
    turns = [turn_of(message) for message in body["messages"]]
    tools = [tool["function"]["name"] for tool in body.get("tools") or [] if tool.get("type") == "function"]
    said = model.answer(turns, tools)
    identity = {"id": account.new_id("chatcmpl"), "created": 1_795_000_000, "model": body["model"]}
    usage = usage_of(body, said)
    if not body.get("stream"):
        choice = {"index": 0, "message": message_of(account, said), "logprobs": None, "finish_reason": reason(said)}
        return Answer(body={**identity, "object": "chat.completion", "choices": [choice], "usage": usage})

    def chunk(delta, finish_reason=None):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**identity, "object": "chat.completion.chunk", "choices": [choice]}

    chunks = [chunk({"role": "assistant", "content": None if isinstance(said, model.Call) else ""})]
    chunks += [chunk(delta) for delta in deltas(account, said)]
    chunks.append(chunk({}, reason(said)))
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks = [{**piece, "usage": None} for piece in chunks]
        chunks.append({**identity, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return Answer(events=[*(f"data: {json.dumps(piece)}\n\n" for piece in chunks), "data: [DONE]\n\n"])


def turn_of(message):
    role = {"system": "system", "developer": "system", "function": "tool"}.get(message["role"], message["role"])
    return model.Turn(role, model.texts(message.get("content")))


def reason(said):
    return "tool_calls" if isinstance(said, model.Call) else "stop"


def message_of(account, said):
    if not isinstance(said, model.Call):
        return {"role": "assistant", "content": said, "refusal": None}
    function = {"name": said.name, "arguments": said.arguments}
    call = {"id": account.new_id("call"), "type": "function", "function": function}
    return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}


def deltas(account, said):
    if not isinstance(said, model.Call):
        return [{"content": piece} for piece in model.pieces(said)]
    start = {"index": 0, "id": account.new_id("call"), "type": "function", "function": {"name": said.name, "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": piece}} for piece in model.pieces(said.arguments)]
    return [{"tool_calls": [call]} for call in [start, *more]]


def usage_of(body, said):
    prompt, completion = model.tokens(body["messages"]), model.tokens(str(said))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def embeddings(body):
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vector = [0.5, -0.25, 1.0]
    value = base64.b64encode(struct.pack("<3f", *vector)).decode() if body.get("encoding_format") == "base64" else vector
    data = [{"object": "embedding", "index": nth, "embedding": value} for nth, _ in enumerate(inputs)]
    used = model.tokens(inputs)
    return Answer(body={"object": "list", "model": body["model"], "data": data,
                        "usage": {"prompt_tokens": used, "total_tokens": used}})


def models(account):
    listed = [{"id": name, "object": "model", "created": 1_795_000_000, "owned_by": "mock"} for name in account.models]
    return Answer(body={"object": "list", "data": listed})
