"""A mock server with hooks for faults, one place at a time.

``siteassist_mock`` itself is not modified. A fault changes the arguments of `create_app`
(the description, the handlers), the objects of one application, or requests and
responses in transit. Hooking a place that no longer exists raises an exception.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Awaitable, Callable, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.call import Services
from siteassist_mock.settings import MockSettings
from siteassist_spec import Document, Operation, base_path, read_operations
from tests.description import SPEC
from tests.faults.exchange import Event, Exchange

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from siteassist_mock.http.call import Call, Handler
    from siteassist_mock.storage.store import Store

__all__ = [
    "Around",
    "Build",
    "Forward",
    "Middleware",
    "RequestHook",
    "Server",
    "Step",
    "operations",
    "readable",
    "spec",
]

RequestHook: TypeAlias = "Callable[[Exchange], ASGIApp | None]"
"""A hook that changes a request, or returns a response in place of the mock."""

Build: TypeAlias = "Callable[[Server], None]"
"""A function that adds a fault, or a tolerated difference, to a server."""

Forward: TypeAlias = "Callable[[], Awaitable[None]]"
"""A function that answers a request: with the hooks, the mock, and the hooks again."""

Around: TypeAlias = "Callable[[Exchange, Forward], Awaitable[None]]"
"""A function that runs before and after a request is answered, and may wait in between."""

Middleware: TypeAlias = "Callable[[ASGIApp], ASGIApp]"
"""A function that returns an application around another one."""

Step: TypeAlias = "Callable[[Event], Iterable[Event | bytes]]"
"""A function that returns the replacement for one event of a stream."""


@cache
def spec() -> dict[str, Any]:
    """Return the content of ``openapi.yaml``. It is shared: change a copy only."""
    return SPEC


@cache
def operations() -> dict[str, Operation]:
    """Return the operations of ``openapi.yaml`` by their ``operationId``."""
    return read_operations(Document(spec()))


def readable(app: ASGIApp) -> ASGIApp:
    """Return an application whose responses pages of all websites can read, like the mock's."""
    return CORSMiddleware(app, allow_origins=["*"])


class Server:
    """A builder of a mock server with faults."""

    def __init__(self) -> None:
        """Start with a mock that keeps the contract."""
        # None for the description that the mock reads once per process.
        self._spec: dict[str, Any] | None = None
        self.settings: dict[str, Any] = {}
        self._handlers: dict[str, Handler] = dict(HANDLERS)
        self._after_creation: list[Callable[[Starlette], None]] = []
        self._middleware: list[Middleware] = []
        self._store: Store | None = None
        self._around: dict[str, list[Around]] = {name: [] for name in HANDLERS}
        self._before: dict[str, list[RequestHook]] = {name: [] for name in HANDLERS}
        self._after: dict[str, list[Callable[[Exchange], None]]] = {name: [] for name in HANDLERS}
        self._heads: dict[str, list[Callable[[Exchange], None]]] = {name: [] for name in HANDLERS}
        self._streams: dict[str, list[Callable[[Exchange], Step]]] = {name: [] for name in HANDLERS}
        self.buffered: set[str] = set()
        """The operations whose streams are held back and sent in one piece at the end."""
        self.fallback: ASGIApp | None = None
        """The application for undocumented paths; None leaves them to the mock."""

    @property
    def spec(self) -> dict[str, Any]:
        """A copy of the description, for faults to change."""
        if self._spec is None:
            self._spec = copy.deepcopy(spec())
        return self._spec

    def schema(self, path: str) -> dict[str, Any]:
        """Return the schema at ``path`` for a fault to change.

        The path begins with the name of a component, such as
        ``Visitor.properties.name``. Raises `KeyError` if it does not exist.
        """
        node: Any = self.spec["components"]["schemas"]
        for step in path.split("."):
            node = node[step]
        found: dict[str, Any] = node
        return found

    def parameter(self, operation: str, name: str) -> dict[str, Any]:
        """Return the schema of one query parameter for a fault to change.

        Other operations that share the parameter or its schema are not affected. Raises
        `KeyError` if the operation has no such parameter.
        """
        document = Document(self.spec)
        parameters = document.at(operations()[operation].pointer)["parameters"]
        for index, node in enumerate(parameters):
            parameter: dict[str, Any] = copy.deepcopy(dict(document.resolve(node)))
            if parameter["name"] == name:
                schema = copy.deepcopy(dict(document.resolve(parameter["schema"])))
                parameters[index] = {**parameter, "schema": schema}
                return schema
        raise KeyError(f"{operation} has no parameter {name}")

    @property
    def store(self) -> Store:
        """The store of the application, once it is created."""
        assert self._store is not None
        return self._store

    def around(self, operations: str, wrap: Around) -> None:
        """Call ``wrap`` for each request of ``operations``, outside of all other hooks."""
        for name in operations.split():
            self._around[name].append(wrap)

    def middleware(self, wrap: Middleware) -> None:
        """Put a middleware around the whole application, other paths and methods included."""
        self._middleware.append(wrap)

    def before(self, operations: str, hook: RequestHook) -> None:
        """Call ``hook`` with each request of ``operations``, names separated by spaces."""
        for name in operations.split():
            self._before[name].append(hook)

    def after(self, operations: str, change: Callable[[Exchange], None]) -> None:
        """Call ``change`` with each complete response of ``operations``, except streams."""
        for name in operations.split():
            self._after[name].append(change)

    def head(self, operations: str, change: Callable[[Exchange], None]) -> None:
        """Call ``change`` with the status and headers of each stream of ``operations``."""
        for name in operations.split():
            self._heads[name].append(change)

    def stream(self, operations: str, begin: Callable[[Exchange], Step]) -> None:
        """Call ``begin`` for each stream of ``operations``, and its result for each event."""
        for name in operations.split():
            self._streams[name].append(begin)

    def handler(self, operations: str, answer: Callable[[Call, Handler], ASGIApp]) -> None:
        """Replace the handlers of ``operations`` with ``answer``, which gets the original too."""
        for name in operations.split():
            self._handlers[name] = partial(_swapped, answer, self._handlers[name])

    def records(self, name: str, query: Callable[..., Any]) -> None:
        """Replace the method ``name`` of the records of the store with ``query``.

        ``query`` is called with the records, the original method and its arguments.
        """

        def patch(app: Starlette) -> None:
            store = app.state.store
            for records in (store._reading, store._writing):
                setattr(records, name, partial(query, records, getattr(records, name)))

        self._after_creation.append(patch)

    def services(self, patch: Callable[[Services], None]) -> None:
        """Call ``patch`` with the services of the application before the first request."""

        def found(app: Starlette) -> None:
            services = app.state.sockets._services
            assert isinstance(services, Services)
            patch(services)

        self._after_creation.append(found)

    def app(self, **settings: Any) -> Starlette:
        """Create the application; ``settings`` override those of the fault."""
        app = create_app(
            MockSettings(**{**self.settings, **settings}), spec=self._spec, handlers=self._handlers
        )
        for patch in self._after_creation:
            patch(app)
        assert app.middleware_stack is not None
        self._store = app.state.store
        app.middleware_stack = _Middleware(app.middleware_stack, self)
        for wrap in self._middleware:
            app.middleware_stack = wrap(app.middleware_stack)
        return app

    async def forward(self, exchange: Exchange, answer: Forward) -> None:
        """Answer a request with ``answer``, inside of what `around` was given."""
        for wrap in self._around[exchange.operation]:
            answer = partial(wrap, exchange, answer)
        await answer()

    def ask(self, exchange: Exchange) -> ASGIApp | None:
        """Return the response of the first hook that has one, or None."""
        if exchange.answer is not None:
            return exchange.answer
        for hook in self._before[exchange.operation]:
            answer = hook(exchange)
            if answer is not None:
                return answer
        return None

    def change(self, exchange: Exchange) -> None:
        """Apply the faults of a complete response."""
        for change in self._after[exchange.operation]:
            change(exchange)

    def begin(self, exchange: Exchange) -> list[Step]:
        """Apply the faults of the head of a stream, and return the steps for its events."""
        for change in self._heads[exchange.operation]:
            change(exchange)
        return [begin(exchange) for begin in self._streams[exchange.operation]]


def _swapped(answer: Callable[[Call, Handler], ASGIApp], handler: Handler, call: Call) -> ASGIApp:
    return answer(call, handler)


class _Middleware:
    """A middleware that passes each exchange with a documented operation to the hooks."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == f"{_base()}/openapi":
            # The server is faulty; the description that it publishes is not.
            await _published()(scope, receive, send)
            return
        found = _operation(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if found is None:
            fallback = None if _is_described(scope) else self._server.fallback
            await (fallback or self._app)(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        exchange = Exchange.of(scope, *found, body)

        async def answer() -> None:
            found = self._server.ask(exchange)
            app = self._app if found is None else readable(found)
            await app(
                exchange.scope(scope),
                _replay(exchange.request_body, receive),
                _Gate(self._server, exchange, send),
            )

        await self._server.forward(exchange, answer)


@cache
def _published() -> JSONResponse:
    # The response has no state, so that one instance can be sent many times.
    return JSONResponse(spec())


class _Gate:
    """The messages of an application, changed on their way to the client."""

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
        if self._exchange.operation in self._server.buffered:
            self._kept.append(sent)
            sent = b"" if more else b"".join(self._kept)
        if sent or not more:
            await self._send({"type": "http.response.body", "body": sent, "more_body": more})


def _changed(body: bytes, steps: Iterable[Step]) -> Iterable[bytes]:
    text = body.decode()
    # The mock sends one event per message, with its data in one line.
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
    # A path without parameters takes precedence, as in the mock.
    return sorted(
        (
            (operation.method, _pattern(operation.path), name)
            for name, operation in operations().items()
        ),
        key=lambda route: route[1].groups,
    )


@cache
def _base() -> str:
    return base_path(Document(spec()))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(_base() + path)))


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
