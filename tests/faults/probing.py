"""Plain requests with a plain opinion: what the documents say must come, or `AssertionError`.

Every answer that is waited for here is held against ``openapi.yaml``: its status,
its media type, its schema and, of a stream, its order.
"""

from __future__ import annotations

import json
import uuid
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from tests.faults.faulty import spec
from tests.values import API_KEY

__all__ = ["EMOJI", "Api", "Visitor", "read_stream", "text_of"]

EMOJI = "Grüße 👋🏽 из 東京"
_UNSET: Any = object()


class Api:
    """Calls one server by ``operationId``, without a credential."""

    def __init__(self, http: httpx.Client) -> None:
        """Call it through ``http``, whose base URL is the API's."""
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
        """Send a request; ``body`` as JSON or ``raw`` as it is."""
        method, template, _ = _operations()[operation]
        steps = iter(path)
        url = "/".join(next(steps) if "{" in step else step for step in template.split("/"))
        sent = {**self.bearer(), **(headers or {})}
        content = raw
        if body is not _UNSET:
            content = json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        return self.http.request(method, url, params=query, content=content, headers=sent)

    def bearer(self) -> dict[str, str]:
        """Return the headers with the credential."""
        return {}

    def expect(self, operation: str, *path: str, wanted: int = 200, **more: Any) -> Any:
        """Return the JSON, or the text, of an answer with the status ``wanted``."""
        response = self.send(operation, *path, **more)
        assert wanted == response.status_code, (operation, response.status_code, response.text)
        return _valid(operation, response)

    def refused(self, operation: str, *path: str, by: tuple[int, ...], **more: Any) -> Any:
        """Return the ``error`` of an answer that must have one of the statuses ``by``."""
        response = self.send(operation, *path, **more)
        assert response.status_code in by, (operation, response.status_code, response.text)
        return _valid(operation, response)["error"]

    def invalid(self, operation: str, *path: str, **more: Any) -> Any:
        """Return the ``error`` of a request that is not valid (O-2)."""
        by = (400,) if operation == "getProject" else (400, 422)
        return self.refused(operation, *path, by=by, **more)

    @staticmethod
    def payload(value: Any) -> Any:
        """Return the payload of a stream's event, which must be valid."""
        _check("#/components/schemas/StreamPayload", value)
        return value

    def session(self, device: str, *, wanted: int) -> dict[str, Any]:
        """Begin a session."""
        body = {"apiKey": API_KEY, "saVid": device}
        session: dict[str, Any] = self.expect("init", wanted=wanted, body=body)
        return session

    def visitor(self, device: str | None = None) -> Visitor:
        """Return a new visitor."""
        device = device or uuid.uuid4().hex
        session = self.session(device, wanted=201)
        return Visitor(self.http, session["sessionToken"], session["visitor"]["id"], device)

    def bearing(self, token: str) -> Visitor:
        """Return somebody with another token."""
        return Visitor(self.http, token, "", "")


class Visitor(Api):
    """Calls one server as one visitor."""

    def __init__(self, http: httpx.Client, token: str, visitor_id: str, device: str) -> None:
        """Send ``token`` as the bearer."""
        super().__init__(http)
        self.token = token
        self.id = visitor_id
        self.device = device

    def bearer(self) -> dict[str, str]:
        """Return the header with the token."""
        return {"Authorization": f"Bearer {self.token}"}

    def start(self) -> str:
        """Start a conversation and return its id."""
        return str(self.expect("startConversation", wanted=201)["id"])

    def say(self, conversation: str, content: str, **more: Any) -> str:
        """Send a message, and return the answer's text."""
        body = {"content": content, "stream": False, **more}
        return text_of(self.expect("sendMessage", conversation, body=body))

    def stream(self, conversation: str, content: str) -> str:
        """Send a message, and return the streamed answer's text."""
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
        """Return what the messages of a conversation say."""
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
    """Return what a stored message says."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def text_of(completion: dict[str, Any]) -> str:
    """Return what a whole answer says."""
    assert isinstance(completion, dict), completion
    return "".join(
        part["text"]
        for step in completion["steps"]
        for part in step["content"]
        if part["type"] == "text"
    )


def read_stream(raw: str) -> str:
    """Return the text of a stream; raises `AssertionError` if it is not one."""
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
    """Return the content of an answer that ``openapi.yaml`` describes."""
    media = _media(operation, response.status_code)
    declared = response.headers.get("content-type", "")
    media_type, _, options = declared.partition(";")
    assert media_type in media, declared
    assert options.strip().lower() in {"", "charset=utf-8"}, declared
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


@cache
def _operations() -> dict[str, tuple[str, str, Any]]:
    return {
        node["operationId"]: (method.upper(), path, node)
        for path, item in spec()["paths"].items()
        for method, node in item.items()
        if method != "parameters"
    }


@cache
def _media(operation: str, status: int) -> dict[str, str]:
    responses = _operations()[operation][2]["responses"]
    assert str(status) in responses, (operation, status)
    response = responses[str(status)]
    if "$ref" in response:
        response = spec()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return {name: media["schema"]["$ref"] for name, media in response["content"].items()}
