"""The OpenAI Agents SDK for Python."""

import asyncio

from agents import (
    Agent, OpenAIChatCompletionsModel, OpenAIConversationsSession, OpenAIResponsesModel, Runner, SQLiteSession, function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from task import BASE_URL, FIRST, KEY, MODEL, SECOND, THIRD, expect, sessions

set_tracing_disabled(True)
client = AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0, timeout=20)
loop = asyncio.new_event_loop()


@function_tool
def add(a: int, b: int) -> str:
    """Adds two numbers."""
    return f"result-{a + b}"


def conversation(model, session=None, **more):
    agent = Agent(name="Adder", instructions="Use the tool.", model=model, tools=[add])
    for question in FIRST, SECOND, THIRD:
        answer = loop.run_until_complete(Runner.run(agent, question, session=session, **more))
        expect(answer.final_output)


def by_history(session):
    """The whole history goes up each time, with the ids of reasoning items."""
    conversation(OpenAIResponsesModel(MODEL, client), SQLiteSession(session))


def by_conversation(session):
    conversation(OpenAIResponsesModel(MODEL, client), OpenAIConversationsSession(openai_client=client))


def by_previous_response(session):
    agent = Agent(name="Adder", instructions="Use the tool.", model=OpenAIResponsesModel(MODEL, client), tools=[add])
    last = None
    for question in FIRST, SECOND, THIRD:
        answer = loop.run_until_complete(
            Runner.run(agent, question, previous_response_id=last, auto_previous_response_id=True))
        expect(answer.final_output)
        last = answer.last_response_id


def stream(session):
    agent = Agent(name="Adder", instructions="Use the tool.", model=OpenAIResponsesModel(MODEL, client), tools=[add])
    kept = SQLiteSession(session)

    async def ask(question):
        result = Runner.run_streamed(agent, question, session=kept)
        async for _ in result.stream_events():
            pass
        return result.final_output

    for question in FIRST, SECOND, THIRD:
        expect(loop.run_until_complete(ask(question)))


def chat(session):
    conversation(OpenAIChatCompletionsModel(MODEL, client), SQLiteSession(session))


sessions(by_history, by_conversation, by_previous_response, stream, chat)
