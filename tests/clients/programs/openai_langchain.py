"""langchain-openai: chat, and the Responses API by reasoning items and by response ids."""

import os

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool

from task import EMBEDDING, BASE_URL, FIRST, KEY, MODEL, SECOND, THIRD, expect, sessions

# The recipe of docs/agents.md: it makes `model`.
exec(open(os.environ["SNIPPET"]).read())
ChatOpenAI = type(model)


@tool
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return f"result-{a + b}"


def conversation(chat, ask=None):
    chat = chat.bind_tools([add])
    messages = [HumanMessage(FIRST)]
    for question in None, SECOND, THIRD, None:
        answer = ask(chat, messages) if ask else chat.invoke(messages)
        messages.append(answer)
        if answer.tool_calls:
            call = answer.tool_calls[0]
            messages.append(ToolMessage(add.invoke(call["args"]), tool_call_id=call["id"]))
        else:
            expect(answer.text)
            messages.append(HumanMessage(question or SECOND))


def streamed(chat, messages):
    whole = None
    for chunk in chat.stream(messages):
        whole = chunk if whole is None else whole + chunk
    return whole


def again(**more):
    return ChatOpenAI(model=MODEL, base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, **more)


def chat(session):
    conversation(model)


def chat_stream(session):
    conversation(model, streamed)


def responses(session):
    conversation(again(use_responses_api=True))


def responses_stream(session):
    conversation(again(use_responses_api=True), streamed)


def by_previous_response(session):
    conversation(again(use_responses_api=True, use_previous_response_id=True))


def without_store(session):
    conversation(again(use_responses_api=True, store=False, include=["reasoning.encrypted_content"]))


def embeddings(session):
    from langchain_openai import OpenAIEmbeddings

    # Without its own count of tokens, for which it loads a file from the network.
    embedder = OpenAIEmbeddings(model=EMBEDDING, base_url=f"{BASE_URL}/v1", api_key=KEY, check_embedding_ctx_length=False)
    assert embedder.embed_query("text") == [0.5, -0.25, 1.0]


sessions(chat, chat_stream, responses, responses_stream, by_previous_response, without_store, embeddings)
