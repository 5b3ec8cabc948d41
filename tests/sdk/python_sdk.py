"""Drives the official OpenAI package for Python against a running pool, and says what it did not find as promised.

    BASE_URL=http://127.0.0.1:3001/v1 API_KEY=… python python_sdk.py pool|demo

`pool` expects the upstreams that tests/api/sdk.rs starts, `demo` those of `api-together demo`.
"""

import asyncio
import math
import os
import sys
import traceback

import openai

BASE_URL, API_KEY = os.environ["BASE_URL"], os.environ["API_KEY"]
HELLO = [{"role": "user", "content": "Hello!"}]
SAID = "Grüße, 世界 🎉 – done."
VECTOR = [0.5, -0.25, 1.0]


class Counted:
    """A client, and the number of HTTP requests that it sent: its own retries included."""

    def __init__(self, **options):
        self.requests = 0
        http_client = openai.DefaultHttpxClient(event_hooks={"request": [self.count]})
        options = {"api_key": API_KEY, "timeout": 20, **options}
        self.openai = openai.OpenAI(base_url=BASE_URL, http_client=http_client, **options)

    def count(self, _request):
        self.requests += 1

    def chat(self, model="m", **more):
        return self.openai.chat.completions.create(model=model, messages=HELLO, **more)


def client():
    # The account's names are the client's own affair: tests/api/sdk.rs checks that no upstream sees them.
    return Counted(organization="org-of-the-client", project="proj-of-the-client")


def equal(got, wanted, what="it"):
    assert got == wanted, f"{what} is {got!r}, not {wanted!r}"


def raised(kind, call):
    try:
        call()
    except Exception as error:
        equal(type(error).__name__, kind.__name__, f"the class of {error!r}")
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


# --- the pool of tests/api/sdk.rs ---


def chat():
    answer = client().chat()
    equal(answer.choices[0].message.content, SAID)
    equal((answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens), (3, 4, 7))
    equal(answer._request_id, "req-of-the-upstream")


def chat_by_an_alias():
    equal(client().chat("friendly-name").choices[0].message.content, SAID)


def chat_stream():
    stream = client().chat(stream=True)
    assert stream.response.headers["x-request-id"], "a stream has no request id"
    chunks = list(stream)
    for chunk in chunks:
        assert chunk.choices, f"a chunk without choices, which nobody asked for: {chunk!r}"
        assert "usage" not in chunk.model_fields_set, f"usage, which nobody asked for: {chunk!r}"
    deltas = [chunk.choices[0].delta.content for chunk in chunks]
    equal(deltas, ["", "Grüße, ", "世界 ", "🎉 ", "– done.", None])
    equal(chunks[-1].choices[0].finish_reason, "stop")


def chat_stream_with_usage():
    chunks = list(client().chat(stream=True, stream_options={"include_usage": True}))
    equal("".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]), SAID)
    equal([chunk.usage for chunk in chunks[:-1]], [None] * 6)
    equal((chunks[-1].choices, chunks[-1].usage.total_tokens), ([], 7))


def embeddings():
    create = client().openai.embeddings.create
    # Unless told otherwise, the SDK asks for base64 and decodes it; from an upstream that knows no base64 it takes numbers.
    for model, more in ("m", {}), ("m", {"encoding_format": "float"}), ("numbers-only", {}):
        answer = create(model=model, input="text", **more)
        equal([item.embedding for item in answer.data], [VECTOR], f"the embedding ({model}, {more})")
        equal(answer.usage.total_tokens, 5)
    assert answer._request_id, "an answer without the upstream's request id has none of the pool's"


def models():
    api = client().openai.models
    listed = {model.id: model for model in api.list()}
    for name in "m", "friendly-name", "vendor/m":
        equal(api.retrieve(name), listed[name])
    equal((listed["m"].object, type(listed["m"].created), type(listed["m"].owned_by)), ("model", int, str))
    equal(raised(openai.NotFoundError, lambda: api.retrieve("nonesuch")).code, "model_not_found")


def completions():
    answer = client().openai.completions.create(model="m", prompt="Hello")
    equal((answer.choices[0].text, answer.usage.total_tokens), (SAID, 7))


def moderations():
    result = client().openai.moderations.create(model="m", input="Hello").results[0]
    equal((result.flagged, result.categories.hate, result.category_scores.hate), (True, True, 0.75))


def responses():
    create = client().openai.responses.create
    answer = create(model="m", input="Hello")
    equal((answer.output_text, answer.usage.total_tokens), (SAID, 11))
    events = list(create(model="m", input="Hello", stream=True))
    kinds = ["response.created", *["response.output_text.delta"] * 4, "response.completed"]
    equal([event.type for event in events], kinds)
    equal("".join(event.delta for event in events[1:-1]), SAID)
    equal((events[-1].response.output_text, events[-1].response.usage.total_tokens), (SAID, 11))


def images():
    equal(client().openai.images.generate(model="m", prompt="a cat").data[0].b64_json, "aW1hZ2U=")


def speech():
    answer = client().openai.audio.speech.create(model="m", input="Hello", voice="alloy")
    equal(answer.content, bytes(range(256)) * 40)
    equal(answer.response.headers["content-type"], "audio/mpeg")


def raw_response_headers():
    raw = client().openai.chat.completions.with_raw_response.create(model="m", messages=HELLO)
    equal((raw.status_code, raw.headers["content-type"]), (200, "application/json"))
    equal((raw.headers["x-request-id"], raw.request_id), ("req-of-the-upstream",) * 2)
    equal(raw.parse().choices[0].message.content, SAID)


def a_wrong_key():
    error = raised(openai.AuthenticationError, Counted(api_key="sk-wrong").chat)
    equal((error.status_code, error.code, error.type), (401, "invalid_api_key", "authentication_error"))
    assert error.request_id, "no request id"


def an_unknown_model():
    error = raised(openai.NotFoundError, lambda: client().chat("nonesuch"))
    equal((error.code, error.param), ("model_not_found", "model"))
    assert "nonesuch" in error.message, error.message


def a_mistake_of_the_callers():
    error = raised(openai.BadRequestError, lambda: client().chat("strict"))
    body = {"message": "Invalid 'messages': “é”", "type": "invalid_request_error", "param": "messages", "code": "bad"}
    equal(error.body, body)
    equal(error.request_id, "req-of-the-upstream")


def a_spent_minute():
    equal(client().chat("scarce-minute").choices[0].message.content, SAID)
    error = raised(openai.RateLimitError, lambda: Counted(max_retries=0).chat("scarce-minute"))
    equal((error.status_code, error.code), (429, "rate_limit_exceeded"))
    wait = int(error.response.headers["retry-after"])
    assert 30 < wait <= 61, f"retry-after: {wait}"
    assert 0 <= wait * 1000 - int(error.response.headers["retry-after-ms"]) < 1000, error.response.headers


def a_spent_day():
    equal(client().chat("scarce-day").choices[0].message.content, SAID)
    asking = client()
    error = raised(openai.RateLimitError, lambda: asking.chat("scarce-day"))
    assert int(error.response.headers["retry-after"]) > 3600, error.response.headers
    equal(error.response.headers["x-should-retry"], "false")
    equal(asking.requests, 1, "the number of HTTP requests")


def upstreams_that_fail():
    for model, status in ("dropping", 502), ("locked", 502), ("failing", 500):
        asking = client()
        error = raised(openai.InternalServerError, lambda: asking.chat(model))
        equal(error.status_code, status, f"the status of {model}")
        assert error.request_id, f"no request id: {error}"
        # Every upstream was tried already: two more rounds of that would help nobody, and rest them all.
        equal(asking.requests, 1, f"the number of HTTP requests for {model}")


def a_stream_that_breaks_off():
    seen = []

    def read():
        for chunk in client().chat("breaking", stream=True):
            seen.append(chunk.choices[0].delta.content)

    error = raised(openai.APIError, read)
    equal(seen, ["Half of"])
    equal((error.code, error.type), ("upstream_failed", "upstream_error"))


def the_async_client():
    async def run():
        asking = openai.AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, timeout=20)
        create = asking.chat.completions.create
        answers = await asyncio.gather(*(create(model="m", messages=HELLO) for _ in range(20)))
        equal({answer.choices[0].message.content for answer in answers}, {SAID})
        stream = await create(model="m", messages=HELLO, stream=True)
        equal("".join([chunk.choices[0].delta.content or "" async for chunk in stream]), SAID)
        try:
            async for _ in await create(model="breaking", messages=HELLO, stream=True):
                pass
            raise AssertionError("a stream that broke off raised nothing")
        except openai.APIError as error:
            equal(error.code, "upstream_failed")

    asyncio.run(run())


POOL = [
    chat,
    chat_by_an_alias,
    chat_stream,
    chat_stream_with_usage,
    embeddings,
    models,
    completions,
    moderations,
    responses,
    images,
    speech,
    raw_response_headers,
    a_wrong_key,
    an_unknown_model,
    a_mistake_of_the_callers,
    a_spent_minute,
    a_spent_day,
    upstreams_that_fail,
    a_stream_that_breaks_off,
    the_async_client,
]


# --- the demo ---


def demo_chat():
    # One of its two upstreams fails now and then: nobody sees that.
    for _ in range(8):
        asking = Counted()
        answer = asking.chat("demo-chat")
        assert "You said: Hello!" in answer.choices[0].message.content, answer
        equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        equal(asking.requests, 1, "the number of HTTP requests")
    equal(Counted().chat("gpt-4").choices[0].finish_reason, "stop")


def demo_stream():
    chunks = list(Counted().chat("demo-chat", stream=True))
    said = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "You said: Hello!" in "".join(said) and len(said) > 5, said
    *_, last = Counted().chat("demo-chat", stream=True, stream_options={"include_usage": True})
    assert not last.choices and last.usage.total_tokens > 0, last


def demo_embeddings():
    create = Counted().openai.embeddings.create
    default = create(model="demo-embedding", input=["one", "two"])
    floats = create(model="demo-embedding", input=["one", "two"], encoding_format="float")
    for ours, theirs in zip(default.data, floats.data, strict=True):
        assert math.isclose(math.hypot(*ours.embedding), 1, rel_tol=1e-5), ours
        assert all(map(lambda a, b: math.isclose(a, b, rel_tol=1e-5), ours.embedding, theirs.embedding)), ours


def demo_models():
    equal({model.id for model in Counted().openai.models.list()}, {"demo-chat", "demo-embedding", "gpt-4"})


DEMO = [demo_chat, demo_stream, demo_embeddings, demo_models]


def main():
    failed = []
    for check in {"pool": POOL, "demo": DEMO}[sys.argv[1]]:
        try:
            check()
        except Exception:
            failed.append(check.__name__)
            print(f"--- {check.__name__}:\n{traceback.format_exc(limit=-3)}", file=sys.stderr)
    sys.exit(f"openai {openai.__version__} for Python, failed: {', '.join(failed)}" if failed else 0)


main()
