"""Checks of negotiation and framing: other clients get the same answers.

A request that was accepted is sent again as other HTTP clients send it. Another answer is a
violation, unless its status says that the server does not support this way (O-30).
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks import stream_grammar
from siteassist_contract.checks.answers import MOST_HELD_BACK
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.variations import (
    COMPRESSED,
    FRAMING,
    NEGOTIATION,
    STREAM,
    VARIATIONS,
    Variation,
    variations,
)
from siteassist_contract.description import (
    credential_of,
    ends_object,
    forms,
    operations,
    properties,
)
from siteassist_contract.findings import compared_with, refused_reason
from siteassist_contract.http.framing import Framing
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.network import LARGEST_ANSWER, proxy_for
from siteassist_contract.http.recorder import SUCCESS, Exchange, UnansweredError
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.rules import CONNECTION, DIRECT, FRAMES, GENTLE, OBJECT, RULES
from siteassist_spec import EVENT_STREAM, Operation

_TEXT = "Größe 日本 👋 {}"
"""A text whose characters have one to four bytes."""
_UNCOMPRESSED = ("", "identity")
_WINDOWS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
"""The ways in which zlib reads each coding."""
_UTF_8 = ("utf-8", "utf8", "us-ascii")
_CHARSET = re.compile(r';\s*charset="?([^\s;"]+)', re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_MADE_UP = "Bearer made-up-token-that-nobody-gave"
_PATIENCE, _TIMES = 5.0, 10
"""Timeout for a variation: seconds, and the multiple of the time of the ordinary answer."""
_FEW = 2
"""Number of variations of a request that the assistant answers, for each rule."""
_UNCHANGED = 304
_SECOND = 1.1
"""Time, in seconds, after which a weak `ETag` of whole seconds has changed."""
Path = tuple[str | int, ...]


def check_negotiation(context: CheckContext) -> None:
    """Send a valid request of each operation as other clients do, and compare the answers."""
    target = context.target
    reason = CONNECTION if target.network.app is not None else ""
    if not reason and proxy_for(target.base_url) is not None:
        reason = DIRECT
    if reason:
        for rule in (NEGOTIATION, FRAMING):
            for name in RULES[rule].operations:
                context.findings.prevent(rule, name, reason)
        return
    checks = Checks(context)
    for number, operation in enumerate(operations().values()):
        if context.takes(operation.operation_id):
            checks.check(number, operation)
    checks.older_states()
    checks.head()


CHECKS: tuple[Check, ...] = (
    ("every operation, as other clients send it", check_negotiation, FRAMES),
)


@dataclass
class _Ordinary:
    """A request that was accepted, with its answer."""

    request: RequestParts
    exchange: Exchange
    shows: str = ""
    """An operation whose answer contains the texts of the request; empty without one."""
    unstable: set[Path] = field(default_factory=set)
    """The places in which ordinary answers differ."""


class Checks:
    """The checks of all operations, with one visitor."""

    def __init__(self, context: CheckContext) -> None:
        """Create a visitor; objects are created when an operation needs them."""
        self._context = context
        self._whole = context.size.whole and not context.profile.gentle
        self._findings = context.findings
        self._history = context.recorder.history
        self._visitor = context.visitor()
        self._key = context.target.api_key
        self._maker = ObjectMaker(self._send, self._key)
        self._ids: dict[str, str] = {}
        self._unsent: set[str] = set()
        """Variations that the server does not support or answer, and that are not sent again."""
        self._tagged: list[_Ordinary] = []
        """The requests for what a visitor can change, whose answers have an `ETag`."""
        self._held_back: set[tuple[str, str]] = set()
        """The operations and codings of streams that are held back."""
        self._count = 0

    def check(self, number: int, operation: Operation) -> None:
        """Check one operation, which is the one with this ``number``."""
        name = operation.operation_id
        rules = [rule for rule in (NEGOTIATION, FRAMING) if name in RULES[rule].operations]
        if self._context.profile.gentle and operation.method != "GET":
            self._prevent(rules, name, GENTLE)
            return
        self._ids = self._maker.make(operation, self._ids)
        request = valid_request(operation, self._ids, self._key)
        if request is None:
            self._prevent(rules, name, OBJECT)
            return
        for each in self._forms(request):
            self._vary(number, each, rules)

    def head(self) -> None:
        """Note how HEAD is answered, which no document describes."""
        name = "getMe"
        if not self._findings.selects(NEGOTIATION, name):
            return
        path = operations()[name].path
        try:
            exchange = self._visitor.session.raw(name, "HEAD", path)
        except UnansweredError as error:
            words = str(error)
        else:
            if exchange.status in SUCCESS or exchange.refused:
                return
            words = f"answered with {exchange.status}"
        self._findings.note(f"HEAD {path}: {words}")

    def _prevent(self, rules: list[str], operation: str, reason: str) -> None:
        if self._context.has_key or operations()[operation].needs_token:
            for rule in rules:
                self._findings.prevent(rule, operation, reason)

    def _forms(self, request: RequestParts) -> Iterator[RequestParts]:
        """Yield a request, and the request for a stream if the operation has one."""
        stream = request.described.stream
        if stream is None or not isinstance(request.body, Mapping):
            yield request
            return
        yield request.changed(body={**request.body, stream.request_flag: False})
        if self._whole:
            yield request.changed(body={**request.body, stream.request_flag: True})

    def _vary(self, number: int, request: RequestParts, rules: list[str]) -> None:
        """Send a request in the ordinary way, and in other ways."""
        ordinary = self._ordinary(request)
        if ordinary is None:
            return
        for rule in rules:
            tested, known = 0, variations(request, rule, number)
            for variation in known:
                if tested >= self._most(request, rule, len(known)):
                    break
                if variation.words not in self._unsent:
                    tested += self._compare(ordinary, variation)
        reads = request.method == "GET" and request.described.needs_token
        if NEGOTIATION in rules and reads and self._whole and _tag(ordinary.exchange):
            self._tagged.append(ordinary)

    def older_states(self) -> None:
        """Judge that a client which sends the `ETag` of an older state gets the current one.

        Only servers whose answers have an `ETag` are asked. All resources of one object are
        tested with the same change, since a change may need an answer of the assistant.
        """
        objects: dict[frozenset[tuple[str, str]], list[_Ordinary]] = {}
        for each in self._tagged:
            objects.setdefault(frozenset(each.request.path.items()), []).append(each)
        for known in objects.values():
            start = list(self._history)
            for write in self._writes(known[0].request):
                self._older_state(known, write)
                self._history[:] = start

    def _older_state(self, known: list[_Ordinary], write: RequestParts) -> None:
        """Read resources before and after a request that changes them."""
        start = list(self._history)
        known = [each for each in known if self._read_twice(each)]
        if any(_tag(each.exchange).startswith("W/") for each in known):
            self._context.recorder.rest(_SECOND)
        self._history[:] = start
        self._send(self._fresh(write))
        writes = self._history[len(start) :]
        for each in known:
            after = self._send(each.request)
            before, now = (dict(_leaves(one.json)) for one in (each.exchange, after))
            if after.status not in SUCCESS:
                continue
            later = _Ordinary(each.request, after, unstable=each.unstable)
            if _differing(before, now) - each.unstable:
                self._history[:] = [*start, each.exchange, *writes]
                self._conditional(later, each.exchange, "the `ETag` of an older state")
            if _tag(after):
                self._history[:] = [*start, *writes, after]
                self._conditional(later, after, "the `ETag` of the current state", _UNCHANGED)

    def _read_twice(self, known: _Ordinary) -> bool:
        """Read a resource twice, and note what differs; return whether both were answered."""
        first, again = (self._send(known.request) for _ in range(2))
        if not {first.status, again.status} <= set(SUCCESS):
            return False
        known.unstable |= _differing(dict(_leaves(first.json)), dict(_leaves(again.json)))
        known.exchange = again
        return True

    def _writes(self, read: RequestParts) -> Iterator[RequestParts]:
        """Yield requests that change the object that ``read`` shows, without ending it."""
        for operation in operations().values():
            is_write = operation.method != "GET" and operation.needs_token
            has_path = bool(list(operation.places("path")))
            if not is_write or ends_object(operation) or has_path != bool(read.path):
                continue
            write = valid_request(operation, self._maker.make(operation, read.path), self._key)
            if write is not None and (has_path or not write.costs):
                # A value that was sent before may change nothing, so a second one follows.
                yield from (write, *_others(write)[:1])

    def _conditional(self, later: _Ordinary, known: Exchange, words: str, *statuses: int) -> None:
        """Judge the answer to `If-None-Match` with the `ETag` of the answer ``known``.

        ``later`` is the current answer; one of ``statuses`` is accepted as well.
        """
        words = f"`If-None-Match` with {words}"
        framing = Framing((("If-None-Match", _tag(known)),))
        variation = Variation(words, NEGOTIATION, framing)
        start, fault = list(self._history), ""
        for attempt in range(2):
            if attempt:  # the change may reach a cache or a replica a moment later
                self._context.recorder.rest(_SECOND)
            self._history[:] = start
            answer = self._answer(later.request, variation)
            if isinstance(answer, UnansweredError):
                fault = f"{answer}, twice"
                self._history[:] = [*start, answer.exchange or later.exchange]
            elif answer.status in statuses:
                fault = ""
            else:
                _, fault = self._fault(later, later.request, answer, variation)
            if not fault:
                break
        self._findings.judge(
            not fault,
            NEGOTIATION,
            later.request.operation,
            f"the current state, {_head(later.exchange)}, to {words}; put the tag of the first"
            " answer into the last request",
            fault or "the current state",
            compared_with(known, self._history),
            words,
        )

    def _most(self, request: RequestParts, rule: str, count: int) -> int:
        """Return the number of variations of a request; answers of the assistant are expensive."""
        if not self._whole:
            return 1
        if self._context.profile.rounds:
            return count
        if request.costs:
            return _FEW
        return count if rule == FRAMING or request.method == "GET" else count // 2

    # Requests

    def _marked(self, request: RequestParts) -> RequestParts:
        """Return a copy whose free texts differ from all earlier ones."""
        operation = request.described
        if operation.body is None:
            return request
        self._count += 1
        given = request.body or next(iter(operation.body.examples.values()), None)
        body = dict(given) if isinstance(given, Mapping) else {}
        for name in _free_texts(operation):
            body[name] = _TEXT.format(self._count)
        return request.changed(body=body or request.body)

    def _fresh(self, request: RequestParts) -> RequestParts:
        """Return a request with other texts, on a new object if the request ends it."""
        request = self._marked(request)
        if ends_object(request.described):
            made = self._maker.make(request.described)
            return request.changed(path={name: made[name] for name in request.path if name in made})
        return request

    def _ordinary(self, request: RequestParts) -> _Ordinary | None:
        """Send a request in the ordinary way; return it if it was accepted."""
        request = self._fresh(request)
        exchange = self._send(request)
        if exchange.status not in SUCCESS:
            if exchange.refused:
                for rule in (NEGOTIATION, FRAMING):
                    self._findings.prevent(rule, request.operation, refused_reason(exchange))
            return None
        found = _Ordinary(request, exchange)
        for view in self._views(request):
            if _texts(request) and _contains(self._send(view).json, _texts(request)):
                found.shows = view.operation
                break
        return found

    def _views(self, request: RequestParts) -> Iterator[RequestParts]:
        """Yield the requests that read the object of a request."""
        if not request.path or request.method == "GET":
            return
        for operation in operations().values():
            names = {parameter.name for parameter in operation.places("path")}
            if operation.method == "GET" and names and names <= set(request.path):
                view = valid_request(operation, request.path, self._key)
                if view is not None:
                    yield view

    def _send(self, request: RequestParts, variation: Variation | None = None) -> Exchange:
        session = self._context.session(request, self._visitor)
        if variation is None:
            exchange = session.send(request)
        else:
            body = None if request.body is None else variation.write(request.body)
            media = {} if body is None else {"Content-Type": variation.content_type}
            exchange = session.send(
                request, body=body, headers=media, framing=_fitted(variation.framing, request)
            )
        return exchange if variation is not None else self._seen(exchange)

    def _seen(self, exchange: Exchange) -> Exchange:
        self._findings.see(exchange, self._history)
        return exchange

    # Comparison

    def _compare(self, ordinary: _Ordinary, variation: Variation) -> bool:
        """Send a request in another way, and compare its answer with the ordinary one.

        Returns whether the answer was judged.
        """
        old = ordinary.exchange.version == "HTTP/1.0"
        if old and (variation.framing.chunk or variation.framing.expect):
            return False  # A client must know that the server supports these (RFC 9112, 6.1).
        start = list(self._history)
        request = self._fresh(ordinary.request)
        patience = _PATIENCE + _TIMES * ordinary.exchange.seconds
        exchange = self._answer(
            request,
            replace(variation, framing=replace(variation.framing, patience=patience)),
        )
        if isinstance(exchange, UnansweredError):
            fault = f"{exchange}, twice"
        elif exchange.status in (*tolerance.UNSUPPORTED, *variation.tolerated):
            reason = f"the server does not support {variation.words}: {exchange.status}"
            self._findings.prevent(variation.rule, request.operation, reason)
            self._unsent.add(variation.words)
            self._history[:] = start
            return False
        else:
            exchange, fault = self._fault(ordinary, request, exchange, variation)
        self._findings.judge(
            not fault,
            variation.rule,
            request.operation,
            f"the ordinary answer, {_head(ordinary.exchange)}, to {variation.words}",
            fault or "the ordinary answer",
            [*start, exchange.exchange or ordinary.exchange]
            if isinstance(exchange, UnansweredError)
            else self._history,
            variation.words,
        )
        self._history[:] = start
        return isinstance(exchange, UnansweredError) or not exchange.refused

    def _lead(self, request: RequestParts, variation: Variation) -> None:
        """Send the request that comes before a variation."""
        if not variation.before:
            return
        if variation.before == COMPRESSED:
            gzip = replace(variation.framing, headers=(("Accept-Encoding", "gzip"),))
            self._send(request, replace(variation, framing=gzip))
            self._history[-1] = replace(self._history[-1], compared=True)
            return
        if variation.before == STREAM:
            self._unsent.add(variation.words)  # An answer of the assistant is expensive.
        operation = min(
            (each for each in operations().values() if each.stream is not None),
            key=lambda each: len(each.places("path")),
        )
        first = valid_request(operation, self._ids, self._key)
        if first is None or operation.stream is None:
            return
        if variation.before == STREAM:
            first = first.changed(body={**first.body, operation.stream.request_flag: True})
            self._send(first, variation)
        else:
            # The server may answer before it has read the body.
            self._context.anonymous.send(
                first,
                headers={"Authorization": _MADE_UP},
                credential=_MADE_UP,
                framing=variation.framing,
            )

    def _answer(self, request: RequestParts, variation: Variation) -> Exchange | UnansweredError:
        """Return the answer to a variation, or an error if two attempts got no answer."""
        failure = UnansweredError(request.operation, "no answer")
        for _ in range(2):
            try:
                self._lead(request, variation)
                return self._send(request, variation)
            except UnansweredError as error:
                failure = error
                self._leave_out(variation)
                # Another request raises the error of a server that no longer answers at all.
                self._visitor.session.call("getMe")
        return failure

    def _leave_out(self, variation: Variation) -> None:
        """Do not send a variation again, nor any other that waits for `100 Continue` if it does."""
        alike = variation.framing.expect
        self._unsent |= {each.words for each in VARIATIONS if alike and each.framing.expect}
        self._unsent.add(variation.words)

    def _fault(
        self,
        ordinary: _Ordinary,
        request: RequestParts,
        exchange: Exchange,
        variation: Variation,
    ) -> tuple[Exchange, str]:
        """Return an answer without its compression, and its difference from the ordinary one."""
        if exchange.refused:
            return exchange, ""
        if variation.framing.version == "1.0" and "transfer-encoding" in exchange.headers:
            return exchange, "`Transfer-Encoding` in an answer to HTTP/1.0"
        exchange, fault = _unpacked(exchange, _accepted_codings(variation.framing))
        self._history[-1] = exchange
        if fault:
            return exchange, fault
        before = ordinary.exchange
        if exchange.status not in _alike(before, request.described):
            return exchange, f"{exchange.status} instead of {before.status}"
        if _coding(exchange) not in (*_UNCOMPRESSED, *_WINDOWS):
            return exchange, ""  # The request accepts the coding, but only these can be read here.
        self._findings.see(exchange, self._history)
        if exchange.media_type != before.media_type:
            got = exchange.media_type or "no media type"
            return exchange, f"{got} instead of {before.media_type or 'none'}"
        if _charset(exchange) not in ("", *_UTF_8, _charset(before)):
            return exchange, f"the charset {_charset(exchange)} instead of UTF-8"
        if before.media_type == EVENT_STREAM:
            fault = _stream_fault(before, exchange)
            return exchange, fault or self._pace_fault(ordinary, exchange, variation)
        if request.costs:
            # The assistant may answer in other words.
            return exchange, self._missing(ordinary, request, variation)
        return exchange, self._difference(ordinary, request, exchange, variation)

    def _pace_fault(self, ordinary: _Ordinary, exchange: Exchange, variation: Variation) -> str:
        """Return in words that a stream is held back to compress it, or an empty string."""
        coding = _coding(exchange)
        key = exchange.operation, coding
        if not coding or key in self._held_back or _held_back(ordinary.exchange) is not False:
            return ""
        kept = list(self._history)
        for _ in range(MOST_HELD_BACK - 1):  # a single one may be held back by chance
            if not _held_back(exchange):
                return ""
            answer = self._answer(self._fresh(ordinary.request), variation)
            if isinstance(answer, UnansweredError):
                return ""
            self._findings.see(answer, self._history)
            exchange, fault = _unpacked(answer, None)
            if fault or exchange.status not in SUCCESS:
                return ""
        self._history[:] = kept
        if not _held_back(exchange):
            return ""
        self._held_back.add(key)
        return f"a stream that {coding} holds back until its end, {MOST_HELD_BACK} times in a row"

    def _difference(
        self,
        ordinary: _Ordinary,
        request: RequestParts,
        exchange: Exchange,
        variation: Variation,
    ) -> str:
        """Return the first difference in the JSON of two answers, or an empty string.

        Properties that also differ between two ordinary answers are ignored.
        """
        first, other = (dict(_leaves(each.json)) for each in (ordinary.exchange, exchange))
        differing = _differing(first, other) - ordinary.unstable
        if differing:
            kept = list(self._history)
            again = self._send(self._fresh(ordinary.request))
            self._history[:] = kept
            if again.status not in _alike(ordinary.exchange, request.described):
                differing.clear()  # Without another answer, no property is known to be stable.
            else:
                ordinary.unstable |= _differing(first, dict(_leaves(again.json)))
            for path in sorted(differing - ordinary.unstable, key=str):
                got, due = (
                    shown_value(each[path]) if path in each else "nothing"
                    for each in (other, first)
                )
                words = f"{got} instead of {due}"
                return f"`{'.'.join(map(str, path))}` {words}"
        return self._missing(ordinary, request, variation)

    def _missing(self, ordinary: _Ordinary, request: RequestParts, variation: Variation) -> str:
        """Return in words that texts of a body have been lost, or an empty string."""
        if not ordinary.shows or variation.rule != FRAMING:
            return ""
        view = next(each for each in self._views(request) if each.operation == ordinary.shows)
        kept = list(self._history)
        exchange = self._send(view)
        self._history[:] = kept
        if exchange.status in SUCCESS and not _contains(exchange.json, _texts(request)):
            return f"the texts of the request are missing in the answer of {view.operation}"
        return ""


def _free_texts(operation: Operation) -> Iterator[str]:
    """Yield the names of the properties of a body that may be any text."""
    for name, schema in properties(operation).items():
        form = next((each for each in forms(schema) if each.get("type") != "null"), {})
        limited = {"enum", "const", "format", "pattern"} & set(form)
        if form.get("type") == "string" and not limited and credential_of(schema) is None:
            yield name


def _texts(request: RequestParts) -> list[str]:
    """Return the texts of a request that can be recognised."""
    if not isinstance(request.body, Mapping):
        return []
    return [str(request.body[name]) for name in _free_texts(request.described)]


def _contains(value: Any, texts: list[str]) -> bool:
    """Whether all texts are in the JSON of an answer."""
    shown = json.dumps(value, ensure_ascii=False)
    return all(text in shown for text in texts)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the values of an answer's JSON by their paths, and the length of each array.

    Times are left out: two requests of one second may get the same, and a third one another.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in tolerance.CHANGING:
                yield from _leaves(item, (*path, name))
    elif isinstance(value, list):
        yield (*path, "length"), len(value)
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    elif not (isinstance(value, str) and _MOMENT.match(value)):
        yield path, value


def _differing(one: Mapping[Path, Any], other: Mapping[Path, Any]) -> set[Path]:
    """Return the places in which two answers differ, except by an agent who took over."""
    absent = object()
    places = one.keys() | other.keys()
    differing = {path for path in places if one.get(path, absent) != other.get(path, absent)}
    return {path for path in differing if not _is_taken_over(one, other, path)}


def _is_taken_over(one: Mapping[Path, Any], other: Mapping[Path, Any], path: Path) -> bool:
    """Whether a place belongs to a conversation that an agent handles in one of two answers."""
    for number, name in enumerate(path):
        if name in tolerance.OF_AGENTS:
            handled = (*path[:number], tolerance.HANDLED)
            return {one.get(handled), other.get(handled)} == {True, False}
    return False


def _alike(exchange: Exchange, operation: Operation) -> frozenset[int]:
    """Return the statuses that an equal request may get, such as 200 after a 201."""
    successes = operation.successes
    return frozenset(each.status for each in successes if exchange.media_type in each.media) | {
        exchange.status
    }


def _stream_fault(before: Exchange, exchange: Exchange) -> str:
    ordinary = stream_grammar.read(before.operation, before.content)
    reading = stream_grammar.read(exchange.operation, exchange.content)
    if ordinary.faults or not reading.faults:
        return ""
    return f"an invalid stream: {reading.faults[0].sentence}"


def _fitted(framing: Framing, request: RequestParts) -> Framing:
    """Return a framing whose additional query continues that of the request."""
    return replace(framing, query="&") if framing.query and request.query else framing


def _accepted_codings(framing: Framing) -> frozenset[str] | None:
    """Return the codings that a request accepts, or None for any."""
    if "accept-encoding" in framing.without:
        return None
    value = dict(framing.headers).get("Accept-Encoding", "identity")
    named = [each.strip() for each in value.split(",")]
    return None if value == "*" else frozenset(each for each in named if not each.endswith(";q=0"))


def _unpacked(exchange: Exchange, accepted: frozenset[str] | None) -> tuple[Exchange, str]:
    """Return an answer without its compression, and a fault of the compression."""
    coding = _coding(exchange)
    if coding in _UNCOMPRESSED:
        return exchange, ""
    if accepted is not None and coding not in accepted:
        return exchange, f"`Content-Encoding: {coding}`, which the request does not accept"
    for bits in _WINDOWS.get(coding, ()):
        unpacker = zlib.decompressobj(bits)
        try:
            pieces = list(_unpacked_pieces(exchange, unpacker))
        except zlib.error:
            continue
        if unpacker.eof:
            content = b"".join(piece for _, piece in pieces)
            arrivals = tuple((at, len(piece)) for at, piece in pieces if piece)
            return replace(exchange, content=content, arrivals=arrivals), ""
        return exchange, f"a body that ends within its {coding} coding"
    return exchange, f"a body that is not in its {coding} coding" if coding in _WINDOWS else ""


def _unpacked_pieces(exchange: Exchange, unpacker: Any) -> Iterator[tuple[float, bytes]]:
    """Yield what each piece of a compressed body adds to the body, with its time."""
    start, size = 0, 0
    for at, length in exchange.arrivals or ((exchange.first, len(exchange.content)),):
        piece = unpacker.decompress(exchange.content[start : start + length], LARGEST_ANSWER - size)
        start, size = start + length, size + len(piece)
        yield at, piece
        if size >= LARGEST_ANSWER:
            return


def _held_back(exchange: Exchange) -> bool | None:
    """Whether a stream was sent all at once; None if this cannot be judged."""
    deltas = stream_grammar.read(exchange.operation, exchange.content).deltas
    first = exchange.arrivals[0][0] if exchange.arrivals else exchange.first
    return stream_grammar.held_back(
        exchange.seconds, first, deltas, exchange.arrivals, exchange.content
    )


def _coding(exchange: Exchange) -> str:
    """Return the coding of an answer as its header has it, in lower case; empty without one."""
    return exchange.headers.get("content-encoding", "").strip().lower()


def _others(request: RequestParts) -> list[RequestParts]:
    """Return the requests with another value of an enum in the body."""
    return [
        request.changed(body={**(request.body or {}), name: value})
        for name, schema in properties(request.described).items()
        for form in forms(schema)
        for value in form.get("enum", ())
        if value != (request.body or {}).get(name)
    ]


def _tag(exchange: Exchange) -> str:
    """Return the `ETag` of an answer, or an empty text."""
    return exchange.headers.get("etag", "")


def _charset(exchange: Exchange) -> str:
    """Return the charset of an answer as its header has it, in lower case; empty without one."""
    found = _CHARSET.search(exchange.headers.get("content-type", ""))
    return found[1].lower() if found else ""


def _head(exchange: Exchange) -> str:
    return f"{exchange.status} {exchange.media_type}".strip()
