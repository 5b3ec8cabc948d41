"""The official OpenAI package for Python."""

from openai import OpenAI

from task import ADD, BASE_URL, EMBEDDING, FIRST, KEY, MODEL, SECOND, THIRD, add, expect, sessions

client = OpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, timeout=20)
CHAT_TOOLS = [{"type": "function", "function": ADD}]
TOOLS = [{"type": "function", **ADD}]


def chat(session):
    messages = [{"role": "user", "content": FIRST}]
    for step in range(4):
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=CHAT_TOOLS, user=session)
        message = answer.choices[0].message
        messages.append(message)
        if message.tool_calls:
            call = message.tool_calls[0]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": add(call.function.arguments)})
        else:
            expect(message.content)
            messages.append({"role": "user", "content": [SECOND, THIRD][step % 2]})


def chat_stream(session):
    messages = [{"role": "user", "content": FIRST}]
    for _ in range(3):
        with client.chat.completions.stream(model=MODEL, messages=messages, tools=CHAT_TOOLS, user=session) as stream:
            message = stream.get_final_completion().choices[0].message
        messages.append(message)
        if message.tool_calls:
            call = message.tool_calls[0]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": add(call.function.arguments)})
        else:
            expect(message.content)
            messages.append({"role": "user", "content": SECOND})


def finished(create, given):
    """Asks, calls the tool, and returns the responses: that with the call, and that after its result."""
    called = create(input=[{"role": "user", "content": FIRST}])
    (call,) = [item for item in called.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": add(call.arguments)}
    answered = create(**given(called), input=[*given(called).get("input", []), result])
    expect(answered.output_text)
    return called, result, answered


def by_previous_response(session):
    def create(**more):
        return client.responses.create(model=MODEL, tools=TOOLS, **more)

    last = finished(create, lambda called: {"previous_response_id": called.id})[-1]
    for question in SECOND, THIRD:
        last = create(previous_response_id=last.id, input=question)
        expect(last.output_text)


def retrieved(session):
    made = client.responses.create(model=MODEL, input=FIRST)
    assert client.responses.retrieve(made.id).id == made.id
    client.responses.delete(made.id)


def by_reference(session):
    create = client.responses.create
    first = create(model=MODEL, tools=TOOLS, input=FIRST)
    history = [{"role": "user", "content": FIRST}, *({"type": "item_reference", "id": item.id} for item in first.output)]
    call = first.output[-1]
    history.append({"type": "function_call_output", "call_id": call.call_id, "output": add(call.arguments)})
    for question in None, SECOND, THIRD:
        if question:
            history.append({"role": "user", "content": question})
        answer = create(model=MODEL, tools=TOOLS, input=history)
        expect(answer.output_text)
        history += [{"type": "item_reference", "id": item.id} for item in answer.output]


def without_store(session):
    """Reasoning comes encrypted, and goes back; streams, as agents do it."""
    history = [{"role": "user", "content": FIRST}]
    for question in None, SECOND, THIRD, None:
        stateless = {"store": False, "include": ["reasoning.encrypted_content"]}
        with client.responses.stream(model=MODEL, tools=TOOLS, input=history, **stateless) as stream:
            answer = stream.get_final_response()
        history += answer.output
        call = answer.output[-1]
        if call.type == "function_call":
            history.append({"type": "function_call_output", "call_id": call.call_id, "output": add(call.arguments)})
        else:
            expect(answer.output_text)
            history.append({"role": "user", "content": question or THIRD})


def websocket(session):
    """Several responses on one connection, which remembers the last one although nothing is stored."""
    last, given = {}, [{"role": "user", "content": FIRST}]
    with client.responses.connect(max_retries=0) as connection:
        for question in None, SECOND, THIRD, None:
            asked = {"model": MODEL, "tools": TOOLS, "store": False, "input": given, **last}
            connection.send({"type": "response.create", **asked})
            for event in connection:
                assert event.type not in ("error", "response.failed"), event
                if event.type == "response.completed":
                    break
            last, item = {"previous_response_id": event.response.id}, event.response.output[-1]
            if item.type == "function_call":
                given = [{"type": "function_call_output", "call_id": item.call_id, "output": add(item.arguments)}]
            else:
                expect(item.content[0].text)
                given = [{"role": "user", "content": question or SECOND}]


def by_conversation(session):
    conversation = client.conversations.create()

    def create(**more):
        return client.responses.create(model=MODEL, tools=TOOLS, conversation=conversation.id, **more)

    finished(create, lambda called: {})
    for question in SECOND, THIRD:
        expect(create(input=question).output_text)
    assert len(client.conversations.items.list(conversation.id).data) > 5


def embeddings(session):
    assert client.embeddings.create(model=EMBEDDING, input=session).data[0].embedding == [0.5, -0.25, 1.0]


def models(session):
    assert MODEL in {model.id for model in client.models.list()}


sessions(
    chat, chat_stream, by_previous_response, retrieved, by_reference, without_store, websocket, by_conversation, embeddings,
    models,
)
