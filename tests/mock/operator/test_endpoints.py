"""The control endpoints: what they do, and whom they refuse."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http.access_log import LOGGER
from siteassist_mock.operator.endpoints import is_control

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mock.conftest import Client, FakeTime

NOBODYS = "/conversations/123e4567-e89b-12d3-a456-426614174000"
MESSAGE = {"$ref": "#/components/schemas/Message"}
CONVERSATION = {"$ref": "#/components/schemas/Conversation"}


@pytest.fixture
def operator(client: Client) -> Client:
    """Make somebody at the console of the server of ``client``."""
    return dataclasses.replace(client, token=None, base="/_mock")


def test_a_human_agent_takes_over(client: Client, operator: Client) -> None:
    """From then on messages are queued, and the agent is there to see."""
    conversation = client.visitor("device").conversation()
    reply = operator.post(f"{conversation}/handover", {"name": "Sam", "image": "https://x.example"})
    assert reply.status == 200
    assert operator.faults(CONVERSATION, reply.json) == []
    assert reply.json["isHumanHandled"] is True
    assert reply.json["humanAgent"] == {"name": "Sam", "image": "https://x.example"}
    own = client.visitor("device")
    assert own.post(f"{conversation}/messages", {"content": "hello"}).status == 202
    assert own.get(conversation).json["humanAgent"]["name"] == "Sam"


@pytest.mark.parametrize("body", [None, {}, {"name": None}, {"name": None, "image": None}])
def test_an_agent_need_not_have_a_name(
    client: Client, operator: Client, body: dict[str, None] | None
) -> None:
    """Both fields, and the body itself, may be left out or null."""
    reply = operator.post(f"{client.conversation()}/handover", body)
    assert (reply.status, reply.json["humanAgent"]) == (200, {"name": None, "image": None})


def test_the_agent_answers(client: Client, operator: Client) -> None:
    """The stored message comes back; it keeps its author when another one takes over."""
    conversation = client.conversation()
    before = client.get(conversation).json["lastInteractionAt"]
    operator.post(f"{conversation}/handover", {"name": "Sam"})
    reply = operator.post(f"{conversation}/agent-messages", {"content": "**Yes**"})
    assert reply.status == 201
    assert operator.faults(MESSAGE, reply.json) == []
    assert (reply.json["role"], reply.json["status"]) == ("human_agent", "complete")
    assert reply.json["parts"] == [{"type": "text", "text": "**Yes**"}]
    assert reply.json["humanAgent"] == {"name": "Sam", "image": None}
    operator.post(f"{conversation}/handover", {"name": "Kim"})
    after = client.get(conversation).json
    assert after["messages"] == [reply.json]
    assert after["humanAgent"]["name"] == "Kim"
    assert after["lastInteractionAt"] >= before
    listed = client.get(f"{conversation}/messages?role=human_agent").json["data"]
    assert listed == [reply.json]


def test_only_a_human_agent_answers_as_one(client: Client, operator: Client) -> None:
    """Somebody must have taken over before."""
    reply = operator.post(f"{client.conversation()}/agent-messages", {"content": "x"})
    assert (reply.status, reply.code) == (409, "CONFLICT")
    assert reply.details == {"resource": "conversation", "conflictingField": "isHumanHandled"}


def test_a_closed_conversation_takes_nothing_more(client: Client, operator: Client) -> None:
    """Neither an agent nor a message; closing it again keeps the first reason."""
    conversation = client.conversation()
    operator.post(f"{conversation}/handover")
    reply = operator.post(f"{conversation}/close", {"closeReason": "Resolved"})
    assert (reply.status, reply.json["status"]) == (200, "closed")
    assert operator.post(f"{conversation}/close").json["closeReason"] == "Resolved"
    for action, body in (("handover", {}), ("agent-messages", {"content": "x"})):
        reply = operator.post(f"{conversation}/{action}", body)
        assert (reply.status, reply.details["conflictingField"]) == (409, "status")


@pytest.mark.parametrize(
    ("action", "body"),
    [("handover", {}), ("agent-messages", {"content": "x"}), ("close", {})],
)
def test_an_unknown_conversation_is_a_404(
    operator: Client, action: str, body: dict[str, str]
) -> None:
    """With the error that the API itself has for it."""
    reply = operator.post(f"{NOBODYS}/{action}", body)
    assert (reply.status, reply.code) == (404, "CONVERSATION_NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "raw", "status"),
    [
        ("/conversations/x/handover", b"{}", 400),
        (f"{NOBODYS}/handover", b"{", 400),
        (f"{NOBODYS}/handover", b"[]", 400),
        (f"{NOBODYS}/handover", b'{"name": 1}', 400),
        (f"{NOBODYS}/handover", b'{"nmae": "Sam"}', 400),
        (f"{NOBODYS}/handover", b"x" * 2_000_000, 413),
        (f"{NOBODYS}/agent-messages", b"", 400),
        (f"{NOBODYS}/agent-messages", b"{}", 400),
        (f"{NOBODYS}/agent-messages", b'{"content": null}', 400),
        (f"{NOBODYS}/agent-messages", b'{"content": ""}', 422),
        (f"{NOBODYS}/close", b'{"closeReason": 1}', 400),
        ("/reset", b'{"what": "everything"}', 400),
    ],
)
def test_what_is_malformed_is_refused(operator: Client, path: str, raw: bytes, status: int) -> None:
    """With the API's error body, and before anything is looked up."""
    reply = operator.post(path, raw=raw)
    assert status == reply.status
    assert operator.faults({"$ref": "#/components/schemas/Error"}, reply.json) == []


def test_a_reset_forgets_everything(client: Client, operator: Client) -> None:
    """As at the start: no visitors, sessions, conversations; the keys are good again."""
    visitor = client.visitor("device")
    conversation = visitor.conversation()
    visitor.post(f"{conversation}/messages", {"content": "hello"})
    client.conversation()
    assert operator.get("/state").json["counts"] == {
        "visitors": 2,
        "sessions": 1,
        "conversations": 2,
        "messages": 2,
    }
    fresh = {"visitors": 1, "sessions": 0, "conversations": 0, "messages": 0}
    for _ in range(2):
        reply = operator.post("/reset")
        assert (reply.status, reply.json) == (200, {"success": True})
        assert operator.get("/state").json == {"counts": fresh, "conversations": []}
    assert visitor.get("/identity/me").status == 401
    session = client.post("/identity/init", {"apiKey": "sa_pk_1234567890abcdef", "saVid": "device"})
    assert session.status == 201
    assert client.post("/conversations").status == 201
    assert client.get(conversation).status == 404


def test_the_state_shows_conversations(client: Client, operator: Client, time: FakeTime) -> None:
    """Those of all visitors, the latest interaction first, each with its messages."""
    visitor = client.visitor("device")
    one, two = visitor.conversation(), client.conversation()
    time.seconds += 1
    visitor.post(f"{one}/messages", {"content": "hello"})
    shown = operator.get("/state").json["conversations"]
    assert [f"/conversations/{item['id']}" for item in shown] == [one, two]
    assert operator.faults(CONVERSATION, shown[0]) == []
    assert [said["role"] for said in shown[0]["messages"]] == ["user", "assistant"]
    assert shown[0]["visitorId"] == visitor.get("/identity/me").json["id"]
    limited = operator.get("/state?limit=1").json
    assert limited["conversations"] == shown[:1]
    assert limited["counts"]["conversations"] == 2
    for wrong in ("0", "1001", "x"):
        assert operator.get(f"/state?limit={wrong}").status == 400


def test_the_state_tells_no_secret(client: Client, operator: Client) -> None:
    """No token, no key, and no name of a device, which is as good as a key."""
    visitor = client.visitor("my-device-1")
    visitor.post(f"{visitor.conversation()}/messages", {"content": "hello"})
    text = operator.get("/state").body.decode()
    secret = client.app.state.store.secret
    for hidden in (visitor.token, client.token, "sa_pk_", "my-device-1", secret.hex()):
        assert str(hidden) not in text


PATHS = [
    ("GET", "/ui"),
    ("GET", "/state"),
    ("POST", "/reset"),
    ("POST", f"{NOBODYS}/handover"),
    ("POST", f"{NOBODYS}/agent-messages"),
    ("POST", f"{NOBODYS}/close"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8787", "origin": "https://example.com"},
        {"host": "127.0.0.1:8787", "origin": "http://127.0.0.1:9999"},
        {"host": "127.0.0.1:8787", "origin": "http://localhost:8787"},
        {"host": "127.0.0.1:8787", "origin": "null"},
        # A name that somebody has lead to this machine.
        {"host": "example.com:8787", "origin": "http://example.com:8787"},
        {"host": "example.com:8787"},
        {"host": "127.0.0.1.example.com"},
        {"host": "[::1"},
        {"host": ""},
    ],
)
def test_other_websites_are_refused(
    operator: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    """Whatever they ask for, and they could not even read the refusal."""
    reply = operator.request(method, path, headers=headers)
    assert (reply.status, reply.code) == (403, "FORBIDDEN")
    assert not [name for name in reply.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8787", None),
        ("127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("localhost:8787", "http://localhost:8787"),
        ("mock", "https://mock"),
        ("a.localhost", "http://a.localhost"),
        ("[::1]:8787", "http://[::1]:8787"),
        ("192.0.2.1", "http://192.0.2.1"),
    ],
)
def test_pages_of_the_server_itself_are_not_refused(
    operator: Client, host: str, origin: str | None
) -> None:
    """Under every address that nobody else can take."""
    headers = {"host": host} | ({"origin": origin} if origin else {})
    assert operator.post("/reset", headers=headers).status == 200


@pytest.mark.parametrize("path", [path for method, path in PATHS if method == "POST"])
@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_what_a_form_can_send_is_refused(operator: Client, path: str, media_type: str) -> None:
    """Browsers send that anywhere without asking, and without a body as well."""
    for raw in (b"", b"{}"):
        reply = operator.post(path, raw=raw, headers={"content-type": media_type})
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST_BODY")


def test_a_browser_gets_no_permission(operator: Client) -> None:
    """The question before a request from elsewhere is not answered."""
    reply = operator.request(
        "OPTIONS",
        "/reset",
        headers={"origin": "https://example.com", "access-control-request-method": "POST"},
    )
    assert reply.status == 405
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_answers_stay_with_the_page(operator: Client) -> None:
    """Nothing is kept, guessed, or embedded elsewhere."""
    headers = operator.get("/state").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_is_locked_down(operator: Client) -> None:
    """It runs its own script only, talks to its own server only, and is in no frame."""
    reply = operator.get("/ui")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.partition(" ")[::2] for part in reply.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert reply.headers["x-frame-options"] == "DENY"
    # Nothing comes from elsewhere; the one address is a name space.
    assert reply.body.replace(b"http://www.w3.org/2000/svg", b"").count(b"://") == 0


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_they_can_be_switched_off(
    make_client: Callable[..., Client], method: str, path: str
) -> None:
    """Then they are like any unknown path, down to the headers."""
    client = make_client(control=False)
    origin = {"origin": "https://example.com"}
    operator = dataclasses.replace(client, base="/_mock")
    reply = operator.request(method, path, headers=origin)
    unknown = dataclasses.replace(client, base="/unknown").request(method, path, headers=origin)
    assert (reply.status, reply.body) == (404, unknown.body)
    assert reply.headers == unknown.headers


def test_the_description_knows_nothing_of_them(operator: Client) -> None:
    """They are this server's own, and no part of the API."""
    assert not [path for path in operator.spec["paths"] if "_mock" in path]


def test_what_only_looks_like_them_is_not() -> None:
    """A path belongs to them as a whole or not at all."""
    assert [True, True, False, False] == [
        is_control(path) for path in ("/_mock", "/_mock/x", "/_mocking", "/v2/_mock")
    ]


def test_it_works_on_every_database(
    make_client: Callable[..., Client], database: str | None
) -> None:
    """Taking over, answering, closing, looking and forgetting."""
    client = make_client(database=database)
    operator = dataclasses.replace(client, token=None, base="/_mock")
    conversation = client.visitor("device").conversation()
    operator.post(f"{conversation}/handover", {"name": "Sam"})
    message = operator.post(f"{conversation}/agent-messages", {"content": "hello"}).json
    closed = operator.post(f"{conversation}/close").json
    assert closed["messages"] == [message]
    (shown,) = operator.get("/state").json["conversations"]
    assert {**closed, "visitorId": shown["visitorId"]} == shown
    operator.post("/reset")
    assert operator.get("/state").json["counts"]["visitors"] == 1


def test_the_log_is_not_filled_by_the_page(
    operator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It asks for the state all the time; what changes something is logged."""
    with caplog.at_level(logging.INFO, LOGGER):
        operator.get("/state")
        operator.post("/reset")
        operator.get("/state", headers={"origin": "https://example.com"})
    assert [line.split()[:3] for line in caplog.messages] == [
        ["POST", "/_mock/reset", "200"],
        ["GET", "/_mock/state", "403"],
    ]
