"""A client for probes that checks each response against ``openapi.yaml``.

A response with an unexpected status, media type or schema, or a stream with a wrong order
of events, raises `AssertionError`.
"""

from __future__ import annotations

import json
import socket as sockets
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import jsonschema_rs

from siteassist_mock.testing import serving
from tests.faults.faulty import operations, spec
from tests.in_process import in_process
from tests.values import API_KEY

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = [
    "EMOJI",
    "Api",
    "Visitor",
    "answer_to",
    "at_once",
    "calling",
    "read_stream",
    "text_of",
]

_T = TypeVar("_T")
_SECONDS = 20.0

EMOJI = "Grüße 👋🏽 из 東京"
_UNSET: Any = object()


@contextmanager
def calling(app: Starlette, *, socket: bool) -> Iterator[Api]:
    """Yield a client of ``app``, over a connection or without one."""
    if socket:
        with (
            serving(app) as url,
            httpx.Client(base_url=url, timeout=_SECONDS, trust_env=False) as http,
        ):
            yield Api(http)
    else:
        with in_process(app) as http:
            yield Api(http)


def at_once(*calls: Callable[[], _T]) -> list[_T]:
    """Call functions at the same time, each in a thread, and return their results."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], _T]) -> _T:
        barrier.wait(_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as executor:
        return [result.result() for result in [executor.submit(run, call) for call in calls]]


def answer_to(api: Api, *sent: bytes, seconds: float = _SECONDS) -> bytes:
    """Send bytes on a connection of their own, and return all that the server sends.

    Each of ``sent`` waits for an answer to the one before. The server must close the
    connection, or be silent for ``seconds``.
    """
    url = api.http.base_url
    received = b""
    with sockets.create_connection((url.host, url.port or 80), timeout=seconds) as connection:
        for index, part in enumerate(sent):
            if index:
                received += _piece(connection)
            connection.sendall(part)
        while piece := _piece(connection):
            received += piece
    return received


def _piece(connection: sockets.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except (TimeoutError, ConnectionResetError):
        return b""


class Api:
    """A client without a credential that calls operations by their ``operationId``.

    ``http`` has the base URL of the API.
    """

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(
        self,
        operation: str,
        *path: str,
        body: Any = _UNSET,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> httpx.Response:
        """Send a request, with ``body`` encoded as JSON or with ``raw`` unchanged."""
        called = operations()[operation]
        steps = iter(path)
        url = "/".join(next(steps) if "{" in step else step for step in called.path.split("/"))
        sent = {**self.bearer(), **(headers or {})}
        content = raw
        if body is not _UNSET:
            content = json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        return self.http.request(called.method, url, params=query, content=content, headers=sent)

    def bearer(self) -> dict[str, str]:
        """Return the authorization header, if there is a credential."""
        return {}

    def expect(self, operation: str, *path: str, wanted: int = 200, **more: Any) -> Any:
        """Call an operation that must return the status ``wanted``; return the content."""
        response = self.send(operation, *path, **more)
        assert wanted == response.status_code, (operation, response.status_code, response.text)
        return _valid(operation, response)

    def refused(self, operation: str, *path: str, by: tuple[int, ...], **more: Any) -> Any:
        """Call an operation that must be refused with a status in ``by``; return the ``error``."""
        response = self.send(operation, *path, **more)
        assert response.status_code in by, (operation, response.status_code, response.text)
        return _valid(operation, response)["error"]

    def invalid(self, operation: str, *path: str, **more: Any) -> Any:
        """Call an operation with an invalid request (O-2); return the ``error``."""
        by = (400,) if operation == "getProject" else (400, 422)
        return self.refused(operation, *path, by=by, **more)

    @staticmethod
    def payload(value: Any) -> Any:
        """Return the payload of an event, which must be valid."""
        _check("#/components/schemas/StreamPayload", value)
        return value

    def session(self, device: str, *, wanted: int) -> dict[str, Any]:
        """Begin a session of a device."""
        body = {"apiKey": API_KEY, "saVid": device}
        session: dict[str, Any] = self.expect("init", wanted=wanted, body=body)
        return session

    def visitor(self, device: str | None = None) -> Visitor:
        """Create a visitor with a new session."""
        device = device or uuid.uuid4().hex
        session = self.session(device, wanted=201)
        return Visitor(self.http, session["sessionToken"], session["visitor"]["id"], device)

    def bearing(self, token: str) -> Visitor:
        """Return a client that sends another token."""
        return Visitor(self.http, token, "", "")


class Visitor(Api):
    """A client that calls operations as one visitor."""

    def __init__(self, http: httpx.Client, token: str, visitor_id: str, device: str) -> None:
        super().__init__(http)
        self.token = token
        self.id = visitor_id
        self.device = device

    def bearer(self) -> dict[str, str]:
        """Return the authorization header with the token of the visitor."""
        return {"Authorization": f"Bearer {self.token}"}

    def start(self) -> str:
        """Start a conversation and return its id."""
        return str(self.expect("startConversation", wanted=201)["id"])

    def say(self, conversation: str, content: str, **more: Any) -> str:
        """Send a message, and return the text of the answer."""
        body = {"content": content, "stream": False, **more}
        return text_of(self.expect("sendMessage", conversation, body=body))

    def stream(self, conversation: str, content: str) -> str:
        """Send a message, and return the text of the streamed answer."""
        body = {"content": content, "stream": True}
        return read_stream(self.expect("sendMessage", conversation, body=body))

    def talk(self, *contents: str) -> str:
        """Start a conversation, send messages, and return its id."""
        conversation = self.start()
        for content in contents or ("How long does shipping take?",):
            self.say(conversation, content)
        return conversation

    def messages(self, conversation: str, **query: Any) -> list[dict[str, Any]]:
        """Return the messages of a conversation."""
        data: list[dict[str, Any]] = self.expect("getMessages", conversation, **query)["data"]
        return data

    def texts(self, conversation: str, **query: Any) -> list[str]:
        """Return the texts of the messages of a conversation."""
        return [stored_text(message) for message in self.messages(conversation, **query)]

    def read(self, conversation: str) -> dict[str, Any]:
        """Return a conversation."""
        found: dict[str, Any] = self.expect("getConversation", conversation)
        assert conversation == found["id"]
        return found

    def list(self, **query: Any) -> dict[str, Any]:
        """Return a page of conversations."""
        page: dict[str, Any] = self.expect("getConversations", **query)
        return page

    def ids(self, **query: Any) -> Any:
        """Return the ids of a page of conversations."""
        return [item["id"] for item in self.list(**query)["data"]]

    def close(self, conversation: str, reason: str | None = None) -> None:
        """Close a conversation."""
        body = {} if reason is None else {"closeReason": reason}
        self.expect("closeConversation", conversation, body=body)

    def rate(self, message: str, feedback: str | None) -> None:
        """Rate a message."""
        stored = self.expect("sendMessageFeedback", message, body={"feedback": feedback})
        assert feedback == stored["feedback"]


def stored_text(message: dict[str, Any]) -> str:
    """Return the text of a stored message."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def text_of(completion: dict[str, Any]) -> str:
    """Return the text of a JSON answer."""
    assert isinstance(completion, dict), completion
    return "".join(
        part["text"]
        for step in completion["steps"]
        for part in step["content"]
        if part["type"] == "text"
    )


def read_stream(raw: str) -> str:
    """Return the text of a stream. Raises `AssertionError` if the stream is malformed."""
    assert isinstance(raw, str), raw
    assert raw.endswith("\n\n"), raw[-40:]
    events = []
    for block in raw[:-2].split("\n\n"):
        lines = block.split("\n")
        assert all(line.startswith("data: ") for line in lines), block
        events.append("\n".join(line.removeprefix("data: ") for line in lines))
    assert ["[DONE]"] == [event for event in events if "DONE" in event.upper()], events[-3:]
    assert "[DONE]" == events[-1]
    payloads = [_json(event) for event in events[:-1]]
    for payload in payloads:
        _check("#/components/schemas/StreamPayload", payload)
    return _text_of_payloads(payloads)


def _text_of_payloads(payloads: list[dict[str, Any]]) -> str:
    types = [payload["type"] for payload in payloads if payload["type"] != "text-delta"]
    order = ["start", "start-step", "text-start", "text-end", "finish-step", "finish"]
    assert order == types, types
    deltas = [index for index, payload in enumerate(payloads) if payload["type"] == "text-delta"]
    assert list(range(3, len(payloads) - 3)) == deltas, deltas
    assert 1 == len({payload["id"] for payload in payloads if "id" in payload})
    return "".join(payloads[index]["delta"] for index in deltas)


def _valid(operation: str, response: httpx.Response) -> Any:
    """Return the content of a response after checking it against ``openapi.yaml``."""
    media = _media(operation, response.status_code)
    declared = response.headers.get("content-type", "")
    # Names of media types and of charsets have no case, and values may have quotes.
    media_type, _, options = declared.lower().replace('"', "").partition(";")
    assert media_type in media, declared
    assert options.strip() in {"", "charset=utf-8"}, declared
    try:
        text = response.content.decode()
    except UnicodeDecodeError as error:
        raise AssertionError(str(error)) from None
    if media_type == "text/event-stream":
        return text
    value = _json(text) if media_type == "application/json" else text
    _check(media[media_type], value)
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise AssertionError(f"{error}: {text}") from None


def _check(pointer: str, value: Any) -> None:
    problems = [error.message for error in _validator(pointer).iter_errors(value)]
    assert [] == problems, problems


@cache
def _validator(pointer: str) -> jsonschema_rs.Draft202012Validator:
    components = {"schemas": spec()["components"]["schemas"]}
    return jsonschema_rs.Draft202012Validator(
        {"$ref": pointer, "components": components}, validate_formats=True
    )


def _media(operation: str, status: int) -> dict[str, str]:
    responses = operations()[operation].responses
    assert status in responses, (operation, status)
    return {name: media.schema["$ref"] for name, media in responses[status].media.items()}
