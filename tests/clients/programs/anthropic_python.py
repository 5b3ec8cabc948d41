"""The official Anthropic package for Python."""

from anthropic import Anthropic

from task import ADD, BASE_URL, CLAUDE, FIRST, KEY, PARAMETERS, SECOND, THIRD, add, expect, sessions

client = Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=20)
TOOLS = [{"name": ADD["name"], "description": ADD["description"], "input_schema": PARAMETERS}]


def conversation(session, ask):
    messages = [{"role": "user", "content": FIRST}]
    for question in None, SECOND, THIRD, None:
        answer = ask(model=CLAUDE, max_tokens=1000, messages=messages, tools=TOOLS, metadata={"user_id": session})
        messages.append({"role": "assistant", "content": answer.content})
        assert answer.usage.input_tokens and answer.usage.output_tokens, answer.usage
        # A stream's message has none.
        assert getattr(answer, "_request_id", "req_").startswith("req_"), answer._request_id
        used = [block for block in answer.content if block.type == "tool_use"]
        if used:
            result = {"type": "tool_result", "tool_use_id": used[0].id, "content": add(used[0].input)}
            messages.append({"role": "user", "content": [result]})
        else:
            expect(answer.content[-1].text)
            messages.append({"role": "user", "content": question or SECOND})


def messages(session):
    conversation(session, client.messages.create)


def messages_stream(session):
    def ask(**given):
        with client.messages.stream(**given, thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
            return stream.get_final_message()

    conversation(session, ask)


def beta(session):
    conversation(session, lambda **given: client.beta.messages.create(**given, betas=["context-management-2025-06-27"]))


def count_tokens(session):
    assert client.messages.count_tokens(model=CLAUDE, messages=[{"role": "user", "content": FIRST}]).input_tokens > 0


def models(session):
    listed = {model.id: model for model in client.models.list(limit=1000)}
    assert listed[CLAUDE].type == "model" and listed[CLAUDE].display_name, listed


sessions(messages, messages_stream, beta, count_tokens, models)
