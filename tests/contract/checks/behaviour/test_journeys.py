"""What journeys ask once more: later sessions, closed conversations, other places and kinds."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete
from starlette.responses import JSONResponse

from siteassist_mock.storage.tables import messages
from tests.faults.checking import conversation, findings, knowledge
from tests.faults.edits import change, edit
from tests.faults.faulty import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.faults.checking import Check
    from tests.faults.exchange import Exchange

pytestmark = pytest.mark.one_interpreter


def first_session_only(server: Server) -> None:
    """Let only the first session of a device rate messages."""
    first: dict[str, str] = {}

    def note(exchange: Exchange) -> None:
        first.setdefault(exchange.request_json["saVid"], exchange.json["sessionToken"])

    def refuse(exchange: Exchange) -> ASGIApp | None:
        if exchange.bearer.removeprefix("Bearer ") in first.values():
            return None
        return JSONResponse({"error": {"code": "FORBIDDEN", "message": "No"}}, 403)

    server.after("init", note)
    server.before("sendMessageFeedback", refuse)


def filter_of_open_ones(server: Server) -> None:
    """Ignore the role in a closed conversation."""
    closed: set[str] = set()
    server.after("closeConversation", lambda exchange: closed.add(exchange.path["conversationId"]))

    def ask(exchange: Exchange) -> None:
        if exchange.path["conversationId"] in closed:
            exchange.query.pop("role", None)

    server.before("getMessages", ask)


def stored_once(server: Server) -> None:
    """Do not store a text that was sent in another conversation before."""
    seen: dict[str, str] = {}

    def drop(exchange: Exchange) -> None:
        it = exchange.path["conversationId"]
        text = (exchange.request_json or {}).get("content", "")
        if exchange.succeeded and it != seen.setdefault(text, it):
            with server.store.write() as records:
                own = messages.c.conversation_id == it
                records._connection.execute(delete(messages).where(own))

    server.after("sendMessage", drop)


def size_of_each_kind(server: Server) -> None:
    """Return as many pages as are asked for, and as many products."""

    def ask(exchange: Exchange) -> None:
        exchange.notes["size"] = int(exchange.query.get("size", "10"))
        exchange.query["size"] = "50"

    def answer(exchange: Exchange) -> None:
        if exchange.succeeded:
            kinds: dict[bool, list[Any]] = {True: [], False: []}
            for result in exchange.json["results"]:
                kinds["productId" in result].append(result)
            size = exchange.notes["size"]
            exchange.json = {"results": kinds[True][:size] + kinds[False][:size]}

    server.before("search", ask)
    server.after("search", answer)


FAULTS: dict[str, tuple[Callable[[Server], None], Check, str]] = {
    "a later session may do less": (
        first_session_only,
        conversation,
        "sendMessageFeedback accepted",
    ),
    "a closed conversation ignores a filter": (
        filter_of_open_ones,
        conversation,
        "getMessages list-filter",
    ),
    "a text is stored in one conversation only": (
        stored_once,
        conversation,
        "sendMessage stored-message",
    ),
    "the size counts for each kind of result": (size_of_each_kind, knowledge, "search list-page"),
    "emphasis is rendered in one place": (
        edit(
            "getQna",
            "answer",
            change(lambda text: re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", text)),
        ),
        knowledge,
        "getQna same-object",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_in_another_place_is_found(name: str) -> None:
    """A fault that the first session, conversation or entry does not show is found."""
    build, check, expected = FAULTS[name]
    server = Server()
    build(server)
    found = findings(server.app(), check).violations
    assert expected in found, {key: each.actual for key, each in found.items()}


def test_list_that_lags_is_no_violation() -> None:
    """The `updatedAt` of a list may be that of a moment ago: O-22."""
    server = Server()
    shown: dict[str, list[tuple[float, str]]] = {}

    def note(exchange: Exchange) -> None:
        if exchange.succeeded:
            entry = exchange.json
            shown.setdefault(entry["id"], []).append((time.monotonic(), entry["updatedAt"]))

    def lag(exchange: Exchange) -> None:
        if exchange.succeeded and exchange.query.get("orderBy") != "updatedAt":
            value = exchange.json
            for entry in value["data"]:
                times = shown.get(entry["id"], [(0.0, entry["updatedAt"])])
                past = [time_ for seconds, time_ in times if seconds < time.monotonic() - 0.5]
                entry["updatedAt"] = [times[0][1], *past][-1]
            exchange.json = value

    server.after("startConversation getConversation", note)
    server.after("getConversations", lag)
    assert {} == findings(server.app(), conversation).violations


def test_session_of_another_visitor_is_not_continued_with() -> None:
    """Whether a device keeps its visitor is another check, so nothing else is reported."""
    server = Server()

    def forget(exchange: Exchange) -> None:
        exchange.request_json = {**exchange.request_json, "saVid": uuid.uuid4().hex}

    server.before("init", forget)
    assert {} == findings(server.app(), conversation).violations
