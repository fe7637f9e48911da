"""A thousand visitors from one client, as a web server has them: time, memory, connections.

Time is the processor time of `client.visitor()`. Memory is what Python has allocated when
all visitors have called, each with a session of its own, less the sessions' tokens. The
calls go to a server on the loopback interface that counts its connections. The peers have
no visitors; their `with_options` makes a client over the same connections, too.
"""

from __future__ import annotations

import json
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any, ClassVar

from .results import Row, apart, hand_over, show_progress
from .timing import cheapest

VISITORS = 1000
REPETITIONS = 20
LONGEST = 50.0  # Microseconds per visitor.
MOST = 5.0  # MB for all visitors.
TIME = "a client for another visitor"
MEMORY = f"{VISITORS:,} visitors that have called"
TOKEN = "t" * 200
VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}


def measure() -> list[Row]:
    """Return the rows of time, of memory and of connections."""
    rows: list[Row] = []
    for subject in ("siteassist", "openai", "anthropic", "memory"):
        show_progress(f"visitors: {subject}")
        rows += apart("visitors", subject)
    return rows


def _microseconds(make: Callable[[], object]) -> float:
    def run() -> None:
        for _ in range(VISITORS):
            make()

    return cheapest(REPETITIONS, run)[0] / VISITORS * 1e6


def _time(subject: str) -> list[Row]:
    if subject == "siteassist":
        from siteassist import SiteAssist

        client = SiteAssist(api_key="pk_1234567890")
        return [
            Row(TIME, "siteassist", _microseconds(client.visitor), LONGEST, " us"),
            Row(TIME, "siteassist, with_options", _microseconds(client.with_options), unit=" us"),
        ]
    name = {"openai": "OpenAI", "anthropic": "Anthropic"}[subject]
    peer: Any = getattr(import_module(subject), name)(api_key="x")
    found = _microseconds(lambda: peer.with_options(timeout=5))
    return [Row(TIME, f"{subject}, with_options", found, unit=" us")]


class _Handler(BaseHTTPRequestHandler):
    """Starts sessions and returns visitors."""

    protocol_version = "HTTP/1.1"
    connections: ClassVar[int] = 0

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        type(self).connections += 1

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self, content: Any) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:  # the name that http.server calls
        """Return a visitor."""
        self._answer(VISITOR)

    def do_POST(self) -> None:  # the name that http.server calls
        """Start a session."""
        self._answer({"sessionToken": TOKEN, "visitor": VISITOR})


@contextmanager
def _server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v2"
        finally:
            server.shutdown()
            thread.join()


def _memory() -> list[Row]:
    from siteassist import SiteAssist

    with _server() as url, SiteAssist(api_key="pk_1234567890", base_url=url) as client:
        client.visitor().get_me()
        before = _Handler.connections
        tracemalloc.start()
        visitors = [client.visitor() for _ in range(VISITORS)]
        for visitor in visitors:
            visitor.get_me()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        more = _Handler.connections - before
        beyond = (size - len(visitors) * len(TOKEN)) / 1e6
    return [
        Row(MEMORY, "siteassist, beyond their tokens", beyond, MOST, " MB"),
        Row(MEMORY, "siteassist, new connections", more, 0.0),
    ]


if __name__ == "__main__":
    hand_over(_memory() if sys.argv[1] == "memory" else _time(sys.argv[1]))
