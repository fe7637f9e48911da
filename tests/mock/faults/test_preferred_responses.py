"""Documented answers on demand."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.app import create_app
from siteassist_spec import Document, read_operations

if TYPE_CHECKING:
    from tests.mock.conftest import Client

DOCUMENT = Document.load()
OPERATIONS = read_operations(DOCUMENT)
NOBODYS = "/conversations/123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_documented_answer_can_be_had(client: Client, name: str) -> None:
    """With its first example, without a credential, a body or anything that exists."""
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
def test_a_time_to_wait_is_also_a_header(client: Client, status: int, seconds: str) -> None:
    """The same as in the body."""
    reply = client.get("/identity/me", headers={"prefer": f"code={status}"})
    assert (seconds, int(seconds)) == (reply.headers["retry-after"], reply.details["retryAfter"])


def test_other_errors_have_no_time_to_wait(client: Client) -> None:
    """Where the body has none."""
    for status in (401, 402, 500, 502):
        reply = client.get("/identity/me", headers={"prefer": f"code={status}"})
        assert "retry-after" not in reply.headers


def test_a_401_names_the_scheme(client: Client) -> None:
    """As every 401 must (RFC 9110, 15.5.2)."""
    reply = client.get("/identity/me", headers={"prefer": "code=401"})
    assert "Bearer" == reply.headers["www-authenticate"]


def test_an_example_is_chosen_by_its_name(client: Client) -> None:
    """Of the first success that has it, or of the status that is asked for."""
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
def test_what_is_not_documented_is_a_400(client: Client, prefer: str, reason: str) -> None:
    """That says what there is, and does not say that it was applied."""
    reply = client.get("/identity/me", headers={"prefer": prefer})
    assert (400, "INVALID_PREFERENCE") == (reply.status, reply.code)
    assert reply.details["reason"].startswith(reason)
    assert "preference-applied" not in reply.headers


@pytest.mark.parametrize(
    "prefer", ["", "respond-async", "wait=10, dynamic=true", "code=, example", "code"]
)
def test_other_preferences_are_ignored(client: Client, prefer: str) -> None:
    """And answered as if they were not there."""
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
def test_a_stream_can_be_had(client: Client, asking: dict[str, Any]) -> None:
    """By the flag in the body or by `Accept`: its examples, one after another."""
    headers = {"prefer": "code=200", **asking.pop("headers", {})}
    reply = client.post(f"{NOBODYS}/messages", headers=headers, **asking)
    assert "text/event-stream" == reply.headers["content-type"]
    assert ["text-delta", "[DONE]"] == [
        "text-delta" if "text-delta" in event else event for event in reply.events
    ]


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"[]", b'{"stream": 1}', b"x" * 2**21])
def test_whatever_asks_for_no_stream_gets_json(client: Client, raw: bytes) -> None:
    """However broken its body is."""
    reply = client.post(f"{NOBODYS}/messages", raw=raw, headers={"prefer": "code=200"})
    assert (200, "stop") == (reply.status, reply.json["steps"][0]["finishReason"])


def test_one_event_can_be_had(client: Client) -> None:
    """Its name chooses the media type, too."""
    headers = {"prefer": "example=terminator"}
    reply = client.post("/chat/completions", {"messages": []}, headers=headers)
    assert (200, b"data: [DONE]\n\n") == (reply.status, reply.body)


def test_an_answer_on_demand_changes_nothing(client: Client) -> None:
    """The conversation that was promised is not there."""
    reply = client.post("/conversations", headers={"prefer": "code=201"})
    assert (201, 0) == (reply.status, client.get("/conversations").json["total"])


def test_an_answer_without_details_is_sent_as_it_is(client: Client) -> None:
    """Nothing is expected of an example's form."""
    for path, value in {"/search": [1], "/identity/me": {"error": "text"}}.items():
        spec = copy.deepcopy(dict(DOCUMENT.raw))
        media = spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        media["examples"] = {"odd": {"value": value}}
        assert value == one_answer(client, spec, path)


def test_a_response_without_an_example_is_a_400(client: Client) -> None:
    """Nothing is made up."""
    spec = copy.deepcopy(dict(DOCUMENT.raw))
    media = spec["paths"]["/search"]["get"]["responses"]["200"]["content"]["application/json"]
    del media["examples"]
    error = one_answer(client, spec, "/search")["error"]
    assert "search documents no example for 200; there is: none" == error["details"]["reason"]


def one_answer(client: Client, spec: dict[str, Any], path: str) -> Any:
    """Return what ``Prefer: code=200`` gets of another description."""
    app = create_app(spec=spec)
    app.state.store.close()
    asking = type(client)(app, {"paths": {}}, None)
    return asking.get(path, headers={"prefer": "code=200"}).json
