"""What shows in several places agrees, and nothing sticks from an earlier request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from siteassist_contract.checks import agreement
from tests.faults.checking import findings
from tests.faults.edits import assuming, change, drop, edit, put, together
from tests.faults.faulty import Build, Server

if TYPE_CHECKING:
    from siteassist_contract.findings import Findings
    from tests.faults.exchange import Exchange

pytestmark = pytest.mark.one_interpreter


def run(*builds: Build) -> Findings:
    """Run the checks on a mock with faults."""
    server = Server()
    together(*builds)(server)
    return findings(server.app(), *(check for _, check, _ in agreement.CHECKS))


def found(*builds: Build) -> set[str]:
    """Return the violations of the rules of this module, as operation, rule and place."""
    rules = (agreement.AGREEMENT, agreement.STICKS)
    return {key for key, each in run(*builds).violations.items() if each.rule in rules}


def later(value: Any) -> Any:
    """Return a time in another century."""
    return f"21{value[2:]}" if isinstance(value, str) else value


DISAGREEING: dict[str, tuple[Build, set[str]]] = {
    "the list has another reason": (
        edit("getConversations", "data.*.closeReason", put(None)),
        {"getConversations agreement closeReason"},
    ),
    "the list is late with the status": (
        edit("getConversations", "data.*.status", put("open")),
        {"getConversations agreement status"},
    ),
    "the list has another handler": (
        edit("getConversations", "data.*.isHumanHandled", change(lambda value: not value)),
        {"getConversation agreement isHumanHandled"},
    ),
    "the last message is cut": (
        edit("getConversations", "data.*.lastMessage.parts.0.text", change(lambda t: t[:10])),
        {"getConversations agreement parts", "getConversation agreement parts"},
    ),
    "the conversation has no time of feedback": (
        edit("getConversation", "messages.*.feedbackAt", put(None)),
        {"getConversation agreement feedbackAt", "getMessages agreement feedbackAt"},
    ),
    "the messages have another status": (
        edit("getMessages", "data.*.status", put("error")),
        {"getMessages agreement status", "getConversation agreement status"},
    ),
    "the messages have another page": (
        edit("getMessages", "data.*.pageUrl", put("https://shop.example/other")),
        {"getMessages agreement pageUrl", "getConversation agreement pageUrl"},
    ),
    "the start has another time": (
        edit("startConversation", "lastInteractionAt", change(later)),
        {"startConversation agreement lastInteractionAt"},
    ),
    "the list has another title": (
        edit("getConversations", "data.*.title", put("New conversation")),
        {"getConversation agreement title"},
    ),
    "the list has another time of update": (
        edit("getConversations", "data.*.updatedAt", change(later)),
        {"getConversation agreement updatedAt"},
    ),
    "an entry has another answer": (
        edit("getQna", "answer", put("Yes.")),
        {"getQna agreement answer", "getQnas agreement answer"},
    ),
    "an entry has another time of update": (
        edit("getQna", "updatedAt", change(later)),
        {"getQnas agreement updatedAt"},
    ),
    "an entry has another author": (
        edit("getQna", "createdBy", put({"name": "Ada", "image": None})),
        {"getQna agreement createdBy", "getQnas agreement createdBy"},
    ),
}


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", DISAGREEING)
def test_disagreement_is_found(name: str) -> None:
    """A property that one place shows differently is a violation, named with its place."""
    build, expected = DISAGREEING[name]
    assert expected & found(build), found(build)


def test_disagreement_shows_both_answers() -> None:
    """The reproduction repeats both answers, and prints them."""
    build, _ = DISAGREEING["the list has another reason"]
    violation = run(build).violations["getConversations agreement closeReason"]
    assert "as getConversation showed it" in violation.expected
    assert "`closeReason` null" == violation.actual
    assert 2 == violation.snippet.count("print(answer.status_code, answer.text)")
    assert 2 == violation.commands.count("-sSi")


class Memory:
    """A value that a faulty server remembers from the latest request that contained it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.value: Any = None

    def in_body(self, exchange: Exchange) -> None:
        """Use the remembered value in a body that lacks it."""
        body = exchange.request_json
        body = body if isinstance(body, dict) else {}
        if body.get(self.name) is not None:
            self.value = body[self.name]
        elif self.value is not None:
            exchange.request_json = {**body, self.name: self.value}

    def in_query(self, exchange: Exchange) -> None:
        """Use the remembered value in a query that lacks it."""
        if self.name in exchange.query:
            self.value = exchange.query[self.name]
        elif self.value is not None:
            exchange.query[self.name] = self.value


def sticky_body(operation: str, name: str) -> Build:
    """Return a fault: a property of a body sticks."""
    return lambda server: server.before(operation, Memory(name).in_body)


def sticky_query(operation: str, name: str) -> Build:
    """Return a fault: a parameter of a query sticks."""
    return lambda server: server.before(operation, Memory(name).in_query)


def sticky_refusal(operation: str, name: str, value: str) -> Build:
    """Return a fault: after a refused value of a parameter, another one is used for none."""
    refused: set[str] = set()

    def note(exchange: Exchange) -> None:
        if exchange.status in (400, 422) and name in exchange.query:
            refused.add(exchange.bearer)

    def ask(exchange: Exchange) -> None:
        if exchange.bearer in refused:
            exchange.query.setdefault(name, value)

    def build(server: Server) -> None:
        server.after(operation, note)
        server.before(operation, ask)

    return build


def remembering(server: Server) -> None:
    """Answer a completion with the words of all earlier ones."""
    words: list[str] = []

    def ask(exchange: Exchange) -> None:
        words.append(exchange.request_json["messages"][-1]["content"])

    server.before("createChatCompletion", ask)
    edit("createChatCompletion", "steps.*.content.0.text", change(lambda text: f"{words} {text}"))(
        server
    )


STICKY: dict[str, tuple[Build, str]] = {
    "closeReason": (sticky_body("closeConversation", "closeReason"), "closeConversation"),
    "pageContext": (sticky_body("sendMessage", "pageContext"), "sendMessage"),
    "stream": (sticky_body("sendMessage", "stream"), "sendMessage"),
    "role": (sticky_query("getMessages", "role"), "getMessages"),
    "offset of messages": (sticky_query("getMessages", "offset"), "getMessages"),
    "status": (sticky_query("getConversations", "status"), "getConversations"),
    "limit": (sticky_query("getConversations", "limit"), "getConversations"),
    "a refused direction": (
        sticky_refusal("getConversations", "orderDir", "asc"),
        "getConversations",
    ),
    "a refused role": (sticky_refusal("getMessages", "role", "user"), "getMessages"),
    "query": (sticky_query("getQnas", "query"), "getQnas"),
    "size": (sticky_query("search", "size"), "search"),
    "messages": (remembering, "createChatCompletion"),
}


@pytest.mark.sweep(4)
@pytest.mark.parametrize("name", STICKY)
def test_what_sticks_is_found(name: str) -> None:
    """A value of an earlier request that is used for one without it is a violation."""
    build, operation = STICKY[name]
    keys = found(build)
    assert any(key.startswith(f"{operation} nothing-sticks") for key in keys), keys


def test_feedback_that_sticks_is_found() -> None:
    """A new message that has feedback of its own accord is a violation."""
    build = edit("getMessages getConversation", "data.*.feedback", put("like"))
    assert "sendMessage nothing-sticks" in found(build)


LEGAL: dict[str, Build] = {
    "nothing": lambda _: None,
    "optional properties are left out in one place": together(
        edit("getConversations", "data.*.isHumanHandled", drop),
        edit("getConversation", "humanAgent", drop),
        edit("getConversations", "data.*.lastMessage", drop),
    ),
    "times are less precise in one place": edit(
        "getConversations", "data.*.createdAt", change(lambda time: f"{time[:19]}Z")
    ),
    "metadata differ": edit("getMessages", "data.*.metadata", put({"tokens": 1})),
    "lists have more properties": edit("getConversations", "total", change(lambda total: total)),
    "ids differ in case": edit("getMessages", "data.*.id", change(str.upper)),
    "the default is written": assuming("getConversations", limit="10"),
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_difference_is_none(name: str) -> None:
    """What the documents leave open is no violation of any rule."""
    result = run(LEGAL[name])
    assert {} == {key: each.actual for key, each in result.violations.items()}


def test_late_title_is_no_disagreement() -> None:
    """A title that is set between two answers agrees as soon as both are requested again."""
    shown: list[str] = []

    def build(server: Server) -> None:
        def late(exchange: Exchange) -> None:
            shown.append(exchange.operation)
            value = exchange.json
            items = value.get("data", [value])
            for item in items:
                item["title"] = "Shipping" if len(shown) > 3 else None
            exchange.json = value

        server.after("getConversation getConversations", late)

    assert set() == found(build)
