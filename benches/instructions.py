#!/usr/bin/env python3
"""Counts the user-space instructions of a chat and of an event of a stream, with valgrind's callgrind.

    benches/instructions.py target/dist/api-together [ANOTHER BUILD …]

Needs valgrind; nginx is counted beside the builds if it is installed. Takes some three minutes a program.

- Each figure is the difference of two runs of different length, so that start and stop cancel out.
- A chat: 400 and 2,400 requests over 8 connections. An event: 20 streams of 50 and of 250 events, each sent when the
  client has the one before.
- One worker each. nginx runs as a single process, with the configuration of `api-together bench`.
- glibc's `memset` fills large blocks with one instruction that valgrind counts for every byte. A tunable switches to
  plain stores.
- Work by the clock (commits, the log) weighs more under valgrind, which serves some 400 requests a second. So the
  busiest thread is printed as well: the worker.
"""

import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

KEY = "sk-bench-0123456789abcdef"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NO_REP_STOSB = "glibc.cpu.x86_rep_stosb_threshold=100000000"
MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Hello! How are you today? Please tell me something about the weather in spring."},
]
ANSWER = json.dumps({
    "id": "chatcmpl-123", "object": "chat.completion", "created": 1694268190, "model": "bench",
    "choices": [{
        "index": 0,
        "message": {"role": "assistant", "content": "Hello there, how may I assist you today?"},
        "finish_reason": "stop",
    }],
    "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
}).encode()
STREAM_END = (
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":50,"total_tokens":59}}\n\n'
    b"data: [DONE]\n\n"
)


def event(number):
    delta = {"index": 0, "delta": {"content": f" word{number % 10}"}, "logprobs": None, "finish_reason": None}
    chunk = {
        "id": "chatcmpl-123", "object": "chat.completion.chunk", "created": 1694268190, "model": "bench",
        "system_fingerprint": "fp_44709d6fcb", "choices": [delta],
    }
    return f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n".encode()


def content_length(head):
    found = re.search(rb"content-length: *(\d+)", head, re.I)
    return int(found[1]) if found else None


def receive(connection, buffer, enough):
    """Reads until `enough` says so; returns the bytes, or None at the end of the connection."""
    while not enough(buffer):
        piece = connection.recv(65536)
        if not piece:
            return None
        buffer += piece
    return buffer


class Upstream:
    """Answers chats and streams. Each event waits until the client has received the one before."""

    def __init__(self, events):
        self.events = events
        self.received = threading.Semaphore(0)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        while (rest := receive(connection, rest, lambda b: b"\r\n\r\n" in b)) is not None:
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = content_length(head)
            rest = receive(connection, rest, lambda b: len(b) >= length)
            body, rest = rest[:length], rest[length:]
            if b'"stream": true' in body or b'"stream":true' in body:
                self.stream(connection)
            else:
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                connection.sendall(head % len(ANSWER) + ANSWER)

    def stream(self, connection):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for number in range(self.events):
            data = event(number)
            connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))
            self.received.acquire()
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(STREAM_END), STREAM_END))


class Client:
    """Keeps its connections open, and asks for chats or streams."""

    def __init__(self, port, connections, stream):
        self.connections = [socket.create_connection(("127.0.0.1", port), timeout=120) for _ in range(connections)]
        for connection in self.connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = json.dumps({"model": "bench", "messages": MESSAGES, "temperature": 0.7, "stream": stream}).encode()
        self.request = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
            f"authorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
            "user-agent: OpenAI/Python 1.0\r\naccept: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode() + body

    def ask_for_chats(self, count):
        for _ in range(count // len(self.connections)):
            for connection in self.connections:
                connection.sendall(self.request)
            for connection in self.connections:
                answer = receive(connection, b"", lambda b: b"\r\n\r\n" in b)
                head, _, rest = answer.partition(b"\r\n\r\n")
                assert b" 200 " in head.split(b"\r\n")[0], answer
                receive(connection, rest, lambda b: len(b) >= content_length(head))

    def ask_for_streams(self, count, received):
        for number in range(count):
            connection = self.connections[number % len(self.connections)]
            connection.sendall(self.request)
            seen, answer = 0, b""
            while not answer.endswith(b"0\r\n\r\n"):
                answer = receive(connection, answer, lambda b, known=len(answer): len(b) > known)
                for _ in range(answer.count(b'"content"') - seen):
                    received.release()
                    seen += 1
            assert answer.startswith(b"HTTP/1.1 200 "), answer


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def command_of(program, folder, port, upstream):
    if os.path.basename(program) == "nginx":
        with open(f"{ROOT}/crates/bench/src/nginx.conf") as file:
            config = file.read()
        places = {"@FOLDER@": folder, "@UPSTREAM@": f"127.0.0.1:{upstream}", "@LISTEN@": f"127.0.0.1:{port}"}
        for name, value in places.items():
            config = config.replace(name, value)
        with open(f"{folder}/nginx.conf", "w") as file:
            file.write("master_process off;\n" + config)
        return [program, "-p", folder, "-c", f"{folder}/nginx.conf"]
    limits = {"rpm": 1_000_000, "rpd": 100_000_000, "tpm": 100_000_000, "tpd": 10_000_000_000}
    account = {"baseUrl": f"http://127.0.0.1:{upstream}", "apiKey": "sk-upstream-0123456789", "models": ["bench"]}
    config = {
        "server": {"host": "127.0.0.1", "port": port, "apiKey": KEY},
        "actors": {"workers": 1},
        "apis": [{"id": f"a{i}", **account, **limits} for i in range(4)],
    }
    with open(f"{folder}/apis.json", "w") as file:
        json.dump(config, file)
    return [program, "serve", "--config", f"{folder}/apis.json", "--data", f"{folder}/data"]


def wait_for(port):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the program does not listen")


def count(program, stream, requests, events=0):
    """Runs a load, and returns the instructions of each thread."""
    upstream, port = Upstream(events), free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        valgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/count"]
        command = valgrind + command_of(program, folder, port, upstream.port)
        environment = {**os.environ, "GLIBC_TUNABLES": NO_REP_STOSB}
        with open(f"{folder}/log", "w") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            wait_for(port)
            client = Client(port, 4 if stream else 8, stream)
            if stream:
                client.ask_for_streams(requests, upstream.received)
            else:
                client.ask_for_chats(requests)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(120)
        threads = {}
        for path in glob.glob(f"{folder}/count*"):
            with open(path, errors="replace") as file:
                totals = re.search(r"^totals: (\d+)", file.read(), re.M)
            threads[path.rpartition("-")[2]] = int(totals[1]) if totals else 0
        return threads


def difference(short, long, units):
    """Returns the instructions of one unit: of all threads, and of the busiest."""
    threads = [(long[name] - short.get(name, 0)) / units for name in long]
    return round(sum(threads)), round(max(threads))


def main():
    programs = sys.argv[1:] or [f"{ROOT}/target/dist/api-together"]
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    print(f"{'':40} {'a chat':>10} {'worker':>10} {'an event':>10} {'worker':>10}")
    for program in [os.path.abspath(program) for program in programs] + ([nginx] if nginx else []):
        chat = difference(count(program, False, 400), count(program, False, 2400), 2_000)
        streams = difference(count(program, True, 20, 50), count(program, True, 20, 250), 20 * 200)
        print(f"{program[-40:]:40} {chat[0]:10,} {chat[1]:10,} {streams[0]:10,} {streams[1]:10,}", flush=True)


if __name__ == "__main__":
    main()
