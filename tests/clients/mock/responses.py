"""OpenAI's Responses API, over HTTP and over WebSockets, and conversations.

An account knows only the objects that it made itself:

1. A response, an output item or a conversation of another account's does not exist, as at OpenAI.
2. Encrypted content of another account's can't be read.
3. With `store: false` nothing is kept, except for the last response of a WebSocket.
"""

import json

from . import model
from .http import Answer, Refusal


def answer(account, method, path, body):
    """Serves /v1/responses and /v1/conversations."""
    match method, path:
        case "POST", ["responses"]:
            prompt = Prompt(account, body)
            response = prompt.respond()
            if body.get("stream"):
                return Answer(events=[f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events_of(response)])
            return Answer(body=response)
        case "POST", ["conversations"]:
            identity = {"id": account.new_id("conv"), "object": "conversation", "created_at": 1_795_000_000, "metadata": {}}
            account.objects[identity["id"]] = {**identity, "items": list(body.get("items") or [])}
            return Answer(body=identity)
    if len(path) == 1:
        raise Refusal(404, f"Invalid URL ({method} /v1/{path[0]})")
    known = stored(account, path[1], f"{path[0].capitalize()} with id '{path[1]}' not found.")
    match method, path:
        case "GET", ["responses", _]:
            return Answer(body=known["response"])
        case "GET", ["responses", _, "input_items"]:
            return Answer(body=page(known["items"]))
        case "DELETE", [kind, identifier]:
            del account.objects[identifier]
            return Answer(body={"id": identifier, "object": f"{kind[:-1]}.deleted", "deleted": True})
        case "GET", ["conversations", _]:
            return Answer(body={name: value for name, value in known.items() if name != "items"})
        case "GET", ["conversations", _, "items"]:
            return Answer(body=page(known["items"][::-1]))
        case "POST", ["conversations", _, "items"]:
            added = [{"id": account.new_id("msg"), "status": "completed", "type": "message", **item} for item in body["items"]]
            known["items"] += added
            return Answer(body=page(added))
    raise Refusal(404, f"Invalid URL ({method} /v1/{'/'.join(path)})")


def page(items):
    ids = [item.get("id") for item in items] or [None]
    return {"object": "list", "data": items, "first_id": ids[0], "last_id": ids[-1], "has_more": False}


def stored(account, identifier, message, param=None, code=None, status=404):
    if identifier not in account.objects:
        raise Refusal(status, message, param, code)
    return account.objects[identifier]


class Prompt:
    """A request for a response, with all that it refers to. Refused if that is another account's."""

    def __init__(self, account, body, connection=None):
        self.account, self.body = account, body
        # The responses that a WebSocket remembers.
        self.connection = connection if connection is not None else {}
        given = body.get("input") or []
        given = [{"role": "user", "content": given}] if isinstance(given, str) else given
        self.given = [self.resolved(item) for item in given]
        self.items = self.earlier() + self.given

    def earlier(self):
        """Returns the items that came before, by the name of a response or a conversation."""
        if previous := self.body.get("previous_response_id"):
            if previous in self.connection:
                return self.connection[previous]
            message = f"Previous response with id '{previous}' not found."
            known = stored(self.account, previous, message, "previous_response_id", "previous_response_not_found", 400)
            return known["items"]
        if conversation := self.body.get("conversation"):
            identifier = conversation if isinstance(conversation, str) else conversation["id"]
            return list(self.conversation(identifier)["items"])
        return []

    def conversation(self, identifier):
        return stored(self.account, identifier, f"Conversation with id '{identifier}' not found.", "conversation")

    def resolved(self, item):
        """Returns an item of the input, whole."""
        if item.get("type") == "item_reference":
            return stored(self.account, item["id"], f"Item with id '{item['id']}' not found.", "input")
        if item.get("type") == "reasoning":
            if content := item.get("encrypted_content"):
                if not content.startswith(self.secret()):
                    message = "The encrypted content could not be verified. Reason: Encrypted content organization_id did not match."
                    raise Refusal(400, message, "input", "invalid_encrypted_content")
            else:
                stored(self.account, item.get("id"), f"Item with id '{item.get('id')}' not found.", "input")
        return item

    def secret(self):
        return "gAAAA" + self.account.name.encode().hex().rjust(16, "0") + "-"

    def turns(self):
        for item in self.items:
            match item.get("type", "message"):
                case "message":
                    yield model.Turn(item["role"], model.texts(item["content"]))
                case "function_call_output":
                    output = item["output"]
                    yield model.Turn("tool", output if isinstance(output, str) else model.texts(output))

    def respond(self):
        """Returns the response, and keeps it."""
        body, account = self.body, self.account
        said = model.answer(list(self.turns()), list(names_of(body.get("tools") or [])))
        output = [] if body.get("generate") is False else [self.reasoning(), self.item_of(said)]
        used = {"input_tokens": model.tokens(self.items), "output_tokens": model.tokens(output)}
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        echoed = ("instructions", "metadata", "previous_response_id", "reasoning", "temperature", "text", "tools", "top_p")
        response = {
            **{name: body.get(name) for name in echoed},
            "id": account.new_id("resp"), "object": "response", "created_at": 1_795_000_000, "model": body["model"],
            "status": "completed", "error": None, "incomplete_details": None, "output": output,
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": body.get("tools") or [],
            "store": body.get("store", True) is not False,
            "usage": {**used, **details, "total_tokens": sum(used.values())},
        }
        self.keep(response)
        return response

    def keep(self, response):
        items = self.items + response["output"]
        self.connection.clear()
        self.connection[response["id"]] = items
        if response["store"]:
            self.account.objects[response["id"]] = {"response": response, "items": items}
            self.account.objects.update({item["id"]: item for item in response["output"]})
        if conversation := self.body.get("conversation"):
            identifier = conversation if isinstance(conversation, str) else conversation["id"]
            self.conversation(identifier)["items"] += self.given + response["output"]

    def reasoning(self):
        identifier = self.account.new_id("rs")
        item = {"id": identifier, "type": "reasoning", "summary": [{"type": "summary_text", "text": "Let me see."}]}
        if "reasoning.encrypted_content" in (self.body.get("include") or []):
            item["encrypted_content"] = self.secret() + identifier * 8
        return item

    def item_of(self, said):
        if isinstance(said, model.Call):
            return {"id": self.account.new_id("fc"), "type": "function_call", "status": "completed", "call_id":
                    self.account.new_id("call"), "name": said.name, "arguments": said.arguments}
        text = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
        return {"id": self.account.new_id("msg"), "type": "message", "status": "completed", "role": "assistant", "content": [text]}


def names_of(tools):
    """Returns the names of all functions, those in namespaces too."""
    for tool in tools:
        if tool.get("type") == "function":
            yield tool["name"]
        yield from names_of(tool.get("tools") or [])


def events_of(response):
    """Returns a response's events, in the order of OpenAI's."""
    began = {**response, "status": "in_progress", "output": [], "usage": None}
    events = [{"type": "response.created", "response": began}, {"type": "response.in_progress", "response": began}]
    for index, item in enumerate(response["output"]):
        for event in item_events(item):
            place = {} if event["type"].startswith("response.output_item") else {"item_id": item["id"]}
            events.append({**event, **place, "output_index": index})
    events.append({"type": "response.completed", "response": response})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def item_events(item):
    match item["type"]:
        case "reasoning":
            (part,) = item["summary"]
            began = {**item, "summary": []}
            at = {"summary_index": 0}
            inner = [
                {"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}},
                *({"type": "response.reasoning_summary_text.delta", **at, "delta": piece} for piece in model.pieces(part["text"])),
                {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]},
                {"type": "response.reasoning_summary_part.done", **at, "part": part},
            ]
        case "function_call":
            began = {**item, "status": "in_progress", "arguments": ""}
            kind = "response.function_call_arguments"
            inner = [{"type": f"{kind}.delta", "delta": piece} for piece in model.pieces(item["arguments"])]
            inner.append({"type": f"{kind}.done", "name": item["name"], "arguments": item["arguments"]})
        case _:
            (part,) = item["content"]
            began = {**item, "status": "in_progress", "content": []}
            at = {"content_index": 0}
            deltas = [{"delta": piece, "logprobs": []} for piece in model.pieces(part["text"])]
            inner = [
                {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
                *({"type": "response.output_text.delta", **at, **delta} for delta in deltas),
                {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
                {"type": "response.content_part.done", **at, "part": part},
            ]
    return [{"type": "response.output_item.added", "item": began}, *inner, {"type": "response.output_item.done", "item": item}]


async def serve_socket(account, socket):
    """Serves a WebSocket: each message asks for a response, each event is a message."""
    remembered = {}
    while (message := await socket.receive()) is not None:
        asked = json.loads(message)
        account.remember_message(asked)
        try:
            for event in events_of(Prompt(account, asked, remembered).respond()):
                await socket.send(json.dumps(event))
        except Refusal as refusal:
            await socket.send(json.dumps({"type": "error", "status": refusal.status, **refusal.body()}))
