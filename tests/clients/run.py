"""Lets real programs do a task of three turns, through a pool of accounts that know only their own objects.

    python tests/clients/run.py --tools target/tools --pool target/debug/api-together [CLIENT …]
    python tests/clients/run.py --tools target/tools --direct [CLIENT …]

`--direct` leaves the pool out, and has one account. Without the name of a client all have their turn, as many at the same
time as this machine has cores. Prints a line for each client. PARTS=chat,… in the environment is for programs with SDKs: only these.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import mock
from clients import CLIENTS, DEADLINE, Place
from pool import Pool

ACCOUNTS = 2


class Trap:
    """A proxy that serves nothing: what a program wants of the world outside is written down."""

    def __init__(self):
        self.wanted = []

    async def start(self):
        async def connection(reader, writer):
            self.wanted.append((await reader.readline()).decode("latin-1").strip())
            writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            writer.close()

        self.server = await asyncio.start_server(connection, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        names = {name: url for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
        self.env = {**names, **{name.lower(): url for name in names}}
        self.env |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        return self


async def run(command, place, env):
    """Runs a command to its end. Returns what it printed; fails when it fails or takes too long."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=place.work, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, start_new_session=True)
    try:
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    except TimeoutError:
        os.killpg(process.pid, 9)
        out, err = await process.communicate()
        raise AssertionError(f"not done after {DEADLINE} s: {show(command, out, err)}") from None
    assert process.returncode == 0, f"exit code {process.returncode}: {show(command, out, err)}"
    return out.decode()


def failing_from_now_on(accounts):
    """Returns what lets the account that answers first answer no more."""

    def after_call(account, call):
        if call.method == "POST" and not any(account.fails for account in accounts):
            account.fails = True

    return after_call


def show(command, out, err):
    return f"{command}\n{out.decode()[-3000:]}\n{err.decode()[-3000:]}"


async def try_client(name, options, folder):
    """Returns what was wrong with a client's task, as a text: empty if all is well. Its requests are beside it."""
    client = CLIENTS[name]
    accounts = await mock.start(1 if options.direct else ACCOUNTS)
    for account in accounts:
        account.sockets = client.sockets is not False
        account.after_call = client.moves and failing_from_now_on(accounts)
    trap, pool = await Trap().start(), None
    url, key = accounts[0].url, accounts[0].key
    if not options.direct:
        pool = await Pool(options.pool, folder / "pool", accounts).start()
        url, key = pool.url, pool.key
    try:
        place = Place(folder, options.tools, url, key, options.pool)
        commands = client.commands(place)
        for command in commands:
            without = {"WITHOUT": "" if options.direct else client.without}
            said = await run(command, place, {**without, **place.env, **client.env, **trap.env})
            assert not client.agent or place.word in said, f"{command} did not say {place.word}, but\n{said[-2000:]}"
        check(client, accounts, trap, options)
        return "", accounts
    except AssertionError as error:
        return f"{error}\n{told(accounts)}", accounts
    finally:
        if pool:
            await pool.stop()


def check(client, accounts, trap, options):
    """Looks at what arrived."""
    calls = [call for account in accounts for call in account.calls]
    assert calls, "no request arrived"
    assert not trap.wanted, f"a program called elsewhere: {trap.wanted}"
    for call in calls:
        assert call.status != 401, f"a key that is not the account's: {call.refused}"
        may_fail = call.method == "GET" and client.sockets is False or client.moves and call.status == 500
        assert call.status < 400 or may_fail, f"refused: {call.refused}"
        if call.method == "POST":
            lost = [name for name in client.headers if name not in call.headers]
            assert not lost and client.query in call.query, f"lost on the way: {lost} {client.query} of {call.headers}"
    if client.sockets is not None:
        used = {call.method for call in calls if call.method != "GET"}
        assert used == {"SOCKET" if client.sockets else "POST"}, f"sent by {used}"
    counts = [sum(call.method != "GET" for call in account.calls) for account in accounts]
    if client.moves:
        check_move(accounts)
    elif client.agent and client.one_session:
        assert sum(map(bool, counts)) == 1, f"the session's requests were spread over the accounts: {counts}"
    elif not options.direct and not os.environ.get("PARTS"):
        assert all(counts), f"an account had nothing to do: {counts}"
    if not client.one_session:
        sessions = [{call.headers[client.headers[0]] for call in account.calls if call.method == "POST"} for account in accounts]
        assert options.direct or not set.intersection(*sessions), f"sessions on both accounts: {sessions}"


def check_move(accounts):
    """The session began at one account, and all of its other answers are the other one's."""
    answered = [sum(call.status == 200 for call in account.calls) for account in accounts]
    assert sorted(answered)[0] == 1 and sorted(answered)[1] > 2, f"answers of the accounts: {answered}"


def told(accounts):
    """The requests as they arrived, for people who read a failed test."""
    lines = [f"{account.name}: {call.method} {call.path} {call.status} {call.refused}" for account in accounts for call in account.calls]
    return "\n".join(["What arrived, the last 40:", *lines[-40:]])


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", required=True, type=lambda path: Path(path).resolve(), help="where tests/run installs")
    parser.add_argument("--pool", help="the built program")
    parser.add_argument("--direct", action="store_true", help="without a pool")
    parser.add_argument("--keep", action="store_true", help="leave the folders of the programs there")
    parser.add_argument("clients", nargs="*", choices=[[], *CLIENTS], help="all, if left out")
    options = parser.parse_args()
    assert options.direct or options.pool, "--pool or --direct"
    turns, failed = asyncio.Semaphore(os.cpu_count() or 1), []

    async def one(name):
        async with turns:
            start, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix=f"client-{name}-"))
            try:
                wrong, accounts = await try_client(name, options, folder)
            finally:
                if not options.keep:
                    shutil.rmtree(folder, ignore_errors=True)
        counts = " + ".join(str(len(account.calls)) for account in accounts)
        print(f"{'FAILED' if wrong else 'ok':6} {name:20} {time.monotonic() - start:5.1f} s, requests: {counts}", flush=True)
        if wrong:
            failed.append(name)
            print(wrong, file=sys.stderr, flush=True)

    able = [name for name, client in CLIENTS.items() if options.pool or not (client.by_command or client.moves)]
    await asyncio.gather(*(one(name) for name in options.clients or able))
    sys.exit(1 if failed else 0)


asyncio.run(main())
