"""The application: a route and a handler for each operation of ``openapi.yaml``."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import URL, Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from siteassist_mock.content.assistant import Assistant
from siteassist_mock.content.script import ScriptRule, read_script
from siteassist_mock.content.search_index import Knowledge
from siteassist_mock.content.seed import SEED
from siteassist_mock.content.seed_file import read_seed
from siteassist_mock.faults.injection import FaultInjection
from siteassist_mock.faults.plan import FAULTS_KEY, FaultPlan
from siteassist_mock.faults.preferred_responses import OnDemand
from siteassist_mock.faults.socket_injection import SocketFaultInjection
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.access_log import AccessLog
from siteassist_mock.http.authentication import Authenticator
from siteassist_mock.http.call import Call, EmptyHandler, Handler, Services
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.landing_page import landing_paths
from siteassist_mock.http.limits import TOO_MANY, Limits, parse_rate
from siteassist_mock.http.middleware import BODY, BodyReader, ErrorBoundary
from siteassist_mock.http.redaction import Redactor
from siteassist_mock.http.reference_page import REFERENCE_PATH, reference_paths
from siteassist_mock.http.request_recorder import RequestRecorder
from siteassist_mock.http.request_validation import RequestValidator
from siteassist_mock.http.response_validation import Strict
from siteassist_mock.http.router import Router
from siteassist_mock.operator.endpoints import CONTROL_PATH, control_paths, is_control, reset
from siteassist_mock.settings import MockSettings
from siteassist_mock.sockets.conversation import ConversationSockets
from siteassist_mock.storage.store import Store
from siteassist_mock.storage.tables import VisitorRow
from siteassist_spec import (
    SPEC_PATH,
    Document,
    Operation,
    SpecError,
    WebSocket,
    base_path,
    read_operations,
    read_websockets,
)

_SUCCESSES = range(200, 300)
# The header of a preflight from a page on a public address.
_PRIVATE = b"access-control-request-private-network"

# Reading the description takes most of the start, and a process that runs tests
# starts many servers. The results of these functions are never changed.
_load = functools.lru_cache(maxsize=1)(Document.load)


@functools.lru_cache(maxsize=1)
def _read(document: Document) -> tuple[Mapping[str, Operation], Mapping[str, RequestValidator]]:
    """Return the operations of a description, and their validators, by operationId."""
    operations = read_operations(document)
    validators = {
        name: RequestValidator(name, operation.parameters, operation.body, document.raw)
        for name, operation in operations.items()
    }
    return operations, validators


def create_app(
    settings: MockSettings | None = None,
    *,
    spec: Mapping[str, Any] | None = None,
    handlers: Mapping[str, Handler | EmptyHandler] = HANDLERS,
) -> Starlette:
    """Return the server as a Starlette application.

    ``spec`` defaults to ``openapi.yaml``, which is read once per process. The
    attributes of ``app.state`` are ``store``, ``seed``, ``base_path`` (the path of
    the API), ``api_keys`` (the publishable keys with their websites), ``sockets``
    (the open sockets), ``requests`` (the recorder), ``reset`` (the function that removes
    all data of clients) and ``violations`` (None unless strict). To stop the
    application, close the sockets and then the store.

    Raises `SpecError` if the description is invalid or its operations do not match
    ``handlers`` one to one, `ValueError` if a fault or a rate limit of
    ``settings`` is invalid, `siteassist_mock.content.yaml_file.FileError` if a file
    of ``settings`` cannot be used, and `siteassist_mock.storage.store.StoreError`
    if the database cannot be used.
    """
    settings = settings or MockSettings()
    document = _load(SPEC_PATH) if spec is None else Document(spec)
    spec = document.raw
    operations, validators = _read(document)
    _match(operations, handlers)
    prefix = base_path(document)
    strict = Strict(document) if settings.strict else None
    plan = FaultPlan(settings.faults, settings.fault_seed)
    rates = [parse_rate(text) for text in settings.rate_limits]
    seed = read_seed(Path(settings.seed), spec) if settings.seed else SEED
    knowledge = Knowledge(seed.qnas, seed.pages)
    rules: tuple[ScriptRule, ...] = ()
    if settings.script:
        (payload, *_) = (one.stream.payload for one in operations.values() if one.stream)
        rules = read_script(Path(settings.script), document, payload)
    served = _Description(spec, prefix)
    # Opened last: nothing after it fails and would leave the store open.
    store = Store(settings.now, settings.database)
    authenticator = Authenticator(store, settings, seed)
    exempt = [name for name, operation in operations.items() if TOO_MANY not in operation.responses]
    limits = Limits(store, rates, settings.quota, exempt)
    on_reset = [plan.restart]
    services = Services(
        settings,
        store,
        authenticator,
        store.events,
        project=seed.project,
        knowledge=knowledge,
        assistant=Assistant(knowledge, rules),
        on_reset=on_reset,
    )

    links = _links(prefix, control=settings.control)
    others = [(path, name) for path, name in links if path != REFERENCE_PATH]
    paths: dict[str, dict[str, ASGIApp]] = {
        f"{prefix}/openapi": {"GET": served},
        **reference_paths(spec, prefix, others),
        **landing_paths(links, prefix, authenticator.shown_keys),
    }
    for operation_id, operation in operations.items():
        handler, validator = handlers[operation_id], validators[operation_id]
        endpoint: ASGIApp = _OperationEndpoint(operation, validator, handler, services, limits)
        endpoint = OnDemand(endpoint, operation, stream_delay=settings.stream_delay)
        if strict is not None:
            endpoint = strict.guard(ErrorBoundary(endpoint), operation_id)
        paths.setdefault(prefix + operation.path, {})[operation.method] = FaultInjection(
            endpoint, operation_id, plan
        )
    redactor = Redactor(authenticator.keys)
    recorder = RequestRecorder(
        prefix,
        redactor,
        {name: operation.credentials for name, operation in operations.items()},
    )
    on_reset.append(recorder.clear)
    if settings.control:
        paths |= control_paths(services, spec, recorder.requests)
    handshake, websocket = _read_handshake(document)
    name = handshake.operation_id
    sockets = ConversationSockets(services, handshake, websocket, spec, limits)
    opened: ASGIApp = sockets
    if strict is not None:
        opened = strict.guard_socket(ErrorBoundary(sockets), name)
    opened = SocketFaultInjection(opened, name, websocket, plan)
    # Browsers call the API from the pages of other websites.
    cors = _ApiCors if settings.control else _Cors
    app = Starlette()
    # Instead of the stack of Starlette: errors become responses in one place.
    app.middleware_stack = AccessLog(
        cors(
            recorder.around(
                ErrorBoundary(BodyReader(Router(paths, {prefix + handshake.path: opened})))
            ),
            allow_origins=["*"],
            allow_methods=sorted({operation.method for operation in operations.values()}),
            allow_headers=["*"],
            # All origins: a preflight has no key, so its websites cannot be checked.
            expose_headers=["Retry-After", "Preference-Applied"],
        ),
        redactor,
    )
    app.state.store = store
    app.state.seed = seed
    app.state.api_keys = authenticator.api_keys
    app.state.base_path = prefix
    app.state.sockets = sockets
    app.state.requests = recorder
    app.state.reset = functools.partial(reset, services)
    app.state.violations = strict.violations if strict is not None else None
    return app


def _links(prefix: str, *, control: bool) -> list[tuple[str, str]]:
    """Return the path and the name of each page of the server, but for the landing page."""
    page = [(f"{CONTROL_PATH}/ui", "Operator's page")] if control else []
    return [
        (REFERENCE_PATH, "API reference"),
        *page,
        (f"{prefix}/openapi", "OpenAPI description"),
    ]


def _read_handshake(document: Document) -> tuple[Operation, WebSocket]:
    """Return the operation that opens a WebSocket, and that socket."""
    found = [
        (operation, operation.websocket)
        for operation in read_websockets(document).values()
        if operation.websocket is not None
    ]
    if len(found) != 1:
        raise SpecError(f"openapi.yaml: expected one operation with x-websocket, got {len(found)}")
    return found[0]


def _match(
    operations: Mapping[str, Operation], handlers: Mapping[str, Handler | EmptyHandler]
) -> None:
    for operation_id in operations:
        if operation_id not in handlers:
            raise SpecError(f"openapi.yaml: the operation {operation_id} has no handler")
    for operation_id in handlers:
        if operation_id not in operations:
            raise SpecError(f"openapi.yaml: no operation for the handler {operation_id}")


class _Description:
    """The endpoint of the description, whose first server is the mock itself.

    A tool that is given the description would otherwise send its requests to production.
    """

    def __init__(self, spec: Mapping[str, Any], base_path: str) -> None:
        try:
            json.dumps(spec, allow_nan=False)
        except (TypeError, ValueError):
            # YAML reads an unquoted time as a time, and `.nan` as a number.
            raise SpecError("openapi.yaml: a value in it cannot be written as JSON") from None
        self._spec = spec
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The address that the client used, which may be that of a container or a proxy.
        try:
            url = str(URL(scope=scope).replace(path=self._base_path, query="", fragment=""))
        except ValueError:
            url = self._base_path  # the header Host is invalid
        own = {"url": url.removesuffix("?"), "description": "This mock server"}
        shown = {**self._spec, "servers": [own, *self._spec.get("servers", ())]}
        await JSONResponse(shown)(scope, receive, send)


class _Cors(CORSMiddleware):
    """CORS that lets pages on public addresses use a server on a private one."""

    def preflight_response(self, request_headers: Headers) -> Response:
        # Not the option of Starlette, which the oldest supported version lacks.
        response = super().preflight_response(
            Headers(raw=[header for header in request_headers.raw if header[0] != _PRIVATE])
        )
        if _PRIVATE.decode() in request_headers:
            response.headers["Access-Control-Allow-Private-Network"] = "true"
        return response


class _ApiCors(_Cors):
    """CORS for the API; other websites must not use the control endpoints."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_control(scope["path"]):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _OperationEndpoint:
    """The endpoint of one operation: checks the credential and the request, calls the handler."""

    def __init__(
        self,
        operation: Operation,
        validator: RequestValidator,
        handler: Handler | EmptyHandler,
        services: Services,
        limits: Limits,
    ) -> None:
        self._operation_id = operation.operation_id
        self._empty_status = next(
            (
                status
                for status, response in operation.responses.items()
                if status in _SUCCESSES and not response.media
            ),
            None,
        )
        self._needs_token = operation.needs_token
        self._validator = validator
        self._handler = handler
        self._services = services
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._services.store.perform(self._respond, scope)
        await response(scope, receive, send)

    def _respond(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        signed_in = self._sign_in(scope, headers) if self._needs_token else None
        self._limits.check(self._operation_id, scope, signed_in)
        body = scope[BODY]
        if body is None:
            raise ApiError(413)
        call = Call(
            services=self._services,
            signed_in=signed_in,
            path=self._validator.path(scope["path_params"]),
            query=self._validator.query(scope["query_string"]),
            headers=self._validator.headers(headers),
            body=self._validator.body(headers.get("content-type"), body),
            origins=tuple(headers.getlist("origin")),
        )
        response = self._handler(call)
        if response is None:
            response = self._empty_response()
        return response

    def _empty_response(self) -> Response:
        if self._empty_status is None:
            raise TypeError(
                f"the handler of {self._operation_id} returned None,"
                " but the operation documents no response without a body"
            )
        return Response(status_code=self._empty_status)

    def _sign_in(self, scope: Scope, headers: Headers) -> VisitorRow:
        if "expired-session" in scope.get(FAULTS_KEY, ()):
            raise ApiError(401)
        try:
            return self._services.authenticator.visitor(headers.getlist("authorization"))
        except ApiError:
            # Requests with invalid tokens count for the address.
            self._limits.check(self._operation_id, scope, None)
            raise
