"""Follow-ups of the Responses API, by each thing that carries a conversation: all of them reach the account that knows it.

    python tests/clients/carriers.py --pool target/debug/api-together [--redis] [CARRIER …]

For each carrier, over two and over five accounts: 20 conversations are begun, the pool is started again, and each goes on.
With `--redis` there are two pools on one Redis, and a conversation that began at one goes on at the other. Prints a line for each carrier with
how many were good, and how many calls of theirs an account refused before the right one was found.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import mock
from mock.model import CALL
from pool import Pool

CONVERSATIONS = 20
ENCRYPTED = {"store": False, "include": ["reasoning.encrypted_content"]}
# How long a request may take, in seconds.
PATIENCE = 30
MODEL = "gpt-5.1"
ADD = {"type": "function", "name": "add", "parameters": {"type": "object"}}


def call(pool, path, body):
    """Sends a request to a pool or an account, and returns the answer. Fails if it is none of 200."""
    connection = http.client.HTTPConnection("127.0.0.1", pool.port, timeout=PATIENCE)
    headers = {"authorization": f"Bearer {pool.key}", "content-type": "application/json"}
    connection.request("POST", f"/v1/{path}", json.dumps(body), headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.status == 200, f"{response.status} {text[:300]}"
    if body.get("stream"):
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        return events[-1]["response"]
    return json.loads(text)


def ask(pool, given, **more):
    return call(pool, "responses", {"model": MODEL, "input": given, "tools": [ADD], **more})


def question(nth):
    return {"role": "user", "content": f"Question {nth} {CALL}"}


def result_of(first):
    return {"type": "function_call_output", "call_id": first["output"][-1]["call_id"], "output": "result-42"}


def begin(pool, nth, **more):
    return ask(pool, [question(nth)], **more)


def item_reference(pool, nth, first):
    references = [{"type": "item_reference", "id": item["id"]} for item in first["output"]]
    return ask(pool, [question(nth), *references, result_of(first)])


def reasoning_id(pool, nth, first):
    reasoning, called = first["output"]
    return ask(pool, [question(nth), {"type": "reasoning", "id": reasoning["id"], "summary": []}, called, result_of(first)])


def encrypted_content(pool, nth, first):
    return ask(pool, [question(nth), *first["output"], result_of(first)], **ENCRYPTED)


def encrypted_content_alone(pool, nth, first):
    """As clients do that leave out the ids of what was not stored."""
    items = [{name: value for name, value in item.items() if name != "id"} for item in first["output"]]
    return ask(pool, [question(nth), *items, result_of(first)], **ENCRYPTED)


def previous_response_id(pool, nth, first):
    return ask(pool, [result_of(first)], previous_response_id=first["id"])


def begin_conversation(pool, nth):
    """The conversation is made at an account. The pool has to find out at which."""
    identifier = call(pool.accounts[nth % len(pool.accounts)], "conversations", {})["id"]
    return {**begin(pool, nth, conversation=identifier), "conversation": identifier}


def conversation(pool, nth, first):
    return ask(pool, [result_of(first)], conversation=first["conversation"])


# How a conversation begins, and how it goes on.
CARRIERS = {
    "item_reference": (begin, item_reference),
    "item_reference, streamed": (lambda pool, nth: begin(pool, nth, stream=True), item_reference),
    "reasoning id": (begin, reasoning_id),
    "encrypted content": (lambda pool, nth: begin(pool, nth, **ENCRYPTED), encrypted_content),
    "encrypted content, streamed": (lambda pool, nth: begin(pool, nth, stream=True, **ENCRYPTED), encrypted_content),
    "encrypted content, no id": (lambda pool, nth: begin(pool, nth, **ENCRYPTED), encrypted_content_alone),
    "previous_response_id": (begin, previous_response_id),
    "previous_response_id, streamed": (lambda pool, nth: begin(pool, nth, stream=True), previous_response_id),
    "conversation": (begin_conversation, conversation),
}


class Redis:
    """A server on a free port, that keeps nothing on disk."""

    async def start(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = await asyncio.create_subprocess_exec(
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder,
            stdout=asyncio.subprocess.DEVNULL)
        self.url = f"redis://127.0.0.1:{port}/0"
        for _ in range(PATIENCE * 20):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                return self
            await asyncio.sleep(0.05)
        raise AssertionError("redis-server does not listen")


async def follow_ups(name, number, options, folder):
    """Returns how many follow-ups were good, how many calls were refused on the way, and what was wrong with the last bad one."""
    first_part, carry = CARRIERS[name]
    accounts = await mock.start(number)
    redis = await Redis().start(folder) if options.redis else None
    more = {"store": {"url": redis.url}} if redis else {}
    pools = [await Pool(options.pool, folder / "pool-1", accounts, **more).start()]
    try:
        begun = [await asyncio.to_thread(first_part, pools[0], nth) for nth in range(CONVERSATIONS)]
        # Which is by chance: of five accounts one may have none.
        assert sum(bool(account.calls) for account in accounts) > 1, "all conversations began at one account"
        refused = sum(entry.status >= 400 for account in accounts for entry in account.calls)
        if redis:
            pools.append(await Pool(options.pool, folder / "pool-2", accounts, **more).start())
        else:
            await pools[0].stop()
            await pools[0].start()
        good, wrong = 0, ""
        for nth, first in enumerate(begun):
            try:
                answer = await asyncio.to_thread(carry, pools[-1], nth, first)
                assert "result-42" in answer["output"][-1]["content"][0]["text"], answer
                good += 1
            except AssertionError as error:
                wrong = str(error)
        return good, sum(entry.status >= 400 for account in accounts for entry in account.calls) - refused, wrong
    finally:
        for pool in pools:
            await pool.stop()
        if redis:
            redis.process.terminate()
            await redis.process.wait()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="the built program")
    parser.add_argument("--tools", help="not used: only Python is needed")
    parser.add_argument("--redis", action="store_true", help="two pools on one Redis, and no restart")
    parser.add_argument("carriers", nargs="*", choices=[[], *CARRIERS], help="all, if left out")
    options = parser.parse_args()
    failed = False
    for name in options.carriers or CARRIERS:
        for number in 2, 5:
            folder = Path(tempfile.mkdtemp(prefix="carriers-"))
            try:
                good, refused, wrong = await follow_ups(name, number, options, folder)
            except AssertionError as error:
                good, refused, wrong = 0, 0, str(error)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            failed |= good < CONVERSATIONS
            print(f"{name:32} {number} accounts: {good} of {CONVERSATIONS}, refused on the way: {refused} {wrong}", flush=True)
    sys.exit(1 if failed else 0)


asyncio.run(main())
