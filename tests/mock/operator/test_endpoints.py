"""Tests for the control endpoints and their access rules."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http.access_log import LOGGER
from siteassist_mock.operator.endpoints import is_control
from tests.mock.steps import counted_steps
from tests.values import API_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from tests.mock.conftest import Client, FakeTime, MakeClient

UNKNOWN = f"/conversations/{UNKNOWN_ID}"
MESSAGE = {"$ref": "#/components/schemas/Message"}
CONVERSATION = {"$ref": "#/components/schemas/Conversation"}


@pytest.fixture
def operator(client: Client) -> Client:
    """Create a client of the control endpoints of ``client``'s server."""
    return client.below("/_mock")


def test_a_human_agent_takes_over(client: Client, operator: Client) -> None:
    """Messages after a handover are queued, and the conversation names the agent."""
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
    """The body and both of its fields may be absent or null."""
    reply = operator.post(f"{client.conversation()}/handover", body)
    assert (reply.status, reply.json["humanAgent"]) == (200, {"name": None, "image": None})


def test_the_agent_answers(client: Client, operator: Client) -> None:
    """The stored message is returned; it keeps its author after another handover."""
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


def test_an_agent_message_needs_a_handover(client: Client, operator: Client) -> None:
    """A message of an agent before a handover is a 409."""
    reply = operator.post(f"{client.conversation()}/agent-messages", {"content": "x"})
    assert (reply.status, reply.code) == (409, "CONFLICT")
    assert reply.details == {"resource": "conversation", "conflictingField": "isHumanHandled"}


def test_a_closed_conversation_refuses_agents(client: Client, operator: Client) -> None:
    """Handovers and messages are a 409; closing again keeps the first reason."""
    conversation = client.conversation()
    operator.post(f"{conversation}/handover")
    reply = operator.post(f"{conversation}/close", {"closeReason": "Resolved"})
    assert (reply.status, reply.json["status"]) == (200, "closed")
    assert operator.post(f"{conversation}/close").json["closeReason"] == "Resolved"
    for action, body in (("handover", {}), ("agent-messages", {"content": "x"})):
        reply = operator.post(f"{conversation}/{action}", body)
        assert (reply.status, reply.details["conflictingField"]) == (409, "status")


@pytest.mark.parametrize(
    ("path", "raw", "status"),
    [
        ("/conversations/x/handover", b"{}", 400),
        (f"{UNKNOWN}/handover", b"{", 400),
        (f"{UNKNOWN}/handover", b"[]", 400),
        (f"{UNKNOWN}/handover", b'{"name": 1}', 400),
        (f"{UNKNOWN}/handover", b'{"nmae": "Sam"}', 400),
        (f"{UNKNOWN}/handover", b"x" * 2_000_000, 413),
        (f"{UNKNOWN}/agent-messages", b"", 400),
        (f"{UNKNOWN}/agent-messages", b"{}", 400),
        (f"{UNKNOWN}/agent-messages", b'{"content": null}', 400),
        (f"{UNKNOWN}/agent-messages", b'{"content": ""}', 422),
        (f"{UNKNOWN}/close", b'{"closeReason": 1}', 400),
        ("/reset", b'{"what": "everything"}', 400),
    ],
)
def test_a_malformed_body_is_refused(operator: Client, path: str, raw: bytes, status: int) -> None:
    """The error has the API's body and precedes the lookup of the conversation."""
    reply = operator.post(path, raw=raw)
    assert status == reply.status
    assert operator.faults({"$ref": "#/components/schemas/Error"}, reply.json) == []


def test_a_reset_deletes_everything(client: Client, operator: Client) -> None:
    """Visitors, sessions and conversations are deleted; the keys are still valid."""
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
    session = client.post("/identity/init", {"apiKey": API_KEY, "saVid": "device"})
    assert session.status == 201
    assert client.post("/conversations").status == 201
    assert client.get(conversation).status == 404


def test_the_state_shows_conversations(client: Client, operator: Client, time: FakeTime) -> None:
    """The state lists the conversations of all visitors, the latest interaction first."""
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


def test_the_state_comes_in_pages(client: Client, operator: Client) -> None:
    """Conversations and messages are limited, and the rest can be read as well."""
    chats = [client.conversation() for _ in range(3)]
    for number in range(4):
        client.post(f"{chats[2]}/messages", {"content": f"question {number}"})
    every = client.get(chats[2]).json["messages"]
    shown = operator.get("/state").json["conversations"]
    second = operator.get("/state?limit=1&offset=1").json["conversations"]
    assert shown[1:2] == second
    (first,) = operator.get("/state?limit=1&messages=3").json["conversations"]
    assert (every[-3:], True) == (first["messages"], first["moreMessages"])
    assert (every, False) == (shown[0]["messages"], shown[0]["moreMessages"])
    (bare,) = operator.get("/state?limit=1&messages=0").json["conversations"]
    assert ([], True) == (bare["messages"], bare["moreMessages"])
    assert shown[0] == operator.get(chats[2]).json
    page = operator.get(f"{chats[2]}?limit=3&offset=3").json
    assert (every[2:5], True) == (page["messages"], page["moreMessages"])
    last = operator.get(f"{chats[2]}?limit=5&offset=3").json
    assert (every[:5], False) == (last["messages"], last["moreMessages"])
    for wrong in ("messages=-1", "messages=1001", "offset=-1", "limit=1.5"):
        assert operator.get(f"/state?{wrong}").status == 400
    assert 404 == operator.get(UNKNOWN).status


def test_a_long_conversation_does_not_slow_down_the_page(client: Client, operator: Client) -> None:
    """The requests of the page read and send as much as for a short conversation."""
    chat = client.conversation()
    store = client.app.state.store
    sizes, steps = [], []
    for count in (200, 20_000):
        with store.write() as records:
            for _ in range(count):
                records.add_message(chat.rpartition("/")[2], "user", "x")
        with counted_steps(store) as counted:
            state = operator.get("/state?limit=50&messages=1")
            whole = operator.get(f"{chat}?limit=100")
        sizes.append(len(state.body) + len(whole.body))
        steps.append(counted())
    assert sizes[1] <= sizes[0] + 10
    assert steps[1] <= 3 * steps[0]


def test_the_state_has_no_secret(client: Client, operator: Client) -> None:
    """The state has no token, key or device name, which is as sensitive as a key."""
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
    ("POST", f"{UNKNOWN}/handover"),
    ("POST", f"{UNKNOWN}/agent-messages"),
    ("POST", f"{UNKNOWN}/close"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8787", "origin": "https://example.com"},
        {"host": "127.0.0.1:8787", "origin": "http://127.0.0.1:9999"},
        {"host": "127.0.0.1:8787", "origin": "http://localhost:8787"},
        {"host": "127.0.0.1:8787", "origin": "null"},
        # DNS rebinding: a foreign name that resolves to this machine.
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
    """The refusal has no CORS headers, so a foreign page cannot read it."""
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
def test_pages_of_the_server_are_accepted(operator: Client, host: str, origin: str | None) -> None:
    """Hosts that no other website can have are accepted."""
    headers = {"host": host} | ({"origin": origin} if origin else {})
    assert operator.post("/reset", headers=headers).status == 200


@pytest.mark.parametrize("path", [path for method, path in PATHS if method == "POST"])
@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_media_types_of_forms_are_refused(operator: Client, path: str, media_type: str) -> None:
    """Browsers send such requests to any origin without a preflight."""
    for raw in (b"", b"{}"):
        reply = operator.post(path, raw=raw, headers={"content-type": media_type})
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST_BODY")


def test_a_preflight_is_refused(operator: Client) -> None:
    """A preflight gets a 405 without CORS headers."""
    reply = operator.request(
        "OPTIONS",
        "/reset",
        headers={"origin": "https://example.com", "access-control-request-method": "POST"},
    )
    assert reply.status == 405
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_responses_are_restricted(operator: Client) -> None:
    """A response must not be cached, sniffed or embedded by another origin."""
    headers = operator.get("/state").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_has_a_strict_policy(operator: Client) -> None:
    """The page runs its own script only, connects to its own server only, and allows no frame."""
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
    # The page loads nothing from another server; the only URL is an XML namespace.
    assert reply.body.replace(b"http://www.w3.org/2000/svg", b"").count(b"://") == 0


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_disabled_endpoints_are_unknown_paths(
    make_client: MakeClient, method: str, path: str
) -> None:
    """Without control, the response equals the one for an unknown path, headers included."""
    client = make_client(control=False)
    origin = {"origin": "https://example.com"}
    operator = client.below("/_mock")
    reply = operator.request(method, path, headers=origin)
    unknown = client.below("/unknown").request(method, path, headers=origin)
    assert (reply.status, reply.body) == (404, unknown.body)
    assert reply.headers == unknown.headers


def test_the_description_has_no_control_endpoint(operator: Client) -> None:
    """The control endpoints are not part of the API."""
    assert not [path for path in operator.spec["paths"] if "_mock" in path]


def test_only_the_prefix_is_a_control_path() -> None:
    """A control path starts with the whole segment ``/_mock``."""
    assert [True, True, False, False] == [
        is_control(path) for path in ("/_mock", "/_mock/x", "/_mocking", "/v2/_mock")
    ]


def test_the_endpoints_work_on_every_database(
    make_client: MakeClient, database: str | None
) -> None:
    """All actions, the state and the reset work on each database."""
    client = make_client(database=database)
    operator = client.below("/_mock")
    conversation = client.visitor("device").conversation()
    operator.post(f"{conversation}/handover", {"name": "Sam"})
    message = operator.post(f"{conversation}/agent-messages", {"content": "hello"}).json
    closed = operator.post(f"{conversation}/close").json
    assert closed["messages"] == [message]
    (shown,) = operator.get("/state").json["conversations"]
    assert {**closed, "visitorId": shown["visitorId"]} == shown
    operator.post("/reset")
    assert operator.get("/state").json["counts"]["visitors"] == 1


def test_polls_of_the_page_are_not_logged(
    operator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """The page polls the state, so only changes and refused requests are logged."""
    with caplog.at_level(logging.INFO, LOGGER):
        operator.get("/state")
        operator.post("/reset")
        operator.get("/state", headers={"origin": "https://example.com"})
    assert [line.split()[:3] for line in caplog.messages] == [
        ["POST", "/_mock/reset", "200"],
        ["GET", "/_mock/state", "403"],
    ]
