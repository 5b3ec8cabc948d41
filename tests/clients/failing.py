"""One prompt of Codex against two accounts that answer 500: how many calls arrive there within a minute?

    python tests/clients/failing.py --tools target/tools --pool target/debug/api-together

Codex retries up to thirty times by a clock of its own, and each try of the pool's would multiply that. Fails if there are more calls than a
breaker with probes allows.
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
from clients import CLIENTS, Place
from pool import Pool

MINUTE = 60
# Three calls each until the breakers open, and then for each a probe in ten seconds.
MOST = 18


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", required=True, help="the built program")
    parser.add_argument("--tools", required=True, type=lambda path: Path(path).resolve(), help="where tests/run installs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="failing-"))
    accounts = await mock.start(2)
    pool = await Pool(options.pool, folder / "pool", accounts).start()
    for account in accounts:
        account.fails = True
    place = Place(folder, options.tools, pool.url, pool.key)
    command = CLIENTS["codex"].commands(place)[0]
    start = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=place.work, env=place.env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True)
    try:
        await asyncio.wait_for(process.wait(), MINUTE)
        ended = f"Codex gave up after {time.monotonic() - start:.0f} s"
    except TimeoutError:
        os.killpg(process.pid, 9)
        await process.wait()
        ended = "Codex was still at it"
    await pool.stop()
    shutil.rmtree(folder, ignore_errors=True)
    calls = [sum(call.method == "POST" for call in account.calls) for account in accounts]
    print(f"{sum(calls)} calls upstream ({calls}) in {MINUTE} s, at most {MOST} wanted; {ended}")
    sys.exit(0 if 0 < sum(calls) <= MOST else 1)


asyncio.run(main())
