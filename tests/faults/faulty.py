"""A mock server that can be broken from outside, in one place at a time.

Nothing of ``siteassist_mock`` is changed: a fault works on what `create_app`
takes (the description, the handlers), on the objects of one application, or on
requests and answers on their way. A place that is not there any more raises.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.call import Services
from siteassist_mock.settings import MockSettings
from siteassist_spec import Document, Operation, load_spec, read_operations
from tests.faults.exchange import Event, Exchange

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from siteassist_mock.http.call import Call, Handler

__all__ = ["Ask", "Build", "Server", "Step", "operations", "spec"]

_BASE = "/v2"

Ask: TypeAlias = "Callable[[Exchange], ASGIApp | None]"
"""Changes a request, or answers it in the mock's place."""

Build: TypeAlias = "Callable[[Server], None]"
"""Puts a fault, or a tolerated difference, into a server."""

Step: TypeAlias = "Callable[[Event], Iterable[Event | bytes]]"
"""Says what is sent in the place of one event of a stream."""


@cache
def spec() -> dict[str, Any]:
    """Return ``openapi.yaml``, read once; whoever changes it works on a copy."""
    return load_spec()


@cache
def operations() -> dict[str, Operation]:
    """Return the operations of ``openapi.yaml``, by their ``operationId``."""
    return read_operations(Document(spec()))


class Server:
    """A mock server in the making."""

    def __init__(self) -> None:
        """Begin with a mock that keeps the contract."""
        self.spec = copy.deepcopy(spec())
        self.settings: dict[str, Any] = {}
        self._handlers: dict[str, Handler] = dict(HANDLERS)
        self._after_creation: list[Callable[[Starlette], None]] = []
        self._before: dict[str, list[Ask]] = {name: [] for name in HANDLERS}
        self._after: dict[str, list[Callable[[Exchange], None]]] = {name: [] for name in HANDLERS}
        self._heads: dict[str, list[Callable[[Exchange], None]]] = {name: [] for name in HANDLERS}
        self._streams: dict[str, list[Callable[[Exchange], Step]]] = {name: [] for name in HANDLERS}
        self.whole: set[str] = set()
        """The operations whose streams are sent in one piece, at their end."""
        self.elsewhere: ASGIApp | None = None
        """Answers the paths that are not described; the mock does if it is None."""

    def schema(self, path: str) -> dict[str, Any]:
        """Return the schema of the description that ``path`` leads to.

        It begins at the schemas, such as ``Visitor.properties.name``; raises
        `KeyError` if there is none.
        """
        node: Any = self.spec["components"]["schemas"]
        for step in path.split("."):
            node = node[step]
        found: dict[str, Any] = node
        return found

    def parameter(self, operation: str, name: str) -> dict[str, Any]:
        """Return the schema of one query parameter of one operation, for it alone to change.

        Raises `KeyError` if there is none.
        """
        for path in self.spec["paths"].values():
            for method, node in path.items():
                if method == "parameters" or node["operationId"] != operation:
                    continue
                for index, found in enumerate(node["parameters"]):
                    own = copy.deepcopy(self._resolved(found))
                    if own["name"] == name:
                        own["schema"] = copy.deepcopy(self._resolved(own["schema"]))
                        node["parameters"][index] = own
                        schema: dict[str, Any] = own["schema"]
                        return schema
        raise KeyError(f"{operation} has no parameter {name}")

    def before(self, operations: str, ask: Ask) -> None:
        """Let ``ask`` see the requests of ``operations``, whose names have spaces in between."""
        for name in operations.split():
            self._before[name].append(ask)

    def after(self, operations: str, change: Callable[[Exchange], None]) -> None:
        """Let ``change`` see the whole answers of ``operations``; streams are none."""
        for name in operations.split():
            self._after[name].append(change)

    def head(self, operations: str, change: Callable[[Exchange], None]) -> None:
        """Let ``change`` see the status and the headers of the streams of ``operations``."""
        for name in operations.split():
            self._heads[name].append(change)

    def stream(self, operations: str, begin: Callable[[Exchange], Step]) -> None:
        """Let what ``begin`` returns for each stream of ``operations`` see its events."""
        for name in operations.split():
            self._streams[name].append(begin)

    def handler(self, operations: str, answer: Callable[[Call, Handler], ASGIApp]) -> None:
        """Let ``answer`` answer ``operations``; it is given the mock's own handler, too."""
        for name in operations.split():
            self._handlers[name] = partial(_swapped, answer, self._handlers[name])

    def records(self, name: str, query: Callable[..., Any]) -> None:
        """Let ``query`` stand for the method ``name`` of the store's records.

        It is called with the records, the method itself, and what that is called with.
        """

        def patch(app: Starlette) -> None:
            store = app.state.store
            for records in (store._reading, store._writing):
                setattr(records, name, partial(query, records, getattr(records, name)))

        self._after_creation.append(patch)

    def services(self, patch: Callable[[Services], None]) -> None:
        """Let ``patch`` see what the requests share, before there is any."""

        def found(app: Starlette) -> None:
            services = app.state.sockets._services
            assert isinstance(services, Services)
            patch(services)

        self._after_creation.append(found)

    def app(self, **settings: Any) -> Starlette:
        """Return the application; ``settings`` go before those of the fault."""
        app = create_app(
            MockSettings(**{**self.settings, **settings}), spec=self.spec, handlers=self._handlers
        )
        for patch in self._after_creation:
            patch(app)
        assert app.middleware_stack is not None
        app.middleware_stack = _Middleware(app.middleware_stack, self)
        return app

    def ask(self, exchange: Exchange) -> ASGIApp | None:
        """Return the answer of the first hook that answers, or None."""
        for ask in self._before[exchange.operation]:
            answer = ask(exchange)
            if answer is not None:
                return answer
        return None

    def change(self, exchange: Exchange) -> None:
        """Make the fault of a whole answer."""
        for change in self._after[exchange.operation]:
            change(exchange)

    def begin(self, exchange: Exchange) -> list[Step]:
        """Make the fault of a stream's head, and return what sees its events."""
        for change in self._heads[exchange.operation]:
            change(exchange)
        return [begin(exchange) for begin in self._streams[exchange.operation]]

    def _resolved(self, node: Any) -> Any:
        while "$ref" in node:
            target: Any = self.spec
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            node = target
        return node


def _swapped(answer: Callable[[Call, Handler], ASGIApp], handler: Handler, call: Call) -> ASGIApp:
    return answer(call, handler)


class _Middleware:
    """Shows a server's hooks each request to a documented operation, and its answer."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == f"{_BASE}/openapi":
            # What is wrong is the server, not what it says of itself.
            await _published()(scope, receive, send)
            return
        found = _operation(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if found is None:
            elsewhere = None if _is_described(scope) else self._server.elsewhere
            await (elsewhere or self._app)(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        exchange = Exchange.of(scope, *found, body)
        answer = self._server.ask(exchange)
        app = self._app if answer is None else answer
        await app(
            exchange.scope(scope),
            _replay(exchange.request, receive),
            _Gate(self._server, exchange, send),
        )


@cache
def _published() -> JSONResponse:
    # It keeps nothing of a request, and can be sent any number of times.
    return JSONResponse(spec())


class _Gate:
    """What an application sends, on its way to the client."""

    def __init__(self, server: Server, exchange: Exchange, send: Send) -> None:
        self._server = server
        self._exchange = exchange
        self._send = send
        self._steps: list[Step] | None = None
        self._kept: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        exchange = self._exchange
        if message["type"] == "http.response.start":
            exchange.status = message["status"]
            exchange.headers = MutableHeaders(raw=list(message["headers"]))
            if exchange.headers.get("content-type", "").startswith("text/event-stream"):
                self._steps = self._server.begin(exchange)
                await self._start()
        elif self._steps is None:
            exchange.body += message.get("body", b"")
            if not message.get("more_body", False):
                self._server.change(exchange)
                if "content-length" in exchange.headers:
                    exchange.headers["content-length"] = str(len(exchange.body))
                await self._start()
                await self._send({"type": "http.response.body", "body": exchange.body})
        else:
            await self._event(message)

    async def _start(self) -> None:
        await self._send(
            {
                "type": "http.response.start",
                "status": self._exchange.status,
                "headers": self._exchange.headers.raw,
            }
        )

    async def _event(self, message: Message) -> None:
        more = message.get("more_body", False)
        body = message.get("body", b"")
        sent = b"".join(_changed(body, self._steps or ())) if body else b""
        if self._exchange.operation in self._server.whole:
            self._kept.append(sent)
            sent = b"" if more else b"".join(self._kept)
        if sent or not more:
            await self._send({"type": "http.response.body", "body": sent, "more_body": more})


def _changed(body: bytes, steps: Iterable[Step]) -> Iterable[bytes]:
    text = body.decode()
    # The mock writes one event at a time, in one line.
    assert text.startswith("data: "), text
    assert text.endswith("\n\n"), text
    assert 2 == text.count("\n"), text
    events: list[Event | bytes] = [Event(text[len("data: ") : -2])]
    for step in steps:
        events = [
            after
            for event in events
            for after in ([event] if isinstance(event, bytes) else step(event))
        ]
    return [event if isinstance(event, bytes) else event.frame() for event in events]


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


@cache
def _routes() -> list[tuple[str, re.Pattern[str], str]]:
    # A plain path goes before one with parameters, as in the mock.
    return sorted(
        (
            (method.upper(), _pattern(path), str(node["operationId"]))
            for path, item in spec()["paths"].items()
            for method, node in item.items()
            if method != "parameters"
        ),
        key=lambda route: route[1].groups,
    )


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(_BASE + path)))


def _is_described(scope: Scope) -> bool:
    return scope["type"] != "http" or any(
        pattern.fullmatch(scope["path"]) for _, pattern, _ in _routes()
    )


def _operation(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    for known, pattern, operation in _routes():
        match = pattern.fullmatch(path)
        if match is not None and known == method:
            return operation, match.groupdict()
    return None
