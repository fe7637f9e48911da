"""Faults of the sockets of conversations: handshakes, pings, and messages of human agents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.faults.faulty import Server
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import Api
from tests.faults.socket_hooks import (
    PING,
    Client,
    Sent,
    answering,
    hand_over,
    handshakes,
    heard,
    opened,
    opening,
    publishing,
    refusal,
    refusing,
    say,
    sending,
)
from tests.values import API_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FAULTS", "unaffected"]

FAULTS = Faults("socket", socket=True)
_add = FAULTS.add
_fault = FAULTS.fault

_HANDSHAKE = "F-widget: connectConversation"
_REFUSED = "F-errors, R-30: connectConversation"
_PING = "F-widget: SocketPing, SocketPong"
_EVENT = "F-widget: SocketMessage"
_WEBSITE = "https://unlisted.example"
_TEXTS = ("One 👋", "Two", "Three")


# Handshakes.


def _refused(*statuses: int, conversation: str = "", query: str = f"?apiKey={API_KEY}") -> Probe:
    """Return a probe that a handshake is refused with one of ``statuses``, as described."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        response = refusal(api, conversation or visitor.start(), query=query)
        assert response.status_code in statuses, response.status_code
        assert response.headers["content-type"].startswith("application/json")
        message = response.json()["error"].get("message", "")
        assert message
        assert "Traceback" not in message

    return probe


def _has_key(scope: Scope) -> bool:
    return "apiKey" in parse_qs(scope["query_string"].decode())


_UNKNOWN_REFUSED = _refused(403, 404, conversation=UNKNOWN_ID)

for _name, _description, _build, _probe in (
    (
        "socket-without-a-key",
        "A handshake without a publishable key opens the socket.",
        opening(lambda status, scope: status == 400 and not _has_key(scope)),
        _refused(400, 401, 403, 422, query=""),
    ),
    (
        "socket-with-any-key",
        "A handshake with a wrong publishable key opens the socket.",
        opening(lambda status, _: status == 401),
        _refused(400, 401, 403, 404, query="?apiKey=sa_pk_wrong"),
    ),
    (
        "socket-of-an-unknown-conversation",
        "A handshake for a conversation that never existed opens a socket.",
        opening(lambda status, _: status == 404),
        _UNKNOWN_REFUSED,
    ),
    (
        "socket-of-a-malformed-id",
        "A handshake for an id that is not a UUID opens a socket.",
        opening(lambda status, scope: status == 400 and _has_key(scope)),
        _refused(400, 404, 422, conversation="not-a-uuid"),
    ),
):
    _add(_name, _description, _HANDSHAKE, _build, _probe)


def _leaking(status: int) -> Response:
    message = 'Traceback (most recent call last):\n  File "/srv/api/ws.py", line 7, in open'
    return JSONResponse({"error": {"message": message}}, status)


for _name, _description, _response, _probe in (
    (
        "socket-refusal-in-plain-text",
        "A refused handshake has a plain text in place of the error.",
        lambda status, _: PlainTextResponse("no", status),
        _UNKNOWN_REFUSED,
    ),
    (
        "socket-refusal-without-a-message",
        "The error of a refused handshake has a code and no message.",
        lambda status, _: JSONResponse({"error": {"code": "NOT_FOUND"}}, status),
        _UNKNOWN_REFUSED,
    ),
    (
        "socket-of-an-unknown-conversation-500",
        "A handshake for a conversation that never existed makes the server fail.",
        lambda status, _: (
            JSONResponse({"error": {"message": "Oops"}}, 500) if status == 404 else None
        ),
        _UNKNOWN_REFUSED,
    ),
    (
        "socket-refusal-with-a-trace",
        "The error of a refused handshake has a stack trace.",
        lambda status, _: _leaking(status),
        _UNKNOWN_REFUSED,
    ),
    (
        "socket-refusal-with-418",
        "A handshake with a wrong key is refused with a status that is not described.",
        lambda status, _: JSONResponse({"error": {"message": "No"}}, 418),
        _refused(400, 401, 403, query="?apiKey=sa_pk_wrong"),
    ),
):
    _add(_name, _description, _REFUSED, refusing(_response), _probe)


def _same_website(api: Api) -> None:
    """The socket refuses a website if other operations with the key do."""
    response = api.send("getProject", apiKey=API_KEY, headers={"Origin": _WEBSITE})
    if response.is_success:
        return
    refusal(api, api.visitor().start(), origin=_WEBSITE)


@_fault(
    "socket-for-any-website",
    "The socket is opened for websites that the key does not list.",
    "C-28 (F-auth); connectConversation",
    lambda api: _same_website(api),
)
def _any_website(server: Server) -> None:
    opening(lambda status, _: status == 403)(server)
    server.services(
        lambda services: services.authenticator.api_keys.update({API_KEY: ("https://a.example",)})
    )


@_fault(
    "one-socket-per-conversation",
    "A second socket of a conversation is refused while another one is open.",
    _HANDSHAKE,
    lambda api: _two_sockets(api),
)
def _one_socket(server: Server) -> None:
    open_paths: set[str] = set()

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in open_paths:
            error = {"error": {"message": "Already open"}}
            await JSONResponse(error, 409)(scope, receive, send)
            return
        open_paths.add(path)
        try:
            await app(scope, receive, send)
        finally:
            open_paths.discard(path)

    handshakes(around)(server)


def _two_sockets(api: Api) -> None:
    conversation = api.visitor().start()
    with opened(api, conversation) as one, opened(api, conversation) as two:
        one.pings()
        two.pings()


# Pings and silence.


def _answers(api: Api) -> None:
    answering(api, api.visitor())


def _first_only(state: dict[str, Any], text: str) -> Iterable[Sent]:
    state["pongs"] = state.get("pongs", 0) + 1
    return [text] if state["pongs"] == 1 else []


for _name, _description, _pong, _is_rare in (
    ("socket-no-pong", "No ping of a socket is answered.", lambda _s, _t: [], False),
    ("socket-pong-twice", "Each ping gets two pongs.", lambda _s, text: [text, text], False),
    ("socket-pong-in-capitals", "A ping is answered with PONG.", lambda _s, _t: ["PONG"], False),
    (
        "socket-pong-as-json",
        "A ping is answered with the JSON text of pong.",
        lambda _s, text: [json.dumps(text)],
        False,
    ),
    ("socket-pong-binary", "A pong is a binary message.", lambda _s, _t: [b"pong"], False),
    ("socket-first-pong-only", "Only the first ping of a socket is answered.", _first_only, True),
    ("socket-closes-at-a-ping", "A ping closes the socket.", lambda _s, _t: [1000], False),
):
    _add(
        _name,
        _description,
        _PING,
        sending(_pong, pongs=True, events=False),
        _answers,
        rare=_is_rare,
    )


def unaffected(*texts: str) -> Probe:
    """Return a probe that texts have no effect."""

    def probe(api: Api) -> None:
        with opened(api, api.visitor().start()) as client:
            for text in texts:
                client.send(text)
                client.pings()

    return probe


def _is_other(text: str) -> bool:
    return text != PING


for _name, _description, _answer in (
    (
        "socket-closes-at-other-texts",
        "A text that is not a ping closes the socket with 1003.",
        lambda _s, text: [1003] if _is_other(text) else None,
    ),
    (
        "socket-answers-any-text",
        "Any text gets a pong.",
        lambda _s, text: ["pong"] if _is_other(text) else None,
    ),
    (
        "socket-fails-at-json",
        "A text that is JSON makes the server fail, and closes the socket with 1011.",
        lambda _s, text: [1011] if text.startswith("{") else None,
    ),
    (
        "socket-deaf-after-other-texts",
        "After a text that is not a ping, no ping is answered any more.",
        lambda state, text: (
            [] if state.setdefault("deaf", _is_other(text)) or _is_other(text) else None
        ),
    ),
):
    _add(_name, _description, _PING, heard(_answer), unaffected("hello", '{"type": "x"}'))


def _silent(api: Api) -> None:
    with opened(api, api.visitor().start()) as client:
        client.wait(0.8)
        client.pings()


@_fault(
    "socket-impatient",
    "A socket is closed after half a second of silence.",
    _PING,
    _silent,
)
def _impatient(server: Server) -> None:
    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = False

        async def noted(message: Message) -> None:
            nonlocal accepted
            accepted = accepted or message["type"] == "websocket.accept"
            await send(message)

        async def limited() -> Message:
            if not accepted:
                return await receive()
            try:
                async with asyncio.timeout(0.5):
                    return await receive()
            except TimeoutError:
                await send({"type": "websocket.close", "code": 1001})
                return {"type": "websocket.disconnect", "code": 1001}

        await app(scope, limited, noted)

    handshakes(around)(server)


# Messages of human agents.


def _pushed(api: Api) -> None:
    """Each socket of a conversation gets each hand-over and each message once, as stored."""
    visitor, other = api.visitor(), api.visitor()
    conversation, foreign = visitor.start(), other.start()
    with ExitStack() as stack:
        one, two = (stack.enter_context(opened(api, conversation)) for _ in range(2))
        stranger = stack.enter_context(opened(api, foreign))
        hand_over(api, conversation)
        for text in _TEXTS:
            say(api, conversation, text)
        stored = visitor.messages(conversation)
        for client in (one, two):
            _got(client, conversation, stored)
        stranger.pings()
        _one_after_the_other(api, conversation, one, two)


def _got(client: Client, conversation: str, stored: list[Any]) -> None:
    assigned, *messages = client.events(1 + len(_TEXTS))
    assert {"type": "human_assigned", "chatId": conversation} == assigned
    expected = [{"type": "new_message", "chatId": conversation, "message": m} for m in stored]
    assert expected == messages
    assert {"human_agent"} == {message["role"] for message in stored}


def _one_after_the_other(api: Api, conversation: str, one: Client, two: Client) -> None:
    one.close()
    # A busy server notices only after some messages that the socket is closed.
    for number in range(12):
        said = say(api, conversation, f"After it {number}")
        (event,) = two.events(1)
        assert said == event["message"]


def _with(**fields: Any) -> Callable[[dict[str, Any], str], Iterable[Sent]]:
    """Return a change of the properties of events."""

    def change(_state: dict[str, Any], text: str) -> Iterable[Sent]:
        return [json.dumps(json.loads(text) | fields)]

    return change


def _of_message(
    change: Callable[[dict[str, Any]], object],
) -> Callable[[dict[str, Any], str], Iterable[Sent]]:
    """Return a change of the message in an event."""

    def changed(_state: dict[str, Any], text: str) -> Iterable[Sent]:
        event = json.loads(text)
        if "message" in event:
            change(event["message"])
        return [json.dumps(event)]

    return changed


def _is_message(text: str) -> bool:
    return bool(json.loads(text)["type"] == "new_message")


def _without(name: str) -> Callable[[dict[str, Any], str], Iterable[Sent]]:
    def change(_state: dict[str, Any], text: str) -> Iterable[Sent]:
        event = json.loads(text)
        event.pop(name, None)
        return [json.dumps(event)]

    return change


def _swapped(state: dict[str, Any], text: str) -> Iterable[Sent]:
    """Send each second message before the one before it."""
    if not _is_message(text):
        return [text]
    held = state.pop("held", None)
    if held is None:
        state["held"] = text
        return []
    return [text, held]


def _third_lost(state: dict[str, Any], text: str) -> Iterable[Sent]:
    if _is_message(text):
        state["number"] = state.get("number", 0) + 1
    return [] if state.get("number") == 3 else [text]


def _third_twice(state: dict[str, Any], text: str) -> Iterable[Sent]:
    if _is_message(text):
        state["number"] = state.get("number", 0) + 1
    return [text, text] if state.get("number") == 3 else [text]


def _first_text(message: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = message["parts"][0]
    return part


for _name, _description, _event, _is_rare in (
    ("socket-assigned-twice", "A hand-over is announced twice.",
     lambda _s, text: [text] if _is_message(text) else [text, text], False),
    ("socket-assigned-never", "A hand-over is not announced.",
     lambda _s, text: [text] if _is_message(text) else [], False),
    ("socket-message-twice", "Each message of a human agent comes twice.",
     lambda _s, text: [text, text] if _is_message(text) else [text], False),
    ("socket-third-message-twice", "The third message on a socket comes twice.",
     _third_twice, True),
    ("socket-third-message-lost", "The third message on a socket is lost.", _third_lost, True),
    ("socket-message-never", "Messages of human agents do not come.",
     lambda _s, text: [] if _is_message(text) else [text], False),
    ("socket-messages-swapped", "Two messages on a socket change places.", _swapped, False),
    ("socket-event-without-chat", "An event does not name its conversation.",
     _without("chatId"), False),
    ("socket-event-without-message", "An event about a message does not contain it.",
     _without("message"), False),
    ("socket-event-in-a-list", "Each event is in a list.", lambda _s, text: [f"[{text}]"], False),
    ("socket-event-cut", "The end of each event is missing.", lambda _s, text: [text[:-1]], False),
    ("socket-event-binary", "Events are binary messages.", lambda _s, text: [text.encode()], False),
    ("socket-event-of-another-chat", "Each event names a conversation that does not exist.",
     _with(chatId=UNKNOWN_ID), False),
    ("socket-role-assistant", "A human agent's message has the role of the assistant on a socket.",
     _of_message(lambda it: it.update(role="assistant")), False),
    ("socket-role-unknown", "A human agent's message has an unknown role on a socket.",
     _of_message(lambda it: it.update(role="agent")), False),
    ("socket-message-with-another-id", "A message on a socket has another id than the stored one.",
     _of_message(lambda it: it.update(id=UNKNOWN_ID)), False),
    ("socket-message-text-cut", "The text of a message is cut on a socket.",
     _of_message(lambda it: _first_text(it).update(text=_first_text(it)["text"][:2])), False),
    ("socket-message-with-another-time", "The time of a message is another one on a socket.",
     _of_message(lambda it: it.update(createdAt="2020-01-01T00:00:00.000Z")), False),
    ("socket-message-lacks-a-field", "A message on a socket lacks a required property.",
     _of_message(lambda it: it.pop("pageUrl")), True),
):  # fmt: skip
    _add(_name, _description, _EVENT, sending(_event), _pushed, rare=_is_rare)


def _to_everybody(events: Any, _conversation: str, event: Any) -> None:
    with events._lock:
        called = [each for some in events._listeners.values() for each in some]
    for listener in called:
        listener(event)


def _to_the_latest(events: Any, conversation: str, event: Any) -> None:
    with events._lock:
        called = events._listeners.get(conversation, [])[-1:]
    for listener in called:
        listener(event)


def _to_the_first(events: Any, conversation: str, event: Any) -> None:
    with events._lock:
        called = events._listeners.get(conversation, [])[:1]
    for listener in called:
        listener(event)


for _name, _description, _publish in (
    ("socket-events-for-everybody", "Each socket gets the events of all conversations.",
     _to_everybody),
    ("socket-events-for-the-latest", "Only the latest socket of a conversation gets its events.",
     _to_the_latest),
    ("socket-events-for-the-first", "Only the first socket of a conversation gets its events.",
     _to_the_first),
):  # fmt: skip
    _add(_name, _description, _EVENT, publishing(_publish), _pushed)


@_fault(
    "socket-deaf-after-another-closes",
    "When a socket closes, the others of its conversation get nothing more.",
    _EVENT,
    _pushed,
    rare=True,
)
def _deaf(server: Server) -> None:
    closed: dict[str, int] = {}

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        since = closed.get(path, 0)

        async def changed(message: Message) -> None:
            text = message.get("text", PING)
            if closed.get(path, 0) == since or text == "pong":
                await send(message)

        try:
            await app(scope, receive, changed)
        finally:
            closed[path] = closed.get(path, 0) + 1

    handshakes(around)(server)
