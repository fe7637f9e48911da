"""The layer of sockets: faulty servers are found, and those that differ are left alone."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.checks import sockets
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.sockets import SocketChecks
from siteassist_contract.description import handshakes
from siteassist_contract.findings import Findings
from siteassist_contract.http import websocket
from siteassist_contract.http.network import Network
from siteassist_contract.http.operator import Operator
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Recorder, TimeUpError
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report import tested_rules
from siteassist_contract.rules import (
    DIRECT,
    GAPS,
    KEY,
    LISTED_WEBSITES,
    OPERATOR,
    REFUSED_BY_CLOSING,
    RULES,
    SOCKET,
)
from siteassist_mock.storage.events import ConversationEvent
from siteassist_mock.testing import MockServer, mock_server, serving
from tests.faults.catalogue import MUTANTS
from tests.faults.checking import socket_findings
from tests.faults.faulty import Build, Server
from tests.faults.socket_variants import SOCKET_VARIANTS, refused_by_close
from tests.faults.variants import VARIANTS
from tests.values import API_KEY, BEARER, PRIVATE_KEY

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from siteassist_contract.checks.sockets import Listener
    from siteassist_contract.http.valid_requests import RequestParts
    from siteassist_mock.http.call import Call, Handler, Services
    from siteassist_mock.storage.store import Records
    from tests.faults.variant import Variant

pytestmark = pytest.mark.one_interpreter

(NAME,) = handshakes()
_ID = "[0-9a-f-]{36}"
OF_SOCKETS = {rule for rule, known in RULES.items() if NAME in known.operations}

EXPECTED = (
    ("socket-without-a-key", "key-checked missing", "101, and the socket stays open"),
    ("socket-with-any-key", "key-checked made up", "101, and the socket stays open"),
    ("socket-of-an-unknown-conversation", "unknown-not-found conversationId", "101, and .*"),
    ("socket-of-a-malformed-id", "malformed-refused conversationId", "101, and .*"),
    ("socket-for-any-website", "website-checked", "101, and the socket stays open"),
    ("socket-refusal-in-plain-text", "described 401", "401 must have the media type .*"),
    ("socket-refusal-with-a-trace", "nothing-leaks", "a stack trace: .*"),
    ("socket-of-an-unknown-conversation-500", "no-server-error", "500"),
    ("one-socket-per-conversation", "accepted", "409"),
    ("socket-no-pong", "socket-pong", "0 for 1 pings, within 1 s"),
    ("socket-pong-twice", "socket-pong", "[46] for 3 pings"),
    ("socket-pong-as-json", "socket-messages", ".+ is not .+"),
    ("socket-pong-binary", "socket-messages", "a binary message"),
    ("socket-closes-at-other-texts", "socket-texts JSON", "closed with 1003"),
    ("socket-answers-any-text", "socket-texts a word", "2 pongs for one ping after it"),
    ("socket-impatient", "socket-silence", "closed with 1001"),
    ("socket-assigned-twice", "socket-assigned", "2"),
    ("socket-third-message-lost", "socket-delivery", "1 missing"),
    ("socket-third-message-twice", "socket-delivery", "1 doubled"),
    ("socket-messages-swapped", "socket-delivery", ".*in another order"),
    ("socket-event-without-chat", "socket-messages", '"chatId" is a required property.*|.+'),
    ("socket-role-assistant", "socket-stored", "`role` 'assistant' for a message .+"),
    ("socket-message-with-another-id", "socket-stored", ".+ is not in getMessages.*"),
    ("socket-events-for-everybody", "socket-isolation", "[0-9]+ of another conversation"),
    (
        "socket-deaf-after-another-closes",
        "socket-delivery after another socket has closed",
        "1 missing",
    ),
)


@pytest.mark.sweep(9)
@pytest.mark.parametrize(("mutant", "violation", "actual"), EXPECTED, ids=[e[0] for e in EXPECTED])
def test_faulty_socket_is_found(mutant: str, violation: str, actual: str) -> None:
    """The violation names the rule, and shows what the socket has sent."""
    found = socket_findings(MUTANTS[mutant].app()).violations
    assert f"{NAME} {violation}" in found, list(found)
    shown = found[f"{NAME} {violation}"]
    assert re.fullmatch(actual, shown.actual), shown.actual
    assert API_KEY not in repr(shown)
    assert "--http1.1 --no-buffer --max-time 5" in shown.commands
    assert shown.rule.startswith("socket-") <= ("101" in shown.answer)


def conversations_of(records: Records, visitor: str) -> list[str]:
    """Return the ids of all conversations of a visitor."""
    _, found = records.conversations(
        visitor, status=None, order_by="createdAt", descending=True, limit=100, offset=0
    )
    return [row.id for row in found]


def answers_everywhere(server: Server) -> None:
    """Show an answer on the sockets of all conversations of the visitor."""

    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        with call.services.store.read() as records:
            (newest, *_), _ = records.latest_messages(call.path["conversationId"], limit=1)
            places = conversations_of(records, call.visitor.id)
        for place in places:
            call.services.store.events.publish(place, ConversationEvent("new_message", newest.id))
        return response

    server.handler("sendMessage", answer)


def agents_everywhere(server: Server) -> None:
    """Show what an agent does on the sockets of all conversations of the visitor."""

    def patch(services: Services) -> None:
        def publish(place: str | None, event: ConversationEvent) -> None:
            places = [place]
            with services.store.read() as records:
                row = None if place is None else records.any_conversation(place)
                if row is not None:
                    places = [*conversations_of(records, row.visitor_id)]
            for each in places:
                original(each, event)

        original = services.events.publish
        services.events.publish = publish  # type: ignore[method-assign, assignment]

    server.services(patch)


@pytest.mark.parametrize("build", [answers_everywhere, agents_everywhere])
def test_socket_of_another_conversation_of_the_visitor_is_silent(build: Build) -> None:
    """A message on the sockets of all conversations of its visitor is a violation."""
    server = Server()
    build(server)
    assert f"{NAME} socket-isolation" in socket_findings(server.app()).violations


def test_fault_of_a_later_handshake_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finding shows what is wrong with the socket, and not only its status."""
    fault, sockets_before = "101, but without Sec-WebSocket-Accept", itertools.count()
    connect = SocketChecks._connect

    def broken(checks: SocketChecks, *args: Any, **options: Any) -> Any:
        exchange, socket = connect(checks, *args, **options)
        if socket is not None and next(sockets_before):
            socket.fault = fault
        return exchange, socket

    monkeypatch.setattr(SocketChecks, "_connect", broken)
    found = socket_findings(Server().app()).violations
    assert fault == found[f"{NAME} accepted"].actual


def test_refused_socket_of_a_sibling_costs_no_other_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may limit the sockets of a visitor; what a human agent does is tested without it."""
    siblings: list[RequestParts] = []
    listener, other_conversations = SocketChecks._listener, SocketChecks._other_conversations

    def others(checks: SocketChecks, request: RequestParts) -> list[RequestParts]:
        found = other_conversations(checks, request)
        siblings.append(found[1])
        return found

    def opened(checks: SocketChecks, request: RequestParts) -> Listener | None:
        return None if request in siblings else listener(checks, request)

    monkeypatch.setattr(SocketChecks, "_other_conversations", others)
    monkeypatch.setattr(SocketChecks, "_listener", opened)
    found = socket_findings(Server().app())
    assert {} == found.violations
    assert len(siblings) == 1
    agents = {"socket-assigned", "socket-delivery", "socket-isolation", "socket-stored"}
    assert agents <= {rule for (rule, _), number in found.tested.items() if number}


def test_each_rule_has_a_faulty_server() -> None:
    """Each rule that sockets have for themselves, or share, is broken by a server above."""
    rules = {violation.split()[0] for _, violation, _ in EXPECTED}
    assert {"answered", "error-body"} == OF_SOCKETS - rules


OF_MESSAGES = [VARIANTS[name] for name in ("extra-fields", "times-in-words", "times", "metadata")]
"""Variants in which messages look otherwise in answers than on sockets."""


@pytest.mark.sweep(9)
@pytest.mark.parametrize(
    "variant", [*SOCKET_VARIANTS, *OF_MESSAGES], ids=lambda variant: variant.id
)
def test_different_socket_is_left_alone(variant: Variant) -> None:
    """What the documents leave open is no violation."""
    assert {} == socket_findings(variant.app()).violations


def test_mock_keeps_all_rules() -> None:
    """Each rule is tested in full on the mock, but for that of a key that lists websites."""
    found = socket_findings(Server().app(), whole=True)
    assert {} == found.violations
    assert OF_SOCKETS - {"website-checked"} == {
        rule for rule, operation in found.tested if operation == NAME
    }
    assert LISTED_WEBSITES == found.prevented["website-checked", NAME]


@dataclass
class Made:
    """A context, and the checks of its socket."""

    context: CheckContext
    checks: SocketChecks

    def run(self) -> Findings:
        """Run all checks, and return what they have found."""
        for check in ("check_handshakes", "check_texts", "check_messages"):
            getattr(self.checks, check)()
        return self.context.findings

    def reasons(self, *, excused: bool = True) -> set[str]:
        """Return the reasons for which rules are not tested; the run must not find violations."""
        found = self.run()
        assert {} == found.violations
        rows = [
            row
            for row in tested_rules.rows(found, self.context.target, None)
            if (row.operation, row.kind) == (NAME, "rule") and row.reason
        ]
        assert excused == all(row.excused for row in rows)
        return {row.reason for row in rows}


Make = Callable[..., Made]


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    """Run a mock for the tests of this module."""
    with mock_server() as server:
        yield server


@pytest.fixture
def make() -> Iterator[Make]:
    """Return a function that creates checks for a target."""
    recorders: list[Recorder] = []

    def create(
        url: str, *, profile: str = "quick", until: float | None = None, **more: Any
    ) -> Made:
        fields = {"api_key": API_KEY, "token": None, "origin": None}
        target = Target(url, **{n: more.pop(n, default) for n, default in fields.items()})
        recorder = Recorder(base_url=url)
        recorder.until = recorder.until if until is None else until
        recorders.append(recorder)
        found = Findings(Filter([API_KEY]), lambda _: ("", ""))
        context = CheckContext(target, PROFILES[profile], recorder, found, **more)
        checks = SocketChecks(context, handshakes()[NAME], patience=1.0)
        return Made(context, checks)

    yield create
    for recorder in recorders:
        recorder.close()


def test_token_alone_is_not_enough(mock: MockServer, make: Make) -> None:
    """Without a publishable key, nothing is sent."""
    made = make(mock.url, api_key=None, token=PRIVATE_KEY)
    assert {GAPS[KEY]} == made.reasons()
    assert 0 == made.context.recorder.requests


def test_proxy_of_plain_http_is_not_enough(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for plain HTTP cannot be expected to pass a handshake on."""
    monkeypatch.setattr(sockets, "proxy_for", lambda _: "http://proxy.example:3128")
    assert {GAPS[DIRECT]} == make("http://mock.test/v2").reasons()


def test_server_without_a_socket_is_not_tested(make: Make) -> None:
    """The reason names the socket, and a note the status."""
    variant = next(each for each in SOCKET_VARIANTS if each.id == "socket-absent-426")
    found = socket_findings(variant.app())
    reasons = {found.prevented[rule, NAME] for rule in OF_SOCKETS}
    assert {SOCKET} == reasons
    assert [f"{NAME} was answered 426, as by a server without a socket"] == list(found.notes)


def test_socket_can_be_required(make: Make, loopback: Any, shared: Any) -> None:
    """Then a server without one violates the contract."""
    shared.fault = None
    found = make(loopback(shared.handle_request).url, socket_required=True).run().violations
    assert [f"{NAME} accepted"] == list(found)
    assert "404" == found[f"{NAME} accepted"].actual


def test_messages_need_a_human_agent(mock: MockServer, make: Make) -> None:
    """Without one, the rules about messages are excused."""
    assert {GAPS[OPERATOR], GAPS[LISTED_WEBSITES]} == make(mock.url).reasons()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nothing", "--operator: handover was answered 404"),
        (":1/_mock", r"--operator: handover failed \(ConnectError\)"),
    ],
)
def test_operator_must_work(mock: MockServer, make: Make, path: str, reason: str) -> None:
    """An operator without effect is not an excuse."""
    root = mock.url.removesuffix("/v2")
    operator = f"{root}{path}" if path.startswith("/") else f"http://127.0.0.1{path}"
    made = make(mock.url, operator=operator)
    assert any(re.fullmatch(reason, each) for each in made.reasons(excused=False))


def test_agent_of_the_given_conversation_is_heard(
    mock: MockServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an agent happens to write in --human-conversation is compared with the list."""
    chat = httpx.post(f"{mock}/conversations", headers=BEARER).json()["id"]
    mock.hand_over(chat)
    made = make(mock.url, token=PRIVATE_KEY, human_conversation=chat)
    real = sockets.Listener.next

    def next_text(listener: sockets.Listener, seconds: float) -> bool:
        if listener.conversation == chat and not listener.events and listener.pongs == 1:
            mock.say(chat, "Here I am")
            monkeypatch.setattr(sockets.Listener, "next", real)
        return real(listener, seconds)

    monkeypatch.setattr(sockets.Listener, "next", next_text)
    found = made.run()
    assert {} == found.violations
    tested = {rule for rule, operation in found.tested if operation == NAME}
    assert {"socket-delivery", "socket-stored"} <= tested


def test_message_between_the_openings_is_no_difference(
    mock: MockServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only the first of two sockets could receive does not count against the second."""
    chat = httpx.post(f"{mock}/conversations", headers=BEARER).json()["id"]
    mock.hand_over(chat)
    made = make(mock.url, token=PRIVATE_KEY, human_conversation=chat)
    real, opened = SocketChecks._listener, []

    def listener(self: SocketChecks, request: Any) -> sockets.Listener | None:
        found = real(self, request)
        if found is not None and found.conversation == chat:
            opened.append(found)
            if len(opened) == 1:
                mock.say(chat, "Here I am")
        return found

    monkeypatch.setattr(SocketChecks, "_listener", listener)
    assert {} == made.run().violations
    assert 1 == len(opened[0].messages)


def test_unfinished_answer_may_change() -> None:
    """A message that is being streamed is another one in the list later: O-35."""
    pushed = {"id": "A", "role": "assistant", "status": "streaming", "parts": []}
    stored = {"a": pushed | {"status": "complete", "parts": [{"type": "text", "text": "Hi"}]}}
    assert [] == list(sockets._differences(pushed, stored, is_agent=False))
    done = pushed | {"status": "complete"}
    assert 1 == len(list(sockets._differences(done, stored, is_agent=False)))


def test_refusal_by_a_late_close_is_waited_for(make: Make) -> None:
    """A socket that is opened in place of a refusal may be closed later than a pong comes."""
    server = Server()
    refused_by_close(1008, seconds=0.3)(server)
    with serving(server.app()) as url:
        made = make(url)
        made.checks._silence = 0.1
        made.checks.check_handshakes()
    found = made.context.findings
    assert {} == found.violations
    # Such refusals have no body, so that the rules on bodies of errors need not be tested.
    for rule in ("error-body", "nothing-leaks"):
        assert 0 == found.tested[rule, NAME]
        assert REFUSED_BY_CLOSING == found.prevented[rule, NAME]
    assert REFUSED_BY_CLOSING in GAPS


def test_dead_socket_is_not_isolated(
    mock: MockServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without an answer to its ping receives nothing of others anyway."""
    made = make(mock.url)
    with made.checks._step() as request:
        assert request is not None
        listener = made.checks._listener(request)
        assert listener is not None
        listener.socket.close()
        made.checks._isolated([listener])
    found = made.context.findings
    assert 0 == found.tested["socket-isolation", NAME]
    assert "the socket does not answer pings" == found.prevented["socket-isolation", NAME]


def test_socket_that_was_there_must_stay(
    mock: MockServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that opened a socket in one pass is not one without a socket in the next."""
    made = make(mock.url)
    made.checks.check_handshakes()
    assert {} == made.context.findings.violations
    real = websocket.connect

    def connect(*arguments: Any, **more: Any) -> Any:
        return real(*arguments, **{**more, "suffix": "-none"})

    monkeypatch.setattr(sockets, "connect", connect)
    SocketChecks(made.context, handshakes()[NAME], patience=1.0).check_handshakes()
    assert "404" == made.context.findings.violations[f"{NAME} accepted"].actual


@pytest.mark.parametrize("seconds", [1.0, 90.0])
def test_sockets_that_end_during_a_long_answer_are_opened_anew(
    mock: MockServer, make: Make, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A server may end a socket without pings; after a short time it must not."""
    made = make(mock.url, operator=f"{mock.url.removesuffix('/v2')}/_mock")

    def answer(_checks: SocketChecks, _: Any, pair: Any, strangers: Any) -> float:
        for each in (*pair, *strangers):
            each.socket.close()
        return seconds

    monkeypatch.setattr(SocketChecks, "_ordinary_message", answer)
    made.checks.check_messages()
    found = made.context.findings
    assert (seconds < 30) == (f"{NAME} socket-delivery" in found.violations)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://shop.example:80/_mock", True),
        ("http://shop.example:81/_mock", False),
        ("https://shop.example/_mock", False),
        ("http://other.example/_mock", False),
    ],
)
def test_headers_are_for_the_target_only(url: str, sent: bool) -> None:
    """An operator at another origin gets no secret of the target."""
    network, recorder = Network((("X-Secret", "s"),)), Recorder()
    with Operator(url, network, recorder, target="http://shop.example/v2") as operator:
        assert sent == ("x-secret" in operator._http.headers)


def test_websites_of_the_key_are_known(make: Make, tmp_path: Any) -> None:
    """With --origin, the website of the key is accepted and others are refused."""
    seed = tmp_path / "seed.yaml"
    key = f'{{key: {API_KEY}, origins: ["https://shop.example"]}}'
    seed.write_text(f"publishableKeys: [{key}]\n")
    with mock_server(seed=seed) as server:
        found = make(server.url, origin="https://shop.example").run()
        unknown = make(server.url).run()
    assert {} == found.violations | unknown.violations
    assert 2 == found.tested["website-checked", NAME]
    assert 1 == unknown.tested["website-checked", NAME]


def test_long_silence_is_tested_where_there_is_time(
    mock: MockServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile deep is silent for the whole time between two pings."""
    waits: list[float] = []
    clock = Clock()
    real = sockets.Listener.next

    def next_text(listener: sockets.Listener, seconds: float) -> bool:
        if listener.pongs < listener.pings:
            return real(listener, seconds)
        waits.append(seconds)
        heard = real(listener, min(seconds, 0.05))
        if not heard:
            clock.passed += seconds
        return heard

    made = make(mock.url, profile="deep")
    monkeypatch.setattr(sockets.Listener, "next", next_text)
    monkeypatch.setattr(sockets, "time", clock)
    made.checks.check_texts()
    assert {} == made.context.findings.violations
    interval = made.checks._described.ping_interval
    assert interval / 2 < max(waits) <= interval


@dataclass(slots=True)
class Clock:
    """The time, and what is added for a wait that a test shortens."""

    passed: float = 0.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return time.monotonic() + self.passed


def test_time_of_the_run_ends_a_wait(mock: MockServer, make: Make) -> None:
    """A wait for a text ends with the time of the run."""
    made = make(mock.url)
    made.checks.check_handshakes()
    made.context.recorder.until = time.monotonic() + 0.3
    with pytest.raises(TimeUpError):
        made.checks.check_texts()


@pytest.mark.usefixtures("without_shapes")
def test_command_passes_its_options_on(served: Any, shared: Any, command: Any) -> None:
    """The options reach the checks, and the line that repeats the run has them."""
    shared.fault = None
    options = ("--layer", "socket", "--operator", "http://127.0.0.1:9/_mock/")
    kept = command(served.url, "--api-key", API_KEY, *options)
    assert 0 == kept.exit_code, kept.output
    assert "(the server has no socket)" in kept.stdout.splitlines()[-1]
    broken = command(served.url, "--api-key", API_KEY, *options, "--socket", "required")
    assert 1 == broken.exit_code, broken.output
    assert " --socket required" in broken.stdout
    assert " --operator http://127.0.0.1:9/_mock\n" in broken.stdout
