"""Google's own format: Gemini's answers, as events or as a list, and the number of tokens."""

import json

from . import model
from .http import Answer, Refusal


def answer(account, request, body):
    """Answers a request below `/v1beta/models/`."""
    name, _, verb = request.path.removeprefix("/v1beta/models/").partition(":")
    if name not in account.models:
        raise Refusal(404, f"models/{name} is not found for API version v1beta")
    match verb:
        case "countTokens":
            return Answer(body={"totalTokens": model.tokens(body)})
        case "generateContent":
            (whole,) = pieces_of(account, name, body, streamed=False)
            return Answer(body=whole)
        case "streamGenerateContent":
            pieces = pieces_of(account, name, body, streamed=True)
            if "alt=sse" in request.query:
                return Answer(events=[f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces])
            return Answer(body=pieces)
    raise Refusal(404, f"Invalid URL ({request.method} {request.path})")


def pieces_of(account, name, body, streamed):
    """Returns the pieces of a model's answer: one if it is not streamed."""
    tools = [function["name"] for tool in body.get("tools") or [] for function in tool.get("functionDeclarations") or []]
    said = model.answer([turn for content in body["contents"] for turn in turns_of(content)], tools)
    if isinstance(said, model.Call):
        parts = [{"functionCall": {"name": said.name, "args": json.loads(said.arguments)}}]
    else:
        parts = [{"text": text} for text in (model.pieces(said) if streamed else [said])]
    prompt, identifier, taken = model.tokens(body["contents"]), account.new_id("gemini"), 0
    pieces = []
    for nth, part in enumerate(parts):
        taken += model.tokens(part)
        candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
        if nth == len(parts) - 1:
            candidate["finishReason"] = "STOP"
        usage = {"promptTokenCount": prompt, "candidatesTokenCount": taken, "totalTokenCount": prompt + taken}
        pieces.append({"candidates": [candidate], "usageMetadata": usage, "modelVersion": name, "responseId": identifier})
    return pieces


def turns_of(content):
    for part in content["parts"]:
        if result := part.get("functionResponse"):
            yield model.Turn("tool", json.dumps(result["response"]))
        elif "text" in part:
            yield model.Turn("assistant" if content.get("role") == "model" else "user", part["text"])


def error(status, message):
    word = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 500: "INTERNAL"}.get(status, "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": message, "status": word}}
