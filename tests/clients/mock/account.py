"""An account of a provider: its key, its objects, and a record of what it was asked."""

import itertools
from dataclasses import dataclass, field

from . import anthropic, chat, gemini, responses
from .http import Answer, Refusal


@dataclass
class Call:
    """What an account remembers of a request."""

    method: str
    path: str
    query: str
    headers: dict
    body: dict
    status: int
    # Why it was refused.
    refused: str = ""


@dataclass
class Account:
    name: str
    models: tuple
    calls: list = field(default_factory=list)
    # Whether it speaks WebSockets.
    sockets: bool = True
    # Whether it answers everything with a 500.
    fails: bool = False
    # Is told of each call when it has been answered.
    after_call: object = None
    # Each object by its id: responses, output items and conversations.
    objects: dict = field(default_factory=dict)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def key(self):
        return f"sk-of-account-{self.name}-0123456789"

    def new_id(self, prefix):
        """Returns a new id: of 32 digits, as OpenAI's, with the account's name in it for people who read a failed test."""
        return f"{prefix}_{next(self.numbers):08x}{self.name.encode().hex():0>24}"

    def handle(self, request):
        """Returns the answer to a request, and remembers both."""
        body, refused = {}, ""
        try:
            body = request.json()
            answer = self.answer(request, body)
        except Refusal as refusal:
            answer, refused = Answer(refusal.status, refusal.body()), str(refusal)
            if is_anthropic(request):
                answer.body = anthropic.error(refusal.status, refusal.message)
            elif is_gemini(request):
                answer.body = gemini.error(refusal.status, refusal.message)
        except Exception as error:
            # A defect of this mock, or a request that no provider would understand. The test tells.
            answer, refused = Answer(500, {"error": {"message": repr(error)}}), repr(error)
        call = Call(request.method, request.path, request.query, request.headers, body, answer.status, refused)
        self.calls.append(call)
        if self.after_call:
            self.after_call(self, call)
        answer.headers.setdefault("request-id" if is_anthropic(request) else "x-request-id", self.new_id("req"))
        return answer

    def remember_message(self, body):
        """Remembers a message of a WebSocket."""
        self.calls.append(Call("SOCKET", "/v1/responses", "", {}, body, 200))

    def answer(self, request, body):
        self.check_key(request)
        if self.fails:
            raise Refusal(500, "The server had an error while processing your request.", code="server_error")
        if is_gemini(request):
            return gemini.answer(self, request, body)
        match request.method, request.path.removeprefix("/v1").strip("/").split("/"):
            case "GET", ["responses"] if request.headers.get("upgrade") == "websocket":
                if not self.sockets:
                    raise Refusal(404, "WebSockets are not served.")
                return Answer(101, socket=lambda socket: responses.serve_socket(self, socket))
            case "POST", ["chat", "completions"]:
                return chat.completions(self, body)
            case "POST", ["embeddings"]:
                return chat.embeddings(body)
            case "POST", ["messages"]:
                return anthropic.messages(self, request, body)
            case "POST", ["messages", "count_tokens"]:
                return anthropic.count_tokens(request, body)
            case "GET", ["models"]:
                return anthropic.models(self) if is_anthropic(request) else chat.models(self)
            case method, ["responses" | "conversations", *_] as path:
                return responses.answer(self, method, path, body)
        raise Refusal(404, f"Invalid URL ({request.method} {request.path})")

    def check_key(self, request):
        headers = request.headers
        sent = [headers.get("authorization", "").removeprefix("Bearer "), *(headers.get(name, "") for name in ("x-api-key", "x-goog-api-key"))]
        if (sent := [key for key in sent if key]) != [self.key]:
            raise Refusal(401, f"Incorrect API key provided: {sent}", code="invalid_api_key")


def is_anthropic(request):
    return "anthropic-version" in request.headers or "/messages" in request.path


def is_gemini(request):
    return request.path.startswith("/v1beta/models/")
