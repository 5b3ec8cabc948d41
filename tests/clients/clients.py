"""The programs, and how each does its task of three turns: in a folder of its own, with a home of its own."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from recipes import recipe

HERE = Path(__file__).parent
# What agents are asked. Their tool shows the file of `mock/model.py`, and the file has the result.
FIRST = "Show codeword.txt and tell me the word. [call a tool]"
SECOND = "What was the word?"
THIRD = "And once more, what was the word?"
# How many sessions there are where one account is not enough: by chance, all of them go to one in one run of 30,000.
SESSIONS = 16
# So long a program may take for all that it does, in seconds.
DEADLINE = 150


class Place:
    """Where a program runs: its folder, its home, its environment, and the pool that it is pointed at."""

    def __init__(self, folder, tools, url, key, api_together=None):
        self.folder, self.tools, self.url, self.key = Path(folder), Path(tools), url, key
        # The program under test, for its commands `agent` and `run`.
        self.api_together = api_together and str(Path(api_together).resolve())
        self.home, self.work = self.folder / "home", self.folder / "work"
        self.temporary = self.folder / "tmp"
        for path in self.home, self.work, self.temporary:
            path.mkdir(parents=True)
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.temporary), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
            "BASE_URL": url, "KEY": key, **{name: os.environ[name] for name in ("PARTS", "SESSIONS") if name in os.environ},
        }
        self.word = f"result-{os.urandom(4).hex()}"
        (self.work / "codeword.txt").write_text(f"{self.word}\n")

    def write(self, file, name, more=""):
        """Writes a recipe of docs/agents.md to a file. Returns the file's path."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(recipe(name, self.url, self.key) + more)
        return str(file)

    def agent(self, name):
        """Lets `api-together agent NAME --write` make the settings in the fresh home."""
        env = {**self.env, "API_TOGETHER_KEY": self.key}
        subprocess.run([self.api_together, "agent", name, "--write", "--url", self.url], env=env, cwd=self.folder, check=True)

    def run(self, name, program):
        """Returns a command line that starts a program by `api-together run NAME`."""
        programs = self.folder / "bin"
        programs.mkdir()
        os.symlink(program, programs / name)
        self.env |= {"PATH": f"{programs}:{self.env['PATH']}", "API_TOGETHER_KEY": self.key}
        return [self.api_together, "run", name, "--url", self.url, "--"]

    def python(self, program, snippet=None):
        if snippet:
            self.env["SNIPPET"] = self.write(self.folder / "snippet.py", snippet)
        return [[str(self.tools / "clients-venv/bin/python"), str(HERE / "programs" / program)]]

    def node(self, program, snippet=None):
        # Node looks for packages beside the program.
        shutil.copytree(HERE / "programs", self.folder / "programs")
        os.symlink(self.packages(), self.folder / "programs" / "node_modules")
        if snippet:
            more = "\nexport { anthropic, openai };\n"
            self.env["SNIPPET"] = self.write(self.folder / "programs" / "snippet.mjs", snippet, more)
        return [["node", str(self.folder / "programs" / program)]]

    def packages(self):
        return (self.tools / "clients-node/node_modules").resolve()

    def binary(self, pattern):
        """Returns the path of a program that an npm package for this machine ships."""
        found = sorted(self.packages().glob(pattern))
        assert found, f"no {pattern} in {self.packages()}"
        # Of opencode's two for x86 the last one runs on every processor.
        return str(found[-1])


@dataclass
class Client:
    """A program. `commands` returns its command lines, which run one after the other."""

    commands: object
    # Whether each command must tell the word that is in the file.
    agent: bool = False
    # Whether all commands are one session, which goes to one account.
    one_session: bool = True
    env: dict = field(default_factory=dict)
    # Whether the accounts speak WebSockets; if it is said, the program must use them, or do without.
    sockets: bool | None = None
    # Headers that name the session, and a query: each request has them when it arrives.
    headers: tuple = ()
    query: str = ""
    # The parts of its program that the pool does not serve yet.
    without: str = ""
    # Whether the account that served the session's first request fails from then on, so that another one takes the session over.
    moves: bool = False
    # Whether `agent` or `run` sets it up, which ask a pool.
    by_command: bool = False


# How a program gets its settings: by a recipe of docs/agents.md, by `api-together agent`, or none of its own, by `api-together run`.
RECIPE, AGENT, RUN = "recipe", "agent", "run"


def claude_code(by):
    def commands(place):
        program = [place.binary("@anthropic-ai/claude-code-*/claude")]
        if by == RECIPE:
            place.write(place.home / ".claude" / "settings.json", "claude")
        elif by == AGENT:
            place.agent("claude")
        else:
            program = place.run("claude", *program)
        return [[*program, "--allowedTools", "Bash", *more] for more in
                (["-p", FIRST], ["-p", SECOND, "--continue"], ["-p", THIRD, "--continue"])]

    return commands


def codex(by, recipe_name="codex"):
    def commands(place):
        program = [place.binary("@openai/codex-*/vendor/*/bin/codex")]
        settings = place.home / ".codex" / "config.toml"
        quiet = recipe("codex-quiet", place.url, place.key)
        if by == RECIPE:
            place.write(settings, recipe_name, "" if recipe_name == "codex-built-in" else quiet)
            place.env |= {"POOL_KEY": place.key, "CODEX_API_KEY": place.key}
        elif by == AGENT:
            settings.parent.mkdir()
            settings.write_text(quiet)
            place.agent("codex")
            place.env["POOL_KEY"] = place.key
        else:
            settings.parent.mkdir()
            settings.write_text(quiet)
            program = place.run("codex", *program)
        # The sandbox of the program needs rights that a container may not have.
        options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        resume = [*program, "exec", "resume", "--last", *options]
        return [[*program, "exec", *options, FIRST], [*resume, SECOND], [*resume, THIRD]]

    return commands


def codex_sessions(place):
    first, *_ = codex(RECIPE)(place)
    return [first] * SESSIONS


def opencode(by):
    def commands(place):
        # The program installs its package for plugins, which nothing here uses, unless this is there.
        settings = place.home / ".config" / "opencode"
        (settings / "node_modules").mkdir(parents=True)
        installed = {"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}
        (settings / "package-lock.json").write_text(json.dumps(installed))
        program = [place.binary("opencode-linux-*/bin/opencode")]
        if by == RUN:
            program = place.run("opencode", *program)
        else:
            place.env["POOL_KEY"] = place.key
            place.write(place.work / "opencode.json", "opencode") if by == RECIPE else place.agent("opencode")
        program = [*program, "run"]
        return [[*program, FIRST], [*program, "--continue", SECOND], [*program, "--continue", THIRD]]

    return commands


def gemini_cli(place):
    settings = place.home / ".gemini" / "settings.json"
    place.write(settings, "gemini")
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "privacy": {"usageStatisticsEnabled": False}}))
    place.env |= {"GOOGLE_GEMINI_BASE_URL": place.url, "GEMINI_API_KEY": place.key,
                  "GEMINI_CLI_CUSTOM_HEADERS": "x-session-id: the-session"}
    program = ["node", str(place.tools / "genai-node/node_modules/.bin/gemini"), "--skip-trust", "--approval-mode", "yolo"]
    resume = [*program, "--resume", "latest"]
    return [[*program, "-p", FIRST], [*resume, "-p", SECOND], [*resume, "-p", THIRD]]


CLAUDE = {"agent": True, "headers": ("x-claude-code-session-id", "anthropic-beta"), "query": "beta=true",
          "env": {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}}
CODEX = {"agent": True, "headers": ("session-id",)}
OPENCODE = {"agent": True, "headers": ("x-session-affinity",), "env": {
    "OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}}


CLIENTS = {
    "openai-python": Client(lambda place: place.python("openai_python.py"), without="by_conversation,retrieved"),
    "openai-node": Client(lambda place: place.node("openai_node.mjs"), without="by_conversation"),
    "anthropic-python": Client(lambda place: place.python("anthropic_python.py")),
    "anthropic-node": Client(lambda place: place.node("anthropic_node.mjs")),
    "langchain-openai": Client(
        lambda place: place.python("openai_langchain.py", "langchain-openai"), env={"LANGSMITH_TRACING": "false"}),
    "langchain-anthropic": Client(
        lambda place: place.python("anthropic_langchain.py", "langchain-anthropic"), env={"LANGSMITH_TRACING": "false"}),
    "ai-sdk": Client(lambda place: place.node("ai_sdk.mjs", "ai-sdk")),
    "openai-agents": Client(
        lambda place: place.python("agents_python.py"), env={"OPENAI_AGENTS_DISABLE_TRACING": "1"},
        without="by_conversation"),
    "litellm": Client(
        lambda place: place.python("litellm_python.py"),
        env={"LITELLM_TELEMETRY": "False", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}),
    "claude-code": Client(claude_code(RECIPE), **CLAUDE),
    "claude-code-by-agent": Client(claude_code(AGENT), by_command=True, **CLAUDE),
    "claude-code-by-run": Client(claude_code(RUN), by_command=True, **CLAUDE),
    "codex": Client(codex(RECIPE), **CODEX),
    "codex-by-agent": Client(codex(AGENT), by_command=True, **CODEX),
    "codex-by-run": Client(codex(RUN), by_command=True, **CODEX),
    "codex-sessions": Client(codex_sessions, agent=True, one_session=False, headers=("session-id",)),
    "codex-websocket": Client(codex(RECIPE, "codex-built-in"), agent=True, sockets=True),
    "codex-fallback": Client(codex(RECIPE, "codex-built-in"), agent=True, sockets=False, headers=("session-id",)),
    "opencode": Client(opencode(RECIPE), **OPENCODE),
    "opencode-by-agent": Client(opencode(AGENT), by_command=True, **OPENCODE),
    "opencode-by-run": Client(opencode(RUN), by_command=True, **OPENCODE),
    "gemini-cli": Client(gemini_cli, agent=True, headers=("x-goog-api-client", "x-session-id")),
    "gemini-cli-moves": Client(gemini_cli, agent=True, moves=True, headers=("x-goog-api-client",)),
}
