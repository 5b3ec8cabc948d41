"""Drives realtime of the official OpenAI package for Python against a running pool, and says what it did not find as promised.

    BASE_URL=http://127.0.0.1:3001/v1 API_KEY=… python realtime.py pool

The pool has the upstream of tests/api/realtime/sdk.rs.
"""

import asyncio
import os

import openai

BASE_URL, API_KEY = os.environ["BASE_URL"], os.environ["API_KEY"]


async def talk(client, **asked):
    """Asks for a response in a session, and returns what was said and the usage."""
    async with client.realtime.connect(**asked) as connection:
        await connection.session.update(session={"type": "realtime", "instructions": "Be brief. é 世"})
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
        )
        await connection.response.create()
        said = ""
        async for event in connection:
            assert event.type != "error", event
            if event.type == "response.output_text.delta":
                said += event.delta
            if event.type == "response.done":
                return said, event.response.usage.total_tokens
    raise AssertionError("no end of the response came")


async def main():
    client = openai.AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY)
    assert await talk(client, model="m") == ("Grüße, 世界", 70)

    secret = await client.realtime.client_secrets.create(session={"type": "realtime", "model": "m"})
    browser = openai.AsyncOpenAI(base_url=BASE_URL, api_key=secret.value)
    assert await talk(browser, model="m") == ("Grüße, 世界", 70)

    # Audio, with the responses of voice activity detection.
    async with client.realtime.connect(model="m") as connection:
        await connection.input_audio_buffer.append(audio="UklGRg==" * 100_000)
        await connection.input_audio_buffer.commit()
        async for event in connection:
            if event.type == "response.done":
                break

    # An account's limit, as an event; the connection goes on.
    async with client.realtime.connect(model="scarce") as connection:
        types = []
        for _ in range(2):
            await connection.response.create()
        async for event in connection:
            types.append(event.type)
            if event.type == "error":
                assert event.error.message, event
            if "error" in types and "response.done" in types:
                break

    try:
        async with client.realtime.connect(model="unknown"):
            raise AssertionError("a model that nobody serves was served")
    except Exception as error:
        assert "404" in str(error), repr(error)

    # The synchronous client.
    with openai.OpenAI(base_url=BASE_URL, api_key=API_KEY).realtime.connect(model="m") as connection:
        connection.response.create()
        for event in connection:
            if event.type == "response.done":
                break


asyncio.run(main())
