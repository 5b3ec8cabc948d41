"""langchain-anthropic."""

import os

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool

from task import FIRST, SECOND, THIRD, expect, sessions

# The recipe of docs/agents.md: it makes `model`.
exec(open(os.environ["SNIPPET"]).read())


@tool
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return f"result-{a + b}"


def streamed(chat, messages):
    whole = None
    for chunk in chat.stream(messages):
        whole = chunk if whole is None else whole + chunk
    return whole


def conversation(ask):
    chat = model.bind_tools([add])
    messages = [HumanMessage(FIRST)]
    for question in None, SECOND, THIRD, None:
        answer = ask(chat, messages)
        messages.append(answer)
        if answer.tool_calls:
            call = answer.tool_calls[0]
            messages.append(ToolMessage(add.invoke(call["args"]), tool_call_id=call["id"]))
        else:
            expect(answer.text)
            messages.append(HumanMessage(question or SECOND))


def whole(session):
    conversation(lambda chat, messages: chat.invoke(messages))


def stream(session):
    conversation(streamed)


sessions(whole, stream)
