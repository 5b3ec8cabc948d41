"""Serves accounts until it is ended: `python -m mock [NUMBER]`, in tests/clients. Prints a base URL and a key for each."""

import asyncio
import sys

from . import start


async def main():
    for account in await start(int(sys.argv[1]) if len(sys.argv) > 1 else 2):
        print(account.url, account.key, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
