"""The load generators: requests at the highest possible rate, and many concurrent streams.

The requests are sent by `wrk`, which is written in C, if it is installed. Otherwise a
process of this module sends them: it pipelines several requests on each connection, and
only counts the responses and checks their status. In both cases the server is the
bottleneck.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

CONNECTIONS = 16
_PIPELINED = 4
_STATUS = re.compile(rb"HTTP/1\.1 (\d)\d\d ")


class Request(NamedTuple):
    """A request to send repeatedly: a GET, or a POST if it has a body."""

    url: str
    headers: dict[str, str]
    body: str | None = None


def generator() -> str:
    """Return a description of the load generator in use."""
    wrk = shutil.which("wrk")
    return "wrk" if wrk else "an asyncio client (wrk is not installed: apt-get install wrk)"


def per_second(request: Request, seconds: float) -> float:
    """Return the number of requests per second that a server answers.

    Raises `RuntimeError` if a response has no 2xx status.
    """
    if shutil.which("wrk") is None:
        command = [sys.executable, "-m", "bench.mock_load", json.dumps(request), str(seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return float(done.stdout)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        method = "GET" if request.body is None else "POST"
        script.write_text(f"wrk.method = '{method}'\nwrk.body = {json.dumps(request.body or '')}\n")
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}", "-s", str(script)]
        for name, value in request.headers.items():
            command += ["-H", f"{name}: {value}"]
        done = subprocess.run(
            [*command, request.url], stdout=subprocess.PIPE, text=True, check=True
        )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if "Non-2xx" in done.stdout or rate is None:
        raise RuntimeError(done.stdout)
    return float(rate[1])


def _serialise(request: Request) -> tuple[str, int, bytes]:
    url = urlsplit(request.url)
    body = (request.body or "").encode()
    headers = {**request.headers, "Host": url.netloc, "Content-Length": str(len(body))}
    lines = [f"{'GET' if request.body is None else 'POST'} {url.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return str(url.hostname), url.port or 80, "\r\n".join([*lines, "", ""]).encode() + body


async def _send_repeatedly(request: Request, seconds: float) -> float:
    host, port, wire = _serialise(request)
    ends = time.perf_counter() + seconds
    answered = 0

    async def connection() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(wire * _PIPELINED)
        rest = b""
        while time.perf_counter() < ends:
            rest += await reader.read(65_536)
            found = _STATUS.findall(rest)
            if any(status != b"2" for status in found):
                raise RuntimeError(rest)
            writer.write(wire * len(found))
            answered += len(found)
            # Keep the end of the data, which may contain the start of a status line.
            rest = rest[-12:] if not _STATUS.search(rest[-13:]) else b""
        writer.close()

    await asyncio.gather(*[connection() for _ in range(CONNECTIONS)])
    return answered / seconds


class Streams(NamedTuple):
    """The result of many concurrent streams."""

    complete: int
    """The number of streams that ended with the documented terminator after all deltas."""
    gaps: list[float]
    """The seconds between consecutive deltas of all streams, sorted."""


async def stream_all(requests: list[Request], deltas: int) -> Streams:
    """Send all requests concurrently and read their streams to the end."""
    gaps: list[float] = []
    complete = 0

    async def read(request: Request) -> None:
        nonlocal complete
        host, port, wire = _serialise(request)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(wire)
        seen, before = 0, 0.0
        async for line in reader:
            if b'"text-delta"' in line:
                now = time.perf_counter()
                if seen:
                    gaps.append(now - before)
                seen, before = seen + 1, now
            elif line.startswith(b"data: [DONE]"):
                complete += seen == deltas
                break
        writer.close()

    await asyncio.gather(*map(read, requests))
    return Streams(complete, sorted(gaps))


if __name__ == "__main__":
    print(asyncio.run(_send_repeatedly(Request(*json.loads(sys.argv[1])), float(sys.argv[2]))))
