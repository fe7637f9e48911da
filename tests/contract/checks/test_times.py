"""Times that move without need, that stand still or that are not the server's are found."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_contract.checks import server_clock, times
from siteassist_contract.http.recorder import Exchange as Recorded
from siteassist_contract.profiles import PROFILES
from siteassist_contract.rules import CLOCK, RULES
from tests.faults.checking import findings
from tests.faults.edits import change, edit, put, together
from tests.faults.faulty import Build, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from siteassist_contract.findings import Findings
    from tests.contract.conftest import InProcess, MakeContext
    from tests.faults.exchange import Exchange

pytestmark = pytest.mark.one_interpreter

BOTH = "getConversation getConversations"


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for caches that these servers do not have."""
    monkeypatch.setattr(times, "_PAUSE", 0.0)


def run(build: Build) -> Findings:
    """Run the checks on a mock with a fault."""
    server = Server()
    build(server)
    return findings(server.app(), *(check for _, check, _ in times.CHECKS))


def now(**ahead: float) -> str:
    """Return the current time as the mock writes it, or one that is ahead or behind."""
    moment = datetime.now(UTC) + timedelta(**ahead)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moved(**by: float) -> Callable[[Any], Any]:
    """Return a function that moves a time."""

    def move(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        moment = datetime.fromisoformat(value) + timedelta(**by)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return move


def everywhere(name: str, how: Callable[[Any], Any]) -> Build:
    """Return a fault: a time of conversations is another one, everywhere."""
    return together(
        edit("startConversation getConversation", name, change(how)),
        edit("getConversations", f"data.*.{name}", change(how)),
    )


def in_messages(name: str, how: Callable[[Any], Any]) -> Build:
    """Return a fault: a time of messages is another one, everywhere."""
    return together(
        edit("getMessages", f"data.*.{name}", change(how)),
        edit("getConversation", f"messages.*.{name}", change(how)),
        edit("getConversations", f"data.*.lastMessage.{name}", change(how)),
    )


def moved_by_writes(name: str, operations: str) -> Build:
    """Return a fault: writes move a time of all conversations of everybody."""
    latest: list[str] = []

    def wrote(exchange: Exchange) -> None:
        if exchange.succeeded:
            time.sleep(0.002)
            latest.append(now())

    def build(server: Server) -> None:
        server.after(operations, wrote)
        everywhere(name, lambda value: max([*latest[-1:], value]))(server)

    return build


def kept_feedback_time() -> Build:
    """Return a fault: the first time of feedback stays when it is replaced."""
    seen: dict[str, str] = {}

    def keep(exchange: Exchange) -> None:
        value = exchange.json
        for message in value.get("data", value.get("messages", ())):
            if message["feedbackAt"] is not None:
                message["feedbackAt"] = seen.setdefault(message["id"], message["feedbackAt"])
        exchange.json = value

    return lambda server: server.after("getMessages getConversation", keep)


def closed_by_feedback(server: Server) -> None:
    """Close a closed conversation once more when feedback is given in it."""
    closed: set[str] = set()
    moved_to: dict[str, str] = {}

    def rated(exchange: Exchange) -> None:
        if exchange.succeeded:
            time.sleep(0.002)
            moved_to.update(dict.fromkeys(closed, now()))

    def read(exchange: Exchange) -> None:
        value = exchange.json
        if value["closedAt"] is not None:
            closed.add(value["id"])
            exchange.json = {**value, "closedAt": moved_to.get(value["id"], value["closedAt"])}

    server.after("sendMessageFeedback", rated)
    server.after("getConversation", read)


def forgets_after(seconds: float) -> Build:
    """Return a fault: the reason of closing shows at first only."""
    first: dict[str, float] = {}

    def forget(exchange: Exchange) -> None:
        value = exchange.json
        if value["closedAt"] is not None:
            begun = first.setdefault(value["id"], time.monotonic())
            if time.monotonic() > begun + seconds:
                value["lastInteractionAt"] = value["createdAt"]
        exchange.json = value

    return lambda server: server.after("getConversation", forget)


FAULTS: dict[str, tuple[Build, str]] = {
    "reading moves the interaction": (
        everywhere("lastInteractionAt", lambda _: now()),
        "getConversation own-times lastInteractionAt",
    ),
    "reading moves the update": (
        everywhere("updatedAt", lambda _: now()),
        "getConversation own-times updatedAt",
    ),
    "reading moves the creation": (
        everywhere("createdAt", lambda _: now()),
        "getConversation own-times createdAt",
    ),
    "a message moves all conversations": (
        moved_by_writes("lastInteractionAt", "sendMessage"),
        "getConversation own-times lastInteractionAt",
    ),
    "writes update all conversations": (
        moved_by_writes("updatedAt", "sendMessage sendMessageFeedback closeConversation"),
        "getConversation own-times updatedAt",
    ),
    "closing moves the creation": (
        moved_by_writes("createdAt", "closeConversation"),
        "getConversation own-times createdAt",
    ),
    "new feedback keeps the time": (kept_feedback_time(), "getMessages own-times feedbackAt"),
    "feedback moves the messages": (
        in_messages("createdAt", lambda _: now()),
        "getMessages own-times createdAt",
    ),
    "conversations of another time zone": (
        everywhere("createdAt", moved(hours=-5)),
        "startConversation server-clock createdAt",
    ),
    "conversations of the future": (
        everywhere("createdAt", moved(hours=2)),
        "startConversation server-clock",
    ),
    "messages of another time zone": (
        in_messages("createdAt", moved(hours=-8)),
        "getMessages server-clock createdAt",
    ),
    "closed in the future": (
        everywhere("closedAt", moved(minutes=3)),
        "getConversation server-clock",
    ),
    "closed at the creation": (
        together(everywhere("closedAt", moved(days=-1))),
        "getConversation server-clock closedAt",
    ),
    "feedback at the epoch": (
        in_messages("feedbackAt", lambda value: value and "1970-01-01T00:00:00.000Z"),
        "getMessages server-clock feedbackAt",
    ),
    "closed by feedback": (closed_by_feedback, "getConversation own-times closedAt"),
    "an interaction in the past": (
        everywhere("lastInteractionAt", moved(hours=-1)),
        "getConversation server-clock lastInteractionAt",
    ),
    "entries of the future": (
        edit("getConversations", "data.*.updatedAt", put(now(days=1))),
        "getConversations server-clock",
    ),
    "what was stored is forgotten": (
        forgets_after(0.0),
        "getConversation agreement lastInteractionAt",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name: str) -> None:
    """Each fault is found, and named with the time."""
    build, key = FAULTS[name]
    violations = run(build).violations
    assert key in violations, set(violations)


def seconds_only(value: Any) -> Any:
    """Return a time without a fraction."""
    return f"{value[:19]}Z" if isinstance(value, str) else value


def elsewhere(value: Any) -> Any:
    """Return a time with an offset and microseconds."""
    if not isinstance(value, str):
        return value
    return datetime.fromisoformat(value).isoformat(timespec="microseconds")


def late_title(server: Server) -> None:
    """Set the title of a conversation, and update it, some time after it was started."""
    looks: dict[str, int] = {}
    set_at: dict[str, str] = {}

    def update(exchange: Exchange) -> None:
        value = exchange.json
        looks[value["id"]] = looks.get(value["id"], 0) + 1
        if looks[value["id"]] > 3:
            at = set_at.setdefault(value["id"], now())
            value["title"], value["updatedAt"] = "Late", max(value["updatedAt"], at)
        exchange.json = value

    server.after("getConversation", update)


def in_words(value: Any) -> Any:
    """Return a time as HTTP writes it."""
    return value and format_datetime(datetime.fromisoformat(value), usegmt=True)


def times_in_words(server: Server) -> None:
    """Show times in words, which cannot be compared."""
    for name in ("createdAt", "updatedAt", "lastInteractionAt", "closedAt"):
        everywhere(name, in_words)(server)
    for name in ("createdAt", "feedbackAt"):
        in_messages(name, in_words)(server)


LEGAL: dict[str, Build] = {
    "the mock": lambda _: None,
    "a minute of difference": everywhere("createdAt", moved(seconds=-50)),
    "created by a clock that is ahead": everywhere("createdAt", moved(seconds=50)),
    "closed and rated by a clock that is behind": together(
        everywhere("closedAt", moved(seconds=-20)), in_messages("feedbackAt", moved(seconds=-20))
    ),
    "whole seconds": together(
        *(everywhere(n, seconds_only) for n in ("createdAt", "updatedAt", "lastInteractionAt")),
        everywhere("closedAt", seconds_only),
        in_messages("createdAt", seconds_only),
        in_messages("feedbackAt", seconds_only),
    ),
    "another spelling": everywhere("createdAt", elsewhere),
    "a late title": late_title,
    "times in words": times_in_words,
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_times_are_none(name: str) -> None:
    """Times that the documents leave open are no violation."""
    violations = run(LEGAL[name]).violations
    assert {} == {key: each.actual for key, each in violations.items()}


def test_times_in_words_excuse_the_rule() -> None:
    """Times that cannot be read are the reason why the rule was not tested."""
    result = run(times_in_words)
    for name in ("startConversation", "getConversation", "getMessages"):
        assert CLOCK == result.prevented["server-clock", name]


def test_live_profile_leaves_it_out(shared: InProcess, make_context: MakeContext) -> None:
    """A server in production gets none of these requests."""
    shared.fault = None
    shared.requests.clear()
    context = make_context(shared, profile=PROFILES["live"])
    times.check_times(context)
    assert [] == shared.requests
    assert {(times.OWN, name) for name in RULES[times.OWN].operations} <= set(
        context.findings.prevented
    )


def exchange(date: str, seconds: float = 0.0) -> Recorded:
    """Return an exchange with a date."""
    return Recorded(
        operation="getConversation",
        credential="first",
        method="GET",
        target="/conversations/x",
        body=b"",
        content_type="",
        status=200,
        headers={"date": date},
        content=b"{}",
        seconds=seconds,
        first=0.0,
        pieces=1,
    )


@pytest.mark.parametrize(
    ("time_", "seconds", "expected"),
    [
        ("2024-01-15T10:30:00.000Z", 0, True),
        ("2024-01-15T11:30:00+01:00", 0, True),
        ("2024-01-15T10:31:00Z", 0, True),
        ("2024-01-15T10:31:01Z", 0, False),
        ("2024-01-15T10:28:59Z", 0, False),
        ("2024-01-15T10:28:59Z", 5, True),
        ("2024-01-15T08:30:00", 0, None),
        ("Mon, 15 Jan 2024 10:30:00 GMT", 0, None),
        (None, 0, None),
    ],
)
def test_time_is_that_of_a_request(
    time_: str | None, seconds: float, expected: bool | None
) -> None:
    """A time is compared with the date of the answer, give or take a minute."""
    date = "Mon, 15 Jan 2024 10:30:00 GMT"
    assert expected is server_clock.is_now(time_, exchange(date, seconds))


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "0",
        "Mon, 15 Jan 2024 10:30:00",
        "Mon, 15 Jan 2024 10:30:00 +99999999999999",
    ],
)
def test_unreadable_date_is_none(date: str) -> None:
    """A date that cannot be read is no clock."""
    assert None is server_clock.date_of(exchange(date))
    assert None is server_clock.is_now("2024-01-15T10:30:00Z", exchange(date))


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
def test_date_at_the_end_of_the_calendar_is_compared(date: str) -> None:
    """No sum leaves the years that Python knows."""
    assert server_clock.is_now("2024-01-15T10:30:00Z", exchange(date)) is False
    assert server_clock.is_now("9999-12-31T23:59:59Z", exchange(date)) is date.startswith("Fri")
