"""A client uses either httpx or httpx2, and the rest of the runtime does not know which."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

from siteassist import APIConnectionError, AsyncSiteAssist, SiteAssist, SiteAssistError
from siteassist_runtime import http_library
from siteassist_runtime.http_library import classes, core_of, library_of
from tests.runtime.helpers import BASE_URL, CONVERSATION, VISITOR
from tests.values import ROOT

LIBRARIES = [httpx, httpx2]
STREAM = b'data: {"type": "text-delta", "id": "1", "delta": "Hello."}\n\ndata: [DONE]\n\n'
BODY = json.dumps(VISITOR).encode()


class Service(BaseHTTPRequestHandler):
    """Answers each GET with a visitor and each POST with a stream."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a visitor."""
        self._answer("application/json", BODY)

    def do_POST(self) -> None:
        """Send a stream."""
        self.rfile.read(int(self.headers["content-length"]))
        self._answer("text/event-stream", STREAM)

    def _answer(self, kind: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture(params=LIBRARIES, ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Return each of the two libraries."""
    found: ModuleType = request.param
    return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Return the base URL of a server that answers calls and streams over real connections."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v2"
        server.shutdown()
        thread.join()


def transport_of(library: Any) -> Any:
    """Return a transport in memory, for blocking and asynchronous clients."""
    return library.MockTransport(lambda _: library.Response(200, json=VISITOR))


def own_client(library: Any, kind: str) -> Any:
    """Return an HTTP client over a transport in memory."""
    return getattr(library, kind)(transport=transport_of(library))


def test_what_is_passed_decides(library: Any) -> None:
    """A client has the library of its transport or of its HTTP client."""
    for passed in (
        {"transport": transport_of(library)},
        {"http_client": own_client(library, "Client")},
    ):
        client = SiteAssist(token="t", base_url=BASE_URL, **passed)
        raw = client.with_raw_response.get_me()
        assert library is client._caller.library
        assert isinstance(raw.headers, library.Headers)
    for passed in (
        {"transport": transport_of(library)},
        {"http_client": own_client(library, "AsyncClient")},
    ):
        awaited = AsyncSiteAssist(token="t", base_url=BASE_URL, **passed)
        assert library is awaited._caller.library
        assert VISITOR["id"] == str(asyncio.run(awaited.get_me()).id)


def test_setting_decides(library: Any, url: str) -> None:
    """Without a transport, the setting names the library; derived clients have the same."""
    with SiteAssist(token="t", base_url=url, http_library=library.__name__) as client:
        patient = client.with_options(timeout=library.Timeout(5))
        assert library is patient._caller.library
        assert VISITOR["id"] == str(patient.get_me().id)
        with patient.send_message_stream(CONVERSATION, content="Hi") as stream:
            assert "Hello." == stream.until_done().text
            assert isinstance(stream._response, library.Response)

    async def main() -> None:
        async with AsyncSiteAssist(
            token="t", base_url=url, http_library=library.__name__
        ) as awaited:
            assert VISITOR["id"] == str((await awaited.get_me()).id)
            async with awaited.send_message_stream(CONVERSATION, content="Hi") as stream:
                assert "Hello." == (await stream.until_done()).text
                assert isinstance(stream._response, library.Response)

    asyncio.run(main())


def test_installed_library_does_not_decide() -> None:
    """Without a setting, a client has httpx, whatever else is installed or imported."""
    for client in (SiteAssist(token="t"), AsyncSiteAssist(token="t")):
        assert httpx is client._caller.library


def test_deadlines_hold_with_either(library: Any) -> None:
    """A server that never answers exceeds the deadline of the call, and not that of a read."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        SiteAssist(
            token="t",
            base_url=f"http://127.0.0.1:{server.getsockname()[1]}",
            http_library=library.__name__,
            timeout=0.2,
            max_retries=0,
        ) as client,
        pytest.raises(APIConnectionError, match=r"no answer from .* within 0\.2 s") as caught,
    ):
        client.get_me()
    assert isinstance(caught.value.__cause__, library.ReadTimeout)


def test_types_of_either_are_taken(library: Any) -> None:
    """A URL and a timeout may be of either library, whichever the client has."""
    client = SiteAssist(
        token="t",
        base_url=library.URL(BASE_URL),
        timeout=library.Timeout(5, read=None),
        transport=transport_of(httpx2),
    )
    assert BASE_URL == client.base_url
    assert VISITOR["id"] == str(client.get_me(timeout=library.Timeout(3)).id)


CONTRADICTION = "http_library is 'httpx', but the {} is of httpx2"
INVALID: list[tuple[dict[str, Any], str]] = [
    ({"http_library": "requests"}, "http_library must be one of httpx, httpx2, got 'requests'"),
    ({"http_library": ""}, "http_library must be one of httpx, httpx2, got ''"),
    (
        {"http_library": "httpx", "transport": transport_of(httpx2)},
        CONTRADICTION.format("transport"),
    ),
    (
        {"http_library": "httpx", "http_client": own_client(httpx2, "Client")},
        CONTRADICTION.format("http_client"),
    ),
    ({"http_client": own_client(httpx2, "AsyncClient")}, "http_client must be an httpx.Client"),
]


@pytest.mark.skipif(httpx is httpx2, reason="needs both libraries")
@pytest.mark.parametrize(("settings", "message"), INVALID)
def test_invalid_setting_is_an_error(settings: dict[str, Any], message: str) -> None:
    """An unknown library, and one that contradicts what is passed, are errors."""
    with pytest.raises(SiteAssistError, match=re.escape(message)):
        SiteAssist(token="t", **settings)


def test_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is not installed is an error that names the extra."""
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(SiteAssistError, match=r"needs `pip install 'siteassist\[httpx2\]'`"):
        SiteAssist(token="t", http_library="httpx2")


def test_classes_of_loaded_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only loaded libraries have classes, and one that is being imported may lack some."""
    assert {httpx.ReadError, httpx2.ReadError} == set(classes("ReadError"))
    monkeypatch.setitem(sys.modules, "httpx2", ModuleType("httpx2"))
    assert (httpx.ReadError,) == classes("ReadError")
    monkeypatch.delitem(sys.modules, "httpx2")
    assert (httpx.ReadError,) == classes("ReadError")


def test_library_of_a_subclass(library: Any) -> None:
    """A class that inherits from one of a library belongs to it; others belong to none."""

    class Own(library.BaseTransport):  # type: ignore[misc]  # either library
        pass

    assert library is library_of(Own())
    assert core_of(library.HTTPTransport()._pool).__name__.startswith("httpcore")
    assert None is library_of(object())


HOT_PATH = """
import asyncio, sys
import httpx2
from siteassist import AsyncSiteAssist, SiteAssist, SiteAssistError

settings = {"token": "t", "base_url": sys.argv[1]}
with SiteAssist(**settings, http_client=httpx2.Client()) as client:
    client.get_me()
    with client.send_message_stream("x", content="Hi") as stream:
        stream.until_done()
with SiteAssist(**settings, http_library="httpx2") as client:
    client.get_me()
    try:
        client.get_me(timeout=0.000001)
    except SiteAssistError:
        pass

async def main():
    async with AsyncSiteAssist(**settings, http_library="httpx2") as client:
        await client.get_me()
        async with client.send_message_stream("x", content="Hi") as stream:
            await stream.until_done()

asyncio.run(main())
print(sorted({"httpx", "httpcore"} & sys.modules.keys()))
"""


def test_program_with_httpx2_does_not_import_httpx(url: str) -> None:
    """Calls, streams and errors over httpx2 load neither httpx nor httpcore."""
    command = [sys.executable, "-c", HOT_PATH, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ("[]\n", "") == (done.stdout, done.stderr)


def test_one_module_knows_the_libraries() -> None:
    """No other module of the runtime imports a library, but for type checkers."""
    folder = ROOT / "src" / "siteassist_runtime"
    pattern = re.compile(r"^(?:import|from) (?:httpx|httpcore)", re.MULTILINE)
    assert [] == [path.name for path in folder.rglob("*.py") if pattern.search(path.read_text())]
    names = [path for path in folder.rglob("*.py") if '"httpx2"' in path.read_text()]
    assert [http_library.__file__] == [str(path) for path in names]
