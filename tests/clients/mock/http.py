"""A small HTTP/1.1 server on asyncio: keep-alive, bodies with a length or in chunks, answers whole or as events, WebSockets."""

import asyncio
import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# The largest body that is read, in bytes.
LARGEST_BODY = 64 << 20
# How long a connection may be silent, in seconds.
SILENCE = 300


@dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return urlsplit(self.target).query

    def json(self):
        return json.loads(self.body or b"{}")


@dataclass
class Answer:
    """An answer with a body, or with `events`: pieces that are sent one by one."""

    status: int = 200
    body: object = None
    headers: dict = field(default_factory=dict)
    events: list | None = None
    # Serves the connection as a WebSocket: a coroutine function that takes the socket.
    socket: object = None


class Refusal(Exception):
    """An error that an account answers with, in OpenAI's form."""

    def __init__(self, status, message, param=None, code=None):
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self):
        return {"error": {"message": self.message, "type": "invalid_request_error", "param": self.param, "code": self.code}}


async def read_request(reader):
    """Returns the next request, or None if the client closed the connection."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SILENCE)
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await read_chunks(reader)
    else:
        length = int(headers.get("content-length", 0))
        assert length <= LARGEST_BODY, f"a body of {length} bytes"
        body = await reader.readexactly(length)
    return Request(method, target, headers, body)


async def read_chunks(reader):
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        assert len(body) + size <= LARGEST_BODY, "a body without end"
        body += await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():
        pass
    return body


async def write_answer(writer, request, answer):
    headers = {"connection": "keep-alive", **answer.headers}
    if answer.events is not None:
        headers = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked", **headers}
        writer.write(head_of(answer.status, headers))
        for event in answer.events:
            piece = event.encode()
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            # The next event is another packet.
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
    else:
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
        writer.write(head_of(answer.status, headers))
        if request.method != "HEAD":
            writer.write(body)
    await writer.drain()


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class WebSocket:
    """The server's end of a WebSocket (RFC 6455), without extensions."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def accept(self, key):
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        headers = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-accept": base64.b64encode(digest).decode()}
        self.writer.write(head_of(101, headers))

    async def receive(self):
        """Returns the next message's text, or None when the other end closes. Answers pings."""
        message = b""
        while True:
            try:
                first, second = await asyncio.wait_for(self.reader.readexactly(2), SILENCE)
                length = second & 0x7F
                if length == 126:
                    (length,) = struct.unpack(">H", await self.reader.readexactly(2))
                elif length == 127:
                    (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
                mask = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
                data = await self.reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
                return None
            payload = bytes(byte ^ mask[nth % 4] for nth, byte in enumerate(data))
            match first & 0x0F:
                case 8:
                    self.write(8, payload[:2])
                    return None
                case 9:
                    self.write(10, payload)
                case 10:
                    pass
                case _:
                    message += payload
                    if first & 0x80:
                        return message.decode()

    def write(self, opcode, payload):
        length = len(payload)
        size = bytes([length]) if length < 126 else b"\x7e" + struct.pack(">H", length)
        if length >= 1 << 16:
            size = b"\x7f" + struct.pack(">Q", length)
        self.writer.write(bytes([0x80 | opcode]) + size + payload)

    async def send(self, text):
        self.write(1, text.encode())
        await self.writer.drain()


async def serve(handle, port=0):
    """Starts a server on loopback. `handle` makes an answer of a request. Returns the server and its port."""

    async def connection(reader, writer):
        try:
            while request := await read_request(reader):
                answer = handle(request)
                if answer.socket:
                    socket = WebSocket(reader, writer)
                    socket.accept(request.headers["sec-websocket-key"])
                    await answer.socket(socket)
                    break
                await write_answer(writer, request, answer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", port, limit=1 << 20)
    return server, server.sockets[0].getsockname()[1]
