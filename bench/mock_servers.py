"""The servers `bare` and `streaming`, each run in a separate process."""

from __future__ import annotations

import json
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from siteassist_mock.app import create_app
from siteassist_mock.http.server import listen, make_server
from siteassist_mock.settings import MockSettings

DELTAS = 100


def bare(port: int, body: bytes) -> None:
    """Serve the same bytes for every request: two routes, no state and no validation.

    The app runs on the same server and HTTP implementation as the mock.
    """

    async def get(_request: Request) -> Response:
        return Response(body, media_type="application/json")

    async def post(request: Request) -> Response:
        await request.body()
        return Response(body, status_code=201, media_type="application/json")

    app = Starlette(
        routes=[
            Route("/v2/conversations/{conversationId}", get),
            Route("/v2/conversations", post, methods=["POST"]),
        ]
    )
    config = uvicorn.Config(app, http="h11", log_config=None, log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listen("127.0.0.1", port)])


def streaming(port: int, pace: float) -> None:
    """Run the mock with answers of 100 words, one delta each, ``pace`` seconds apart."""
    text = " ".join(islice(cycle(["Two", "to", "four", "working", "days."]), DELTAS))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as script:
        json.dump([{"when": "/./", "answer": text}], script)
        script.flush()
        app = create_app(MockSettings(stream_delay=pace, script=Path(script.name)))
    make_server(app).run(sockets=[listen("127.0.0.1", port)])


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        bare(int(sys.argv[2]), sys.argv[3].encode())
    else:
        streaming(int(sys.argv[2]), float(sys.argv[3]))
