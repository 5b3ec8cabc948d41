"""LiteLLM as a library."""

import litellm

from task import ADD, BASE_URL, CLAUDE, EMBEDDING, FIRST, KEY, MODEL, SECOND, THIRD, add, expect, sessions

litellm.telemetry = False
TOOLS = [{"type": "function", "function": ADD}]


def conversation(ask):
    messages = [{"role": "user", "content": FIRST}]
    for question in None, SECOND, THIRD:
        message = ask(messages=messages, tools=TOOLS).choices[0].message
        messages.append(message)
        if message.tool_calls:
            call = message.tool_calls[0]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": add(call.function.arguments)})
        else:
            expect(message.content)
            messages.append({"role": "user", "content": question or SECOND})


def openai(session, model=f"openai/{MODEL}", url=f"{BASE_URL}/v1"):
    conversation(lambda **given: litellm.completion(model=model, api_base=url, api_key=KEY, num_retries=0, **given))


def openai_stream(session, model=f"openai/{MODEL}", url=f"{BASE_URL}/v1"):
    def ask(**given):
        chunks = list(litellm.completion(model=model, api_base=url, api_key=KEY, stream=True, **given))
        return litellm.stream_chunk_builder(chunks)

    conversation(ask)


def anthropic(session):
    openai(session, f"anthropic/{CLAUDE}", BASE_URL)


def anthropic_stream(session):
    openai_stream(session, f"anthropic/{CLAUDE}", BASE_URL)


def responses(session):
    def ask(**given):
        return litellm.responses(model=f"openai/{MODEL}", api_base=f"{BASE_URL}/v1", api_key=KEY, tools=tools, **given)

    tools = [{"type": "function", **ADD}]
    called = ask(input=FIRST)
    call = called.output[-1]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": add(call.arguments)}
    last = ask(input=[result], previous_response_id=called.id)
    expect(last.output[-1].content[0].text)
    expect(ask(input=SECOND, previous_response_id=last.id).output[-1].content[0].text)


def embeddings(session):
    answer = litellm.embedding(model=f"openai/{EMBEDDING}", input=[session], api_base=f"{BASE_URL}/v1", api_key=KEY)
    assert answer.data[0]["embedding"] == [0.5, -0.25, 1.0]


sessions(openai, openai_stream, anthropic, anthropic_stream, responses, embeddings)
