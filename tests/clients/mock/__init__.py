"""Accounts of a provider that has the APIs of OpenAI, Anthropic and Google, each on a port of its own."""

from .account import Account
from .http import serve

MODELS = ("gpt-5.1", "claude-opus-4-8", "text-embedding-3-small", "gemini-2.5-pro")


async def start(number):
    """Starts accounts named a, b, …"""
    accounts = [Account(chr(ord("a") + nth), MODELS) for nth in range(number)]
    for account in accounts:
        account.server, account.port = await serve(account.handle)
        account.url = f"http://127.0.0.1:{account.port}"
    return accounts
