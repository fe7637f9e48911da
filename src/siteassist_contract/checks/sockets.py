"""The socket of a conversation: its handshake, its pings, and the messages of a human agent.

Every number comes from ``x-websocket`` of the description. The open questions are in
``docs/evidence.md`` (O-31 to O-36).
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from siteassist_contract import tolerance
from siteassist_contract.checks.behaviour.visitor import Visitor
from siteassist_contract.checks.context import SECOND, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.refusals import malformed_values
from siteassist_contract.checks.shown_objects import places, same
from siteassist_contract.description import operations, takes_key, validator
from siteassist_contract.findings import few, key_of, refused_reason
from siteassist_contract.http.json_reader import read_json
from siteassist_contract.http.network import proxy_for
from siteassist_contract.http.operator import Operator, OperatorError
from siteassist_contract.http.recorder import CLIENT_ERRORS, SUCCESS, Exchange
from siteassist_contract.http.upgrade import SWITCHING
from siteassist_contract.http.valid_requests import RequestParts, valid_request, value_of, with_key
from siteassist_contract.http.websocket import MOST_TEXTS, WebSocket, connect
from siteassist_contract.rules import (
    DIRECT,
    KEY,
    LISTED_WEBSITES,
    OBJECT,
    OPERATOR,
    REFUSED_BY_CLOSING,
    RULES,
    SOCKET,
)
from siteassist_spec import Operation
from siteassist_spec import WebSocket as Described
from siteassist_spec.schemas import complaints

PONG, SILENCE, TEXTS, MESSAGES = "socket-pong", "socket-silence", "socket-texts", "socket-messages"
ASSIGNED, DELIVERY, STORED = "socket-assigned", "socket-delivery", "socket-stored"
ISOLATION = "socket-isolation"
_OF_AGENTS = (ASSIGNED, DELIVERY, STORED, ISOLATION)
_ASSIGNED_TYPE, _MESSAGE_TYPE = "human_assigned", "new_message"
_AGENT = "human_agent"
"""The role of a human agent's messages."""
_NO_PONGS = "the socket does not answer pings"
_SETTLING = 0.1
"""Time, in seconds, in which an unrequested text would follow another one."""
_AT_ONCE = 0.001
"""Time, in seconds, in which a text is read that has arrived."""
OTHER_TEXTS = {
    "JSON": '{"type": "siteassist-contract"}',
    "a word": "hello",
    "other characters": "Grüße 👋🏽\n東京",
    "an empty text": "",
}
"""Texts that no client of the documents sends."""


@dataclass(eq=False)
class Listener:
    """A client of one socket, and the texts that it has received."""

    socket: WebSocket
    described: Described
    conversation: str
    """The id of the conversation, in lower case."""
    pings: int = 0
    pongs: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    """The valid messages, in order."""
    faults: list[str] = field(default_factory=list)
    """The reasons why other texts are not valid."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The events that show a message, in order."""
        return [each for each in self.events if each["type"] == _MESSAGE_TYPE]

    @property
    def end(self) -> str:
        """The way in which the socket has ended, or an empty string."""
        return "" if self.socket.end is None else self.socket.end.words

    @property
    def answers(self) -> bool:
        """Whether the socket is open, and each ping so far is answered."""
        return self.socket.end is None and self.pongs >= self.pings

    @property
    def has_received(self) -> bool:
        """Whether the server has sent anything."""
        ended = self.socket.end is not None and self.socket.end.is_invalid
        return bool(self.pongs or self.events or self.faults or ended)

    def next(self, seconds: float) -> bool:
        """Take the next text; return whether there was one within ``seconds``."""
        text = self.socket.receive(seconds)
        if text is None:
            return False
        if text == self.described.pong:
            self.pongs += 1
            return True
        try:
            value = read_json(text)
        except ValueError as error:
            self.faults.append(
                f"{text[:80]!r} is neither {self.described.pong!r} nor JSON: {error}"
            )
            return True
        wrong = list(complaints(validator(self.described.messages), value))
        if wrong:
            self.faults.append(few(wrong))
        else:
            self.events.append(value)
        return True

    def ping(self, seconds: float) -> bool:
        """Send a ping; return whether each ping so far is answered within ``seconds``.

        Texts that the server has sent before are read, too. An invalid one ends the wait.
        """
        self.socket.send(self.described.ping)
        self.pings += 1
        ends = time.monotonic() + seconds
        while self.pongs < self.pings:
            faults = len(self.faults)
            if not self.next(ends - time.monotonic()) or len(self.faults) > faults:
                return False
        return True

    def wait_for(self, texts: Sequence[str], seconds: float) -> None:
        """Take texts until messages with these ``texts`` have come.

        The next one is waited for at most ``seconds``, and all of them for three times as long.
        """
        ends = time.monotonic() + 3 * seconds
        while set(texts) - {_text(each["message"]) for each in self.messages}:
            if not self.next(min(seconds, ends - time.monotonic())):
                return


def settle(*listeners: Listener) -> None:
    """Take the texts that follow without a request."""
    ends = time.monotonic() + _SETTLING
    for listener in listeners:
        for _ in range(MOST_TEXTS):
            if not listener.next(max(ends - time.monotonic(), _AT_ONCE)):
                break


class SocketChecks:
    """The checks of the socket that one operation opens."""

    def __init__(
        self, context: CheckContext, operation: Operation, *, patience: float | None = None
    ) -> None:
        """Test the socket that ``operation`` opens; nothing is sent yet.

        ``patience`` is the longest wait for a text, in seconds; by default that of O-32 and O-34.
        """
        assert operation.websocket is not None  # noqa: S101  # a handshake of the description
        self._context = context
        self._operation = operation
        self._described = operation.websocket
        self._name = operation.operation_id
        self._findings = context.findings
        self._history = context.recorder.history
        self._patience = self._described.idle_limit / 6 if patience is None else patience
        self._silence = self._described.ping_interval / 30
        """The time of silence in a short run, in seconds."""
        self._visitor: Visitor | None = None
        self._second: Visitor | None = None
        self._origin: list[Exchange] = []
        self._request: RequestParts | None = None
        self._stored: dict[str, set[str]] = {}
        """The ids of the messages of each conversation, in lower case."""
        self._is_prepared = False
        self._open: list[WebSocket] = []

    # Handshakes

    def check_handshakes(self) -> None:
        """Send handshakes that must be refused."""
        with self._step() as request:
            if request is not None:
                self._keys(request)
                self._conversations(request)
                self._websites(request)

    def _keys(self, request: RequestParts) -> None:
        key = self._context.target.api_key or ""
        wrong = {
            "missing": [
                request.changed(query={name: None})
                for name in request.query
                if name in self._operation.credentials
            ],
            "made up": [with_key(request, "pk_made_up_key_that_nobody_gave")],
        }
        if self._is_whole:
            wrong |= {
                "shortened": [with_key(request, key[:-1])],
                "longer": [with_key(request, f"{key}0")],
                "in swapped case": [with_key(request, key.swapcase())],
            }
        for words, requests in wrong.items():
            for each in requests:
                expected = f"a refusal (4xx) of a key that is {words}"
                self._refused(each, "key-checked", CLIENT_ERRORS, expected, words)

    def _conversations(self, request: RequestParts) -> None:
        for parameter in self._operation.places("path"):
            name = parameter.name
            unknown = request.changed(path={name: str(value_of(parameter.schema))})
            expected = f"404 for a `{name}` that never existed"
            self._refused(unknown, "unknown-not-found", tolerance.HIDDEN, expected, name)
            values = malformed_values(parameter)
            for value in values if self._is_whole else values[:1]:
                malformed = request.changed(path={name: value})
                expected = f"400, 404 or 422 for `{name}` {value!r}"
                statuses = (*tolerance.REFUSALS, 404)
                self._refused(malformed, "malformed-refused", statuses, expected, name)

    def _websites(self, request: RequestParts) -> None:
        """Send handshakes as pages of websites, and compare the answers with other operations'."""
        rule, own = "website-checked", self._context.target.origin
        other = f"https://siteassist-contract-{self._context.target.run}.example"
        expected = f"a refusal (4xx) of the website {other}, which the key does not list"
        if own is not None:
            exchange, socket = self._connect(request, origin=own)
            self._findings.see(exchange, self._history)
            words = f"{SWITCHING} for the website {own}"
            self._judge(socket is not None, rule, words, str(exchange.status), exchange)
            self._close()
        if own is not None or self._is_refused_elsewhere(other):
            self._refused(request, rule, CLIENT_ERRORS, expected, origin=other)
            return
        exchange, socket = self._connect(request, origin=other)
        self._findings.see(exchange, self._history)
        if socket is not None or exchange.refused:
            self._findings.prevent(rule, self._name, LISTED_WEBSITES)
        else:
            # The other operations accept the website, so that the key lists none.
            words = f"{SWITCHING} for any website, as other operations accept it"
            self._judge(False, rule, words, str(exchange.status), exchange)

    def _is_refused_elsewhere(self, origin: str) -> bool:
        """Whether an operation without a socket refuses the key from a website."""
        for operation in operations().values():
            if not takes_key(operation) or operation.method != "GET":
                continue
            request = valid_request(operation, {}, self._context.target.api_key)
            if request is not None:
                self._history[:] = self._origin
                exchange = self._context.anonymous.send(request, headers={"Origin": origin})
                self._findings.see(exchange, self._history)
                return exchange.status in CLIENT_ERRORS and not exchange.refused
        return False

    def _refused(
        self,
        request: RequestParts,
        rule: str,
        statuses: Sequence[int] | range,
        expected: str,
        place: str = "",
        *,
        origin: str | None = None,
    ) -> None:
        exchange, socket = self._connect(request, origin=origin)
        self._findings.see(exchange, self._history)
        if socket is None:
            kept = exchange.status in statuses
            self._judge(kept, rule, expected, str(exchange.status), exchange, place)
            return
        socket.send(self._described.ping)
        text = socket.receive(self._patience)
        code = None if socket.end is None else socket.end.code
        kept = text is None and code in tolerance.REFUSING_CODES  # O-31
        actual = f"{SWITCHING}, and the socket stays open"
        if socket.end is not None:
            actual = socket.fault or f"{SWITCHING}, and then {socket.end.words}"
        self._judge(kept, rule, expected, actual, socket.exchange, place)
        for of_errors in ("error-body", "nothing-leaks") if kept else ():
            self._findings.prevent(of_errors, self._name, REFUSED_BY_CLOSING)
        self._close()

    # Pings and other texts

    def check_texts(self) -> None:
        """Send pings, nothing for a while, and texts that are not described."""
        with self._step() as request:
            if request is None:
                return
            silent = self._listener(request)
            begun = time.monotonic()
            listener = self._listener(request)
            if silent is None or listener is None:
                return
            if not self._pings(listener):
                for rule in (SILENCE, TEXTS, *_OF_AGENTS):
                    self._findings.prevent(rule, self._name, _NO_PONGS)
                self._valid(listener)
                return
            others = list(OTHER_TEXTS.items())
            for words, text in others if self._is_whole else others[:2]:
                self._other_text(request, words, text)
            self._stays_open(silent, begun)
            for each in (listener, silent):
                self._valid(each)

    def _pings(self, listener: Listener) -> bool:
        """Send some pings one after the other; return whether each is answered once."""
        number = 3
        answered = all(listener.ping(self._patience) for _ in range(number))
        if answered:
            settle(listener)
        kept = answered and listener.pongs == listener.pings
        actual = f"{listener.pongs} for {listener.pings} pings"
        if not answered:
            actual += f", {listener.end or f'within {self._patience:g} s'}"
        expected = f"one {self._described.pong!r} for each {self._described.ping!r}"
        self._judge(kept, PONG, expected, actual, listener.socket.exchange)
        return kept

    def _other_text(self, request: RequestParts, words: str, text: str) -> None:
        listener = self._listener(request)
        if listener is None:
            return
        listener.socket.send(text)
        answered = listener.ping(self._patience)
        settle(listener)
        kept = answered and listener.pongs == 1 and not listener.end
        actual = listener.end or f"{listener.pongs} pongs for one ping after it"
        expected = f"{words} has no effect: the next ping gets its one pong"
        self._judge(kept, TEXTS, expected, actual, listener.socket.exchange, words)
        self._valid(listener)

    def _stays_open(self, listener: Listener, begun: float) -> None:
        """Wait until a client has been silent for some time, and send a ping."""
        profile = self._context.profile
        thorough = self._is_whole and (profile.gentle or profile.rounds)
        due = begun + (self._described.ping_interval if thorough else self._silence)
        while not listener.end and (left := due - time.monotonic()) > 0:
            listener.next(left)
        answered = not listener.end and listener.ping(self._patience)
        expected = f"an open socket after {due - begun:g} s of silence"
        actual = listener.end or "no answer to the next ping"
        self._judge(answered, SILENCE, expected, actual, listener.socket.exchange)

    def _valid(self, listener: Listener) -> None:
        """Judge all texts that a client has received."""
        if not listener.has_received:
            return
        faults = list(listener.faults)
        if listener.socket.end is not None and listener.socket.end.is_invalid:
            faults.append(listener.end)
        expected = f"texts: {self._described.pong!r}, or described messages as JSON"
        actual = few(faults)
        self._judge(not faults, MESSAGES, expected, actual, listener.socket.exchange)

    # Messages

    def check_messages(self) -> None:
        """Listen while messages are written: by visitors, and by a human agent if there is one."""
        with self._step() as request:
            if request is None or self._visitor is None:
                return
            others = self._other_conversations(request)
            requests = [request, request, *others]
            opened = list(map(self._listener, requests))
            if len(others) > 1 and opened[-1] is None:
                # A server may limit the sockets of a visitor with 429. Those of two visitors are
                # enough.
                opened.pop()
                requests.pop()
            ready = [each for each in opened if each is not None]
            if len(ready) < len(requests) or not others:
                self._prevent_agents("a second conversation could not be opened")
                return
            if not all(each.ping(self._patience) for each in ready):
                self._prevent_agents(_NO_PONGS)
                return
            if self._context.operator is None:
                self._without_operator(request)
            current: Sequence[Listener] = ready
            if not self._context.profile.gentle:
                seconds = self._ordinary_message(request, ready[:2], ready[2:])
                if seconds > self._described.ping_interval:
                    current = self._reopened(ready, requests)
            if self._context.operator is not None and len(current) == len(ready):
                self._with_operator(request, others[0], current[:2], current[2:])
            for each in dict.fromkeys([*ready, *current]):
                self._valid(each)

    def _reopened(
        self, listeners: Sequence[Listener], requests: Sequence[RequestParts]
    ) -> list[Listener]:
        """Reopen the sockets that have ended while no ping was sent for a long time."""
        found = [
            listener if listener.answers else self._listener(request)
            for listener, request in zip(listeners, requests, strict=True)
        ]
        opened = [each for each in found if each is not None and each.ping(self._patience)]
        if len(opened) < len(listeners):
            self._prevent_agents(_NO_PONGS)
        return opened

    def _ordinary_message(
        self, request: RequestParts, pair: Sequence[Listener], strangers: Sequence[Listener]
    ) -> float:
        """Send a message of the visitor; return the seconds until it is answered.

        Whether the socket shows the message is not documented: O-35.
        """
        assert self._visitor is not None  # noqa: S101  # checked by the caller
        self._history[:] = self._origin
        body = {"content": "What does the socket say?", "stream": False}
        begun = time.monotonic()
        exchange = self._visitor.session.call("sendMessage", path=_ids(request), body=body)
        seconds = time.monotonic() - begun
        self._findings.see(exchange, self._history)
        for listener in (*pair, *strangers):
            listener.ping(self._patience)
        settle(*pair, *strangers)
        if any(_messages(listener) for listener in (*pair, *strangers)):
            self._judge_stored(pair, self._stored_messages(self._visitor, request))
            self._isolated(strangers)
        return seconds

    def _with_operator(
        self,
        request: RequestParts,
        other: RequestParts,
        pair: Sequence[Listener],
        strangers: Sequence[Listener],
    ) -> None:
        url, target = str(self._context.operator), self._context.target
        try:
            with Operator(
                url, target.network, self._context.recorder, target=target.base_url
            ) as operator:
                self._hand_over(operator, request, pair)
                self._hand_over(operator, other, strangers[:1])
                # Each socket shows whatever it was sent until now before its answer to a ping.
                for listener in (*pair, *strangers):
                    listener.ping(self._patience)
                settle(*pair, *strangers)
                self._isolated([*pair, *strangers])
                self._after_close(operator, request, pair)
        except OperatorError as error:
            self._prevent_agents(str(error))

    def _hand_over(
        self, operator: Operator, request: RequestParts, listeners: Sequence[Listener]
    ) -> None:
        """Hand a conversation over, write as its agent, and judge the events on its sockets."""
        conversation = _conversation(request)
        before = [len(listener.events) for listener in listeners]
        operator.hand_over(conversation)
        number = 5 if self._is_whole else 3
        texts = [f"Nachricht {n} 👋 {uuid.uuid4().hex[:8]}" for n in range(1, number + 1)]
        for text in texts:
            operator.say(conversation, text)
        self._collect(listeners, texts)
        for listener, start in zip(listeners, before, strict=True):
            assigned = sum(e["type"] == _ASSIGNED_TYPE for e in listener.events[start:])
            self._judge(
                assigned == 1,
                ASSIGNED,
                f"one `{_ASSIGNED_TYPE}` after the hand-over",
                str(assigned) + (f", {listener.end}" if listener.end else ""),
                listener.socket.exchange,
            )
        self._judge_delivery(request, listeners, texts)

    def _judge_delivery(
        self,
        request: RequestParts,
        listeners: Sequence[Listener],
        texts: Sequence[str],
        place: str = "",
    ) -> None:
        """Judge whether each listener has received the messages of a human agent."""
        visitor = self._visitor_of(request)
        stored = self._stored_messages(visitor, request)
        written = {_text(message): str(message.get("id")).lower() for message in stored}
        due = [written[text] for text in texts if text in written]
        if len(due) < len(texts):
            for rule in (DELIVERY, STORED):
                reason = "getMessages does not show the messages of --operator"
                self._findings.prevent(rule, self._name, reason)
            return
        for listener in listeners:
            shown = [identifier for identifier in _messages(listener) if identifier in due]
            counted = Counter(shown)
            faults = [
                f"{len(due) - len(counted)} missing" if len(counted) < len(due) else "",
                f"{sum(n > 1 for n in counted.values())} doubled"
                if len(shown) > len(counted)
                else "",
                "in another order" if list(counted) != [d for d in due if d in counted] else "",
                listener.end,
            ]
            actual = ", ".join(fault for fault in faults if fault)
            expected = f"{len(due)} messages, once each, in the order of the conversation"
            self._judge(not actual, DELIVERY, expected, actual, listener.socket.exchange, place)
        self._judge_stored(listeners, stored, due)

    def _judge_stored(
        self,
        listeners: Sequence[Listener],
        stored: Sequence[dict[str, Any]],
        due: Sequence[str] = (),
    ) -> None:
        """Compare each message on a socket with the list of messages."""
        listed = {str(message.get("id")).lower(): message for message in stored}
        for listener in listeners:
            pushed = [each["message"] for each in listener.messages]
            faults = [
                fault
                for message in pushed
                for fault in _differences(message, listed, is_agent=_id_of(message) in due)
            ]
            if pushed:
                expected = "each message as getMessages shows it"
                actual = few(faults)
                self._judge(not faults, STORED, expected, actual, listener.socket.exchange)

    def _isolated(self, listeners: Sequence[Listener]) -> None:
        """Judge whether each client has received events of its own conversation only."""
        for listener in listeners:
            own = listener.conversation
            foreign = {each for other, ids in self._stored.items() if other != own for each in ids}
            wrong = [
                each
                for each in listener.events
                if _conversations_of(each) - {own} or _id_of(each.get("message")) in foreign
            ]
            expected = "events of its own conversation only"
            actual = f"{len(wrong)} of another conversation"
            if not wrong and not listener.answers:
                # It would have received nothing.
                self._findings.prevent(ISOLATION, self._name, _NO_PONGS)
                continue
            self._judge(not wrong, ISOLATION, expected, actual, listener.socket.exchange)

    def _after_close(
        self, operator: Operator, request: RequestParts, pair: Sequence[Listener]
    ) -> None:
        """Close one of two sockets, open another one, and write again."""
        first, second = pair
        first.socket.close()
        new = self._listener(request)
        if new is None or not new.ping(self._patience):
            return
        text = f"Noch da? {uuid.uuid4().hex[:8]}"
        operator.say(_conversation(request), text)
        self._collect([second, new], [text])
        place = "after another socket has closed"
        self._judge_delivery(request, [second, new], [text], place)
        self._valid(new)

    def _without_operator(self, request: RequestParts) -> None:
        """Judge the messages that a human agent happens to write in the given conversation."""
        self._prevent_agents(OPERATOR)
        given = self._context.human_conversation
        if given is None:
            return
        (name, *_) = request.path
        human = request.changed(path={name: given})
        pair = [self._listener(human) for _ in range(2)]
        listeners = [each for each in pair if each is not None]
        for listener in listeners:
            listener.ping(self._patience)
        # The first socket may have been open before the second one.
        before = {each for listener in listeners for each in _messages(listener)}
        ends = time.monotonic() + self._silence
        for listener in listeners:
            while (left := ends - time.monotonic()) > 0 and listener.next(left):
                pass
        if not any(set(_messages(each)) - before for each in listeners):
            return
        for listener in listeners:
            listener.ping(self._patience)
        stored = self._stored_messages(self._context.token_visitor(), human)
        written = set(_messages(listeners[0])) - before
        if any(_id_of(each) in written for each in stored) and len(listeners) == len(pair):
            self._judge_stored(listeners, stored)
            shown = [[m for m in _messages(each) if m not in before] for each in listeners]
            for listener, found in zip(listeners, shown, strict=True):
                kept = len(set(found)) == len(found) and set(found) >= set(shown[0])
                expected, actual = "each message once, on each socket", f"{len(found)} messages"
                self._judge(kept, DELIVERY, expected, actual, listener.socket.exchange)
        for listener in listeners:
            self._valid(listener)

    def _collect(self, listeners: Sequence[Listener], texts: Sequence[str]) -> None:
        """Take messages until each client has those with ``texts``, and any that follow."""
        for listener in listeners:
            listener.wait_for(texts, self._patience)
            listener.ping(self._patience)
        settle(*listeners)

    # Preparation

    @property
    def _is_whole(self) -> bool:
        return self._context.size.whole

    @contextmanager
    def _step(self) -> Iterator[RequestParts | None]:
        """Yield a valid handshake, or None without one; close all sockets at the end."""
        if not self._is_prepared:
            self._is_prepared = True
            self._request = self._prepare()
        try:
            yield self._request
        finally:
            self._close()

    def _close(self) -> None:
        """Close all sockets."""
        while self._open:
            self._open.pop().close()

    def _prepare(self) -> RequestParts | None:
        target = self._context.target
        if target.api_key is None:
            self._prevent(KEY)
            return None
        if target.base_url.startswith("http:") and proxy_for(target.base_url) is not None:
            self._prevent(DIRECT)
            return None
        self._visitor = self._context.visitor()
        request = self._made(self._visitor)
        if request is None:
            self._prevent(OBJECT)
            return None
        self._origin = list(self._history)
        return request if self._opens(request) else None

    def _made(self, visitor: Visitor) -> RequestParts | None:
        """Return a valid handshake for a new conversation of a visitor."""

        def send(request: RequestParts) -> Exchange:
            exchange = self._context.session(request, visitor).send(request)
            self._findings.see(exchange, self._history)
            return exchange

        return ObjectMaker(send, self._context.target.api_key).request(self._operation)

    def _other_conversations(self, request: RequestParts) -> list[RequestParts]:
        """Return valid handshakes for a conversation of another visitor, and of the same one.

        Empty if the conversation of the other visitor could not be made.
        """
        assert self._visitor is not None  # noqa: S101  # checked by the caller
        self._history[:] = self._origin
        self._second = second = self._context.visitor(SECOND)
        other = self._made(second)
        sibling = None if other is None else self._made(self._visitor)
        self._origin = list(self._history)
        paths = [request.path]
        found: list[RequestParts] = []
        for each in (other, sibling):
            if each is not None and each.path not in paths:
                found.append(each)
                paths.append(each.path)
        return found if other in found else []

    def _opens(self, request: RequestParts) -> bool:
        """Open a socket; return whether the server has one."""
        exchange, socket = self._connect(request)
        if socket is None and self._is_absent(request, exchange):
            words = f"{self._name} was answered {exchange.status}"
            if self._context.socket_required:
                expected = f"{SWITCHING}, since --socket required was given"
                self._judge(False, "accepted", expected, str(exchange.status), exchange)
            self._findings.note(f"{words}, as by a server without a socket")
            self._prevent(SOCKET)
            return False
        self._findings.see(exchange, self._history)
        fault = str(exchange.status) if socket is None else socket.fault
        expected = f"{SWITCHING} and a WebSocket of RFC 6455 for a valid handshake"
        self._judge(not fault, "accepted", expected, fault, exchange)
        if fault:
            refused = refused_reason(exchange) if exchange.refused else ""
            self._prevent(refused or "no socket could be opened")
        self._close()
        return not fault

    @property
    def _has_opened(self) -> bool:
        """Whether the server has opened each socket of this run so far, and at least one."""
        tested = self._findings.tested.get(("accepted", self._name), 0)
        return tested > 0 and key_of(self._name, "accepted") not in self._findings.violations

    def _is_absent(self, request: RequestParts, exchange: Exchange) -> bool:
        """Whether an answer to a valid handshake is that of a server without a socket."""
        if exchange.refused or self._has_opened:
            return False
        if exchange.status in tolerance.NO_SOCKET or exchange.status in SUCCESS:
            return True
        other, socket = self._connect(request, suffix="-siteassist-contract")
        return socket is None and other.status == exchange.status

    def _connect(
        self, request: RequestParts, *, origin: str | None = None, suffix: str = ""
    ) -> tuple[Exchange, WebSocket | None]:
        self._history[:] = self._origin
        headers = {} if origin is None else {"Origin": origin}
        exchange, socket = connect(
            self._context.anonymous,
            self._context.recorder,
            request,
            headers=headers,
            suffix=suffix,
        )
        if socket is not None:
            self._open.append(socket)
        return exchange, socket

    def _listener(self, request: RequestParts) -> Listener | None:
        """Open a socket, or return None if it cannot be opened."""
        exchange, socket = self._connect(request)
        self._findings.see(exchange, self._history)
        expected = f"{SWITCHING} for a valid handshake, however many sockets are open"
        fault = str(exchange.status) if socket is None else socket.fault
        self._judge(not fault, "accepted", expected, fault, exchange)
        if socket is None or fault:
            return None
        return Listener(socket, self._described, _conversation(request))

    def _visitor_of(self, request: RequestParts) -> Visitor:
        visitor = self._visitor if request is self._request else self._second
        assert visitor is not None  # noqa: S101  # checked by `check_messages`
        return visitor

    def _stored_messages(self, visitor: Visitor, request: RequestParts) -> list[dict[str, Any]]:
        self._history[:] = self._origin
        exchange = visitor.session.call("getMessages", path=_ids(request))
        self._findings.see(exchange, self._history)
        shown = exchange.document.get("data")
        found = [m for m in shown if isinstance(m, dict)] if isinstance(shown, list) else []
        self._stored[_conversation(request)] = set(map(_id_of, found))
        return found

    def _prevent(self, reason: str) -> None:
        for rule, known in RULES.items():
            if self._name in known.operations:
                self._findings.prevent(rule, self._name, reason)

    def _prevent_agents(self, reason: str) -> None:
        for rule in _OF_AGENTS:
            self._findings.prevent(rule, self._name, reason)

    def _judge(
        self,
        kept: object,
        rule: str,
        expected: str,
        actual: str,
        exchange: Exchange,
        place: str = "",
    ) -> None:
        way = [*self._origin, exchange]
        self._findings.judge(kept, rule, self._name, expected, actual, way, place)


def _conversation(request: RequestParts) -> str:
    """Return the id of the conversation of a handshake, in lower case."""
    (identifier, *_) = request.path.values()
    return identifier.lower()


def _ids(request: RequestParts) -> dict[str, str]:
    return dict(request.path)


def _conversations_of(event: dict[str, Any]) -> set[str]:
    """Return the ids of the conversations that an event names, in lower case."""
    message = event.get("message")
    named = [event.get("chatId"), message.get("chatId") if isinstance(message, dict) else None]
    return {each.lower() for each in named if isinstance(each, str)}


def _messages(listener: Listener) -> list[str]:
    """Return the ids of the messages that a client has received, in order."""
    return [_id_of(each["message"]) for each in listener.messages]


def _id_of(message: Any) -> str:
    return str(message.get("id")).lower() if isinstance(message, dict) else ""


def _text(message: dict[str, Any]) -> str:
    parts = message.get("parts")
    found = [each for each in parts if isinstance(each, dict)] if isinstance(parts, list) else []
    return "".join(str(each.get("text", "")) for each in found)


def _differences(
    message: dict[str, Any], listed: dict[str, dict[str, Any]], *, is_agent: bool
) -> Iterator[str]:
    """Yield the differences between a message on a socket and the same message in the list."""
    stored = listed.get(_id_of(message))
    if stored is None:
        yield f"{_id_of(message)} is not in getMessages"
        return
    if is_agent and message.get("role") != _AGENT:
        yield f"`role` {message.get('role')!r} for a message of a human agent"
    if tolerance.changes_alone(message):
        return  # O-35: an answer of the assistant that was not finished.
    for name in sorted(message.keys() & stored.keys() & _described_names()):
        one, other = _comparable(message[name]), _comparable(stored[name])
        if not same(name, other, one):
            yield f"`{name}` {message[name]!r}, but {stored[name]!r} in getMessages"


@cache
def _described_names() -> frozenset[str]:
    """Return the properties of a message that have a described type: O-22."""
    shown = places("getMessages", httpx.codes.OK)
    return frozenset().union(*(each.names for each in shown if each.kind == tolerance.MESSAGE))


def _comparable(value: Any) -> Any:
    """Return a property of a message without the parts of types that are not described: R-10."""
    if not isinstance(value, list):
        return value
    return [each for each in value if not isinstance(each, dict) or each.get("type") == "text"]
