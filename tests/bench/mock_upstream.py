"""The upstream under an HTTP proxy: answers as an OpenAI server, with made bytes.

Run as `python -m tests.bench.mock_upstream ADDRESS FIRST_MS TOKEN_MS`. It reads of a
request only where it ends and whether it wants a stream, so that it costs as little as
HTTP in Python can.
"""

import asyncio
import json
import sys
from collections.abc import Mapping

import uvloop

from tests.bench.answering_node import SHORT, TOKENS
from tests.bench.timing import Timing

MODEL = "bench"
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


def _body(text: str, tokens: int) -> bytes:
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": 12,
                "completion_tokens": tokens,
                "total_tokens": 12 + tokens,
            },
        }
    ).encode()


def _event(delta: Mapping[str, str], finish_reason: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
    return _framed(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def _framed(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def _whole() -> bytes:
    body = _body("a short answer.", SHORT)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d"
    return head % len(body) + _HEAD_END + body


WHOLE = _whole()
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked" + _HEAD_END
)
TOKEN_EVENTS = [
    _event({"role": "assistant", "content": " word"}),
    *(_event({"content": " word"}) for _ in range(TOKENS - 1)),
]
STREAM_END = _event({}, "stop") + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"


async def answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timing: Timing
) -> None:
    """Answer one request after the other until the connection ends."""
    try:
        while True:
            head = (await reader.readuntil(_HEAD_END)).lower()
            body = await reader.readexactly(_length(head))
            if b'"stream":true' in body.replace(b" ", b""):
                writer.write(STREAM_HEAD)
                async for event in timing.paced(TOKEN_EVENTS):
                    writer.write(event)
                writer.write(STREAM_END)
            else:
                await timing.first()
                writer.write(WHOLE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _length(head: bytes) -> int:
    """Return how long the body is; the head is in small letters."""
    _, found, rest = head.partition(_LENGTH)
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve(address: str, timing: Timing) -> None:
    """Serve for ever."""
    host, _, port = address.rpartition(":")
    server = await asyncio.start_server(
        lambda reader, writer: answer(reader, writer, timing), host, int(port)
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], Timing(float(sys.argv[2]), float(sys.argv[3]))))
