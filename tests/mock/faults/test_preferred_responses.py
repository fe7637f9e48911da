"""Tests for documented responses requested with the header ``Prefer``."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.app import create_app
from siteassist_mock.faults import preferred_responses
from tests.description import DOCUMENT, OPERATIONS
from tests.mock.conftest import http_scope, run
from tests.values import UNKNOWN_ID

if TYPE_CHECKING:
    from starlette.types import Message

    from tests.mock.conftest import Client, MakeClient

MESSAGES = f"/conversations/{UNKNOWN_ID}/messages"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_documented_response_can_be_requested(client: Client, name: str) -> None:
    """Each has its first example and needs no credential, body or existing resource."""
    operation = OPERATIONS[name]
    path = operation.path.replace("{", "").replace("}", "")
    for status, documented in operation.responses.items():
        headers = {"prefer": f"code={status}"}
        reply = client.bearing(None).request(operation.method, path, headers=headers)
        assert (status, f"code={status}") == (reply.status, reply.headers["preference-applied"])
        media_type, media = next(iter(documented.media.items()))
        assert reply.headers["content-type"].startswith(media_type)
        value = next(iter(media.examples.values()))
        assert value == (reply.json if media_type == "application/json" else reply.body.decode())


@pytest.mark.parametrize(("status", "seconds"), [(429, "60"), (503, "30")])
def test_retry_after_is_a_header_as_well(client: Client, status: int, seconds: str) -> None:
    """The header has the same number of seconds as the body."""
    reply = client.get("/identity/me", headers={"prefer": f"code={status}"})
    assert (seconds, int(seconds)) == (reply.headers["retry-after"], reply.details["retryAfter"])


@pytest.mark.parametrize(
    ("status", "scheme"), [(401, "Bearer"), (402, None), (500, None), (502, None)]
)
def test_other_errors_have_no_retry_after(client: Client, status: int, scheme: str | None) -> None:
    """A 401 has the header that RFC 9110, 15.5.2, requires instead."""
    reply = client.get("/identity/me", headers={"prefer": f"code={status}"})
    assert (scheme, None) == (
        reply.headers.get("www-authenticate"),
        reply.headers.get("retry-after"),
    )


def test_an_example_is_chosen_by_its_name(client: Client) -> None:
    """A name selects an example of the first success that has it, or of the given status."""
    reply = client.get("/identity/me", headers={"prefer": "example=identified"})
    assert (200, "identified") == (reply.status, reply.json["type"])
    assert "example=identified" == reply.headers["preference-applied"]
    reply = client.post("/identity/init", headers={"prefer": "example=newVisitor"})
    assert 201 == reply.status
    reply = client.get("/search?q=x", headers={"prefer": "code=404, example=notFound"})
    assert (404, "CONVERSATION_NOT_FOUND") == (reply.status, reply.code)
    assert "code=404, example=notFound" == reply.headers["preference-applied"]


@pytest.mark.parametrize(
    ("prefer", "reason"),
    [
        ("code=418", "getMe documents no response '418'; there is: 200, 400, 401, 402"),
        ("code=+404", "getMe documents no response '+404'; there is: 200"),
        ("code=x", "getMe documents no response 'x'; there is: 200"),
        (
            "example=nope",
            "getMe documents no example 'nope' for its success; there is: anonymous, identified",
        ),
        ("code=404, example=a", "getMe documents no example 'a' for 404; there is: notFound"),
    ],
)
def test_an_undocumented_response_is_a_400(client: Client, prefer: str, reason: str) -> None:
    """The error lists the documented values, and no preference is reported as applied."""
    reply = client.get("/identity/me", headers={"prefer": prefer})
    assert (400, "INVALID_PREFERENCE") == (reply.status, reply.code)
    assert reply.details["reason"].startswith(reason)
    assert "preference-applied" not in reply.headers


@pytest.mark.parametrize(
    "prefer", ["", "respond-async", "wait=10, dynamic=true", "code=, example", "code"]
)
def test_other_preferences_are_ignored(client: Client, prefer: str) -> None:
    """Unknown and incomplete preferences have no effect."""
    reply = client.get("/identity/me", headers={"prefer": prefer})
    assert (200, "anonymous") == (reply.status, reply.json["type"])
    assert "preference-applied" not in reply.headers


@pytest.mark.parametrize(
    "asking",
    [
        {"body": {"stream": True}},
        {"raw": b"{", "headers": {"accept": "application/json;q=0.1, text/event-stream"}},
    ],
)
def test_a_stream_can_be_requested(client: Client, asking: dict[str, Any]) -> None:
    """The flag in the body or `Accept` selects the stream, sent whole."""
    headers = {"prefer": "code=200", **asking.pop("headers", {})}
    reply = client.post(MESSAGES, headers=headers, **asking)
    assert "text/event-stream" == reply.headers["content-type"]
    example = DOCUMENT.raw["components"]["examples"]["StreamedAnswer"]["value"]
    assert example == reply.body.decode()
    *events, last = reply.events
    assert ("start", "finish") == (json.loads(events[0])["type"], json.loads(events[-1])["type"])
    assert "[DONE]" == last


def test_a_requested_stream_has_the_pace_of_the_server(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server waits after each event, as in an answer of its own."""
    pauses: list[float] = []

    async def pause(seconds: float, _disconnection: object) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(preferred_responses, "pause", pause)
    client = make_client(stream_delay=0.5)
    reply = client.post(MESSAGES, {"stream": True}, headers={"prefer": "code=200"})
    assert [0.5] * len(reply.events) == pauses


def test_a_requested_stream_ends_with_the_connection(make_client: MakeClient) -> None:
    """A client that leaves during a pause gets no more events, and no task waits for it."""
    app = make_client(stream_delay=3600).app
    body = {"type": "http.request", "body": b'{"stream": true}'}
    messages: list[Message] = [body, {"type": "http.disconnect"}]
    headers = {"prefer": "code=200"}
    sent = run(app, http_scope("POST", f"/v2{MESSAGES}", headers), messages)
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in sent]


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"[]", b'{"stream": 1}', b"x" * 2**21])
def test_json_is_the_default(client: Client, raw: bytes) -> None:
    """A body that does not request a stream, even a malformed one, gets JSON."""
    reply = client.post(MESSAGES, raw=raw, headers={"prefer": "code=200"})
    assert (200, "stop") == (reply.status, reply.json["steps"][0]["finishReason"])


def test_a_stream_can_be_requested_by_name(client: Client) -> None:
    """The name of an example also selects its media type."""
    headers = {"prefer": "example=streamedShipping"}
    reply = client.post("/chat/completions", {"messages": []}, headers=headers)
    example = DOCUMENT.raw["components"]["examples"]["StreamedShippingAnswer"]["value"]
    assert (200, example) == (reply.status, reply.body.decode())


def test_a_requested_response_changes_nothing(client: Client) -> None:
    """A requested 201 does not create a conversation."""
    reply = client.post("/conversations", headers={"prefer": "code=201"})
    assert (201, 0) == (reply.status, client.get("/conversations").json["total"])


def test_an_example_may_have_any_form(client: Client) -> None:
    """An example is sent unchanged, without assumptions about its structure."""
    for path, value in {"/search": [1], "/identity/me": {"error": "text"}}.items():
        spec = copy.deepcopy(dict(DOCUMENT.raw))
        media = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        media["examples"] = {"odd": {"value": value}}
        assert value == preferred(client, spec, path)


def test_a_response_without_an_example_is_a_400(client: Client) -> None:
    """The mock does not invent a response that has no example."""
    spec = copy.deepcopy(dict(DOCUMENT.raw))
    media = spec["paths"]["/search"]["get"]["responses"]["200"]["content"]["application/json"]
    del media["examples"]
    error = preferred(client, spec, "/search")["error"]
    assert "search documents no example for 200; there is: none" == error["details"]["reason"]


def preferred(client: Client, spec: dict[str, Any], path: str) -> Any:
    """Return the body for ``Prefer: code=200`` under another description."""
    app = create_app(spec=spec)
    app.state.store.close()
    other = dataclasses.replace(client, app=app, spec={"paths": {}}, token=None)
    return other.get(path, headers={"prefer": "code=200"}).json
