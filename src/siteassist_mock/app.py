"""The application: routes built from ``openapi.yaml``, one handler behind each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from siteassist_mock.auth import Authenticator
from siteassist_mock.call import Call, Services
from siteassist_mock.errors import ApiError
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.middleware import BODY, BodyReader, ErrorBoundary
from siteassist_mock.operations import base_path, read_operations
from siteassist_mock.settings import Settings
from siteassist_mock.store import Store
from siteassist_mock.validation import RequestValidator
from siteassist_spec import SpecError, load_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from siteassist_mock.call import Handler
    from siteassist_mock.operations import Operation

__all__ = ["create_app"]


def create_app(
    settings: Settings | None = None,
    *,
    spec: Mapping[str, Any] | None = None,
    handlers: Mapping[str, Handler] = HANDLERS,
) -> Starlette:
    """Return the server as an ASGI application.

    ``spec`` defaults to ``openapi.yaml``. The store is at ``app.state.store``,
    the path under which the API is served at ``app.state.base_path``; whoever
    stops the application closes the store.

    Raises `SpecError` if the description cannot be read or served, or if its
    operations and ``handlers`` do not match one to one, and
    `siteassist_mock.store.StoreError` if the database cannot be used.
    """
    settings = settings or Settings()
    spec = load_spec() if spec is None else spec
    operations = read_operations(spec)
    _match(operations, handlers)
    prefix = base_path(spec)
    validators = {
        operation.operation_id: RequestValidator(operation, spec) for operation in operations
    }
    served = _spec_response(spec)
    # Last, since nothing after it fails: whoever has the app closes the store.
    store = Store(settings.now, settings.database)
    services = Services(settings, store, Authenticator(store, settings))

    paths: dict[str, dict[str, ASGIApp]] = {"/openapi": {"GET": served}}
    for operation in operations:
        handler = handlers[operation.operation_id]
        validator = validators[operation.operation_id]
        endpoint = _Endpoint(operation, validator, handler, services)
        paths.setdefault(operation.path, {})[operation.method] = endpoint
    app = Starlette(
        # A path without parameters goes before one that has some.
        routes=[
            _ExactRoute(prefix + path, _Methods(methods))
            for path, methods in sorted(paths.items(), key=lambda item: item[0].count("{"))
        ],
        middleware=[
            # Browsers call the API from the pages of other websites.
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=sorted({operation.method for operation in operations}),
                allow_headers=["*"],
            ),
            Middleware(ErrorBoundary),
            Middleware(BodyReader),
        ],
        exception_handlers={HTTPException: _not_found},
    )
    # A path that differs by its last slash is another path, not a detour.
    app.router.redirect_slashes = False
    app.state.store = store
    app.state.base_path = prefix
    return app


def _match(operations: list[Operation], handlers: Mapping[str, Handler]) -> None:
    declared = [operation.operation_id for operation in operations]
    for operation_id in declared:
        if operation_id not in handlers:
            raise SpecError(f"openapi.yaml: the operation {operation_id} has no handler")
        if declared.count(operation_id) > 1:
            raise SpecError(f"openapi.yaml: the operation {operation_id} is there twice")
    for operation_id in handlers:
        if operation_id not in declared:
            raise SpecError(f"openapi.yaml: no operation for the handler {operation_id}")


def _spec_response(spec: Mapping[str, Any]) -> Response:
    # A plain response keeps nothing of a request and can be sent any number of times.
    try:
        return JSONResponse(spec)
    except (TypeError, ValueError):
        # YAML reads an unquoted time as a time, and `.nan` as a number.
        raise SpecError("openapi.yaml: a value in it cannot be written as JSON") from None


async def _not_found(_request: Request, _error: Exception) -> Response:
    raise ApiError(404)


class _ExactRoute(Route):
    """A route that matches its whole path.

    Starlette ends its pattern with ``$``, which also matches before a newline.
    """

    def __init__(self, path: str, endpoint: _Methods) -> None:
        super().__init__(path, endpoint)
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")


class _Methods:
    """Answers one path: the endpoint of each method, and 405 for all others."""

    def __init__(self, endpoints: Mapping[str, ASGIApp]) -> None:
        self._endpoints = endpoints
        self._allow = {"Allow": ", ".join(sorted(endpoints))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            raise ApiError(405, headers=self._allow)
        await endpoint(scope, receive, send)


class _Endpoint:
    """Answers one operation: the credential, then validity, then the handler."""

    def __init__(
        self,
        operation: Operation,
        validator: RequestValidator,
        handler: Handler,
        services: Services,
    ) -> None:
        self._needs_token = operation.needs_token
        self._validator = validator
        self._handler = handler
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        headers = request.headers
        signed_in = (
            self._services.authenticator.visitor(headers.getlist("authorization"))
            if self._needs_token
            else None
        )
        body = scope[BODY]
        if body is None:
            raise ApiError(413)
        call = Call(
            services=self._services,
            signed_in=signed_in,
            path=self._validator.path(request.path_params),
            query=self._validator.query(scope["query_string"]),
            body=self._validator.body(headers.get("content-type"), body),
        )
        await self._handler(call)(scope, receive, send)
