"""The program under test, in front of the accounts."""

import asyncio
import json
import re
from pathlib import Path

KEY = "sk-the-key-of-the-pool-0123456789"
# How long it may take to listen, in seconds.
START = 30


class Pool:
    """A running pool. `url` has no /v1."""

    def __init__(self, binary, folder, accounts, **more):
        self.binary, self.folder = Path(binary).resolve(), Path(folder)
        self.accounts, self.key, self.port = accounts, KEY, 0
        self.config = {"server": {"apiKey": KEY, "host": "127.0.0.1"}, "apis": [api(account) for account in accounts], **more}

    async def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "apis.json"
        file.write_text(json.dumps(self.config, indent=2))
        file.chmod(0o600)
        log = open(self.folder / "log", "ab")
        command = [self.binary, "--config", file, "--data", self.folder / "data", "--port", str(self.port)]
        self.process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=log, env={"RUST_LOG": "info"}, cwd=self.folder)
        self.port = await asyncio.wait_for(self.listening(), START)
        self.drain = asyncio.create_task(self.process.stdout.read())
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def listening(self):
        while line := await self.process.stdout.readline():
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line.decode()):
                return int(found[1])
        raise AssertionError(f"the pool did not start: {(self.folder / 'log').read_text()}")

    async def stop(self):
        self.process.terminate()
        await asyncio.wait_for(self.process.wait(), START)


def api(account):
    """All formats at one account, with one key."""
    urls = {name: account.url for name in ("baseUrl", "anthropicBaseUrl", "geminiBaseUrl")}
    return {"id": account.name, **urls, "apiKey": account.key, "models": [*account.models]}
