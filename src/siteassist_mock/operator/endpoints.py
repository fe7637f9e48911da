"""The control endpoints under ``/_mock``, which replace the console of the service.

They are not part of the API: they are outside of its path and its description,
take no credential, and can be disabled.

Every website that is open in a browser on the same machine can send requests to a
server on the loopback interface. Other websites must not read or change anything:

- There is no CORS for these paths, so other websites cannot read responses.
- Requests with the ``Origin`` of another website are refused.
- A POST must be JSON. A form cannot send JSON, and a browser sends a preflight
  first, which fails.
- ``Host`` must be an address, ``localhost``, or a name without a dot, as in a
  private network. Otherwise the name of a website could resolve to this machine
  (DNS rebinding), and the browser would treat both as the same website.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from siteassist_mock.handlers import views
from siteassist_mock.handlers.conversations import check_open, not_found
from siteassist_mock.http.access_log import UNLOGGED
from siteassist_mock.http.call import Call, Services
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.middleware import BODY
from siteassist_mock.http.request_validation import RequestValidator
from siteassist_mock.operator.page import operator_page
from siteassist_mock.storage.events import ConversationEvent
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import ConversationRow
from siteassist_spec import Body, Parameter

CONTROL_PATH = "/_mock"
"""The prefix of all paths of this module."""

_CONVERSATION = f"{CONTROL_PATH}/conversations/{{conversationId}}"
# For the operator's page only; never cached.
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def _number(name: str, **schema: int) -> Parameter:
    """Return an optional parameter with a whole number, at least 0."""
    whole = {"type": "integer", "minimum": 0, **schema}
    return Parameter(name=name, place="query", required=False, schema=whole, resolved=whole)


_UUID = {"type": "string", "format": "uuid"}
_CONVERSATION_ID = Parameter(
    name="conversationId", place="path", required=True, schema=_UUID, resolved=_UUID
)
_LIMIT = _number("limit", minimum=1, maximum=1000, default=100)
_OFFSET = _number("offset", default=0)
# The page asks for one message of each conversation, twice a second.
_MESSAGES = _number("messages", maximum=1000, default=100)

_Handler: TypeAlias = Callable[[Call], "Response"]


def is_control(path: str) -> bool:
    """Return whether ``path`` is below `CONTROL_PATH`, even if no endpoint exists there."""
    return path == CONTROL_PATH or path.startswith(f"{CONTROL_PATH}/")


def control_paths(
    services: Services,
    spec: Mapping[str, Any],
    requests: Callable[[], list[dict[str, Any]]],
) -> dict[str, dict[str, ASGIApp]]:
    """Return the control endpoints, by path and method; ``requests`` returns the recorded ones."""

    def _get_requests(call: Call) -> Response:
        return JSONResponse({"requests": requests()[-call.query["limit"] :]})

    def endpoint(
        handler: _Handler,
        *parameters: Parameter,
        polled: bool = False,
        properties: Mapping[str, Any] | None = None,
        required: tuple[str, ...] = (),
    ) -> ASGIApp:
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(required),
            # Otherwise a misspelled name would be ignored.
            "additionalProperties": False,
        }
        body = None if properties is None else Body(bool(required), schema)
        validator = RequestValidator(handler.__name__, parameters, body, spec)
        return _ControlEndpoint(handler, validator, services, polled=polled)

    name = {"type": ["string", "null"], "maxLength": 200}
    image = {"type": ["string", "null"], "maxLength": 2000}
    # The limits of a visitor's message and close reason.
    content = {"type": "string", "minLength": 1, "maxLength": 10_000}
    reason = {"type": ["string", "null"], "maxLength": 256}
    return {
        f"{CONTROL_PATH}/ui": {"GET": endpoint(_get_page)},
        f"{CONTROL_PATH}/state": {
            "GET": endpoint(_get_state, _LIMIT, _OFFSET, _MESSAGES, polled=True)
        },
        _CONVERSATION: {
            "GET": endpoint(_get_conversation, _CONVERSATION_ID, _LIMIT, _OFFSET, polled=True)
        },
        f"{CONTROL_PATH}/requests": {"GET": endpoint(_get_requests, _LIMIT, polled=True)},
        f"{CONTROL_PATH}/reset": {"POST": endpoint(_reset, properties={})},
        f"{_CONVERSATION}/handover": {
            "POST": endpoint(
                _hand_over, _CONVERSATION_ID, properties={"name": name, "image": image}
            )
        },
        f"{_CONVERSATION}/agent-messages": {
            "POST": endpoint(
                _send_agent_message,
                _CONVERSATION_ID,
                properties={"content": content},
                required=("content",),
            )
        },
        f"{_CONVERSATION}/close": {
            "POST": endpoint(_close, _CONVERSATION_ID, properties={"closeReason": reason})
        },
    }


class _ControlEndpoint:
    """A control endpoint: checks the website and the request, then calls the handler."""

    def __init__(
        self, handler: _Handler, validator: RequestValidator, services: Services, *, polled: bool
    ) -> None:
        self._handler = handler
        self._validator = validator
        self._services = services
        self._polled = polled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        headers = request.headers
        _refuse_other_websites(headers)
        if request.method == "POST":
            _require_json(headers)
        body = scope[BODY]
        if body is None:
            raise ApiError(413)
        call = Call(
            services=self._services,
            signed_in=None,
            path=self._validator.path(request.path_params),
            query=self._validator.query(scope["query_string"]),
            body=self._validator.body(headers.get("content-type"), body) or {},
        )
        # The operator's page polls these.
        scope[UNLOGGED] = self._polled
        response = await self._services.store.perform(self._handler, call)
        response.headers.update(_HEADERS)
        await response(scope, receive, send)


def _refuse_other_websites(headers: Headers) -> None:
    # Every browser sends a Host.
    host = headers.get("host")
    if host is not None and not _is_private(host):
        raise ApiError(
            403,
            message=(
                "Control endpoints answer under an address or a name without a dot,"
                " such as localhost"
            ),
        )
    origin = headers.get("origin")
    # Either scheme: a proxy in front of the server may use HTTPS.
    if origin is not None and origin not in {f"http://{host}", f"https://{host}"}:
        raise ApiError(403, message="Control endpoints are not for other websites")


def _is_private(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(".localhost"))
    return True


def _require_json(headers: Headers) -> None:
    # Also with an empty body: the request can still change something.
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiError(
            400,
            message="Invalid request body. The media type must be application/json.",
            details={"field": "body", "reason": "The media type must be application/json"},
        )


def _get_page(_call: Call) -> Response:
    return operator_page()


def _get_state(call: Call) -> Response:
    """Return counts, and a page of the latest conversations with their latest messages."""
    query = call.query
    with call.services.store.read() as records:
        counts = records.counts()
        latest = records.latest_conversations(query["limit"], offset=query["offset"])
        shown = [
            _with_messages(records, conversation, limit=query["messages"])
            for conversation in latest
        ]
    return JSONResponse({"counts": counts, "conversations": shown})


def _get_conversation(call: Call) -> Response:
    """Return a conversation with a page of its messages, counted from the latest one."""
    query = call.query
    with call.services.store.read() as records:
        conversation = _conversation(records, call.path["conversationId"])
        return JSONResponse(
            _with_messages(records, conversation, limit=query["limit"], offset=query["offset"])
        )


def _with_messages(
    records: Records, conversation: ConversationRow, *, limit: int, offset: int = 0
) -> dict[str, Any]:
    messages, more = records.latest_messages(conversation.id, limit=limit, offset=offset)
    return {
        **views.conversation(conversation, messages),
        "visitorId": conversation.visitor_id,
        "moreMessages": more,
    }


def _reset(call: Call) -> Response:
    reset(call.services)
    return JSONResponse({"success": True})


def reset(services: Services) -> None:
    """Remove all data of clients, and close their sockets.

    Rate limits and the planned faults of this process begin again as well, so that
    tests that reset first are reproducible.
    """
    services.store.clear()
    for callback in services.on_reset:
        callback()
    services.events.publish(None, ConversationEvent("reset"))


def _hand_over(call: Call) -> Response:
    """Assign a human agent to a conversation, or replace the agent."""
    conversation_id = call.path["conversationId"]
    agent = {"name": call.body.get("name"), "image": call.body.get("image")}
    with call.services.store.write() as records:
        check_open(_conversation(records, conversation_id))
        records.assign_human(conversation_id, agent)
        response = _shown(records, conversation_id)
    call.services.events.publish(conversation_id, ConversationEvent("human_assigned"))
    return response


def _send_agent_message(call: Call) -> Response:
    """Store a message of the conversation's human agent, and push it."""
    conversation_id = call.path["conversationId"]
    with call.services.store.write() as records:
        conversation = _conversation(records, conversation_id)
        check_open(conversation)
        if not conversation.is_human_handled:
            raise ApiError(
                409,
                message="No human agent handles the conversation",
                details={"resource": "conversation", "conflictingField": "isHumanHandled"},
            )
        message = records.add_message(
            conversation_id,
            "human_agent",
            call.body["content"],
            human_agent=conversation.human_agent,
        )
        records.touch_conversation(conversation_id)
    call.services.events.publish(conversation_id, ConversationEvent("new_message", message.id))
    return JSONResponse(views.message(message), status_code=201)


def _close(call: Call) -> Response:
    """Close a conversation, unless it is closed already."""
    conversation_id = call.path["conversationId"]
    with call.services.store.write() as records:
        _conversation(records, conversation_id)
        records.close_conversation(conversation_id, call.body.get("closeReason"))
        return _shown(records, conversation_id)


def _conversation(records: Records, conversation_id: str) -> ConversationRow:
    conversation = records.any_conversation(conversation_id)
    if conversation is None:
        raise not_found(conversation_id)
    return conversation


def _shown(records: Records, conversation_id: str) -> Response:
    conversation = _conversation(records, conversation_id)
    return JSONResponse(_with_messages(records, conversation, limit=_MESSAGES.default))
