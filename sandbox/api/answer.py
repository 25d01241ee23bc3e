"""A response before it is sent, and how it is sent."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from starlette.types import Send


@dataclass
class Answer:
    """A response before it is compressed and sent."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def gzip(body: bytes) -> bytes:
    """Compress fast: the sandbox should cost its clients little."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


async def deliver(answer: Answer, send: Send) -> None:
    """Send an answer whole."""
    await send(
        {"type": "http.response.start", "status": answer.status, "headers": raw_headers(answer)}
    )
    await send({"type": "http.response.body", "body": answer.body})


def raw_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Encode the headers, with the length of the body."""
    pairs = [
        (name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()
    ]
    if answer.status != 304:
        pairs.append((b"content-length", str(len(answer.body)).encode()))
    return pairs
