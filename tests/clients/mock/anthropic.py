"""Anthropic's messages, count of tokens, and models."""

import json

from . import model
from .http import Answer

KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
}
LIMITS = {"anthropic-ratelimit-requests-limit": "4000", "anthropic-ratelimit-requests-remaining": "3999",
          "anthropic-ratelimit-requests-reset": "2026-12-31T00:00:00Z"}


def error(status, message):
    return {"type": "error", "error": {"type": KINDS.get(status, "api_error"), "message": message}, "request_id": "req_mock"}


def messages(account, request, body):
    if refused := refusal_of(request, body):
        return refused
    said = model.answer(turns_of(body["messages"]), [tool.get("name") for tool in body.get("tools") or []])
    content = content_of(account, body, said)
    stop_reason = "tool_use" if isinstance(said, model.Call) else "end_turn"
    usage = {"input_tokens": model.tokens(body["messages"]), "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
             "output_tokens": 1}
    written = {"output_tokens": model.tokens(content)}
    message = {"id": account.new_id("msg"), "type": "message", "role": "assistant", "model": body["model"]}
    if not body.get("stream"):
        whole = {"content": content, "stop_reason": stop_reason, "stop_sequence": None, "usage": {**usage, **written}}
        return Answer(headers=dict(LIMITS), body={**message, **whole})
    began = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events = [{"type": "message_start", "message": began}, {"type": "ping"}]
    for index, block in enumerate(content):
        events += block_events(index, block)
    events.append({"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": written})
    events.append({"type": "message_stop"})
    return Answer(headers=dict(LIMITS), events=[f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events])


def refusal_of(request, body):
    """Returns a refusal of what Anthropic refuses, too."""
    if "anthropic-version" not in request.headers:
        return Answer(400, error(400, "anthropic-version: header is required"))
    # Fields of a beta without the beta's header, as Claude Code would send if a proxy lost the header.
    if "context_management" in body and "context-management" not in request.headers.get("anthropic-beta", ""):
        return Answer(400, error(400, "context_management: Extra inputs are not permitted"))
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else []:
            if block.get("type") == "thinking" and not block.get("signature", "").startswith("sig-of-"):
                return Answer(400, error(400, "messages: Invalid `signature` in `thinking` block"))
    return None


def turns_of(messages):
    """Returns the conversation. The last message counts as a tool's result if there is one in it."""
    turns = []
    for message in messages:
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        results = [block for block in blocks if block["type"] == "tool_result"]
        turns += [model.Turn("tool", model.texts(block.get("content"))) for block in results]
        text = model.texts([block for block in blocks if block["type"] == "text"])
        # Agents write their reminders beside a tool's result.
        if not results or model.CALL in text:
            turns.append(model.Turn(message["role"], text))
    return turns


def content_of(account, body, said):
    thought = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    content = [{"type": "thinking", "thinking": "Let me see.", "signature": f"sig-of-{account.name}"}] if thought else []
    if isinstance(said, model.Call):
        use = {"type": "tool_use", "id": account.new_id("toolu"), "name": said.name, "input": json.loads(said.arguments)}
        return [*content, use]
    return [*content, {"type": "text", "text": said}]


def block_events(index, block):
    match block["type"]:
        case "thinking":
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in model.pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "tool_use":
            start = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in model.pieces(json.dumps(block["input"]))]
        case _:
            start = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in model.pieces(block["text"])]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def count_tokens(request, body):
    if "anthropic-version" not in request.headers:
        return Answer(400, error(400, "anthropic-version: header is required"))
    return Answer(body={"input_tokens": model.tokens(body["messages"])})


def models(account):
    listed = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in account.models]
    return Answer(body={"data": listed, "has_more": False, "first_id": account.models[0], "last_id": account.models[-1]})
