"""Texts of every kind in every field that takes a text, compared with the texts in answers.

A chat service's data is text, and no document says that a server may change one. Many hard
texts are joined in one request, each with a number before it, so that a change is attributed
to one of them without a further request; a refusal is attributed by requests with fewer texts.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.hard_values import (
    ESCAPED,
    HARD_TEXTS,
    OUTER,
    REFUSABLE,
    WHOLE_WORDS,
    HardText,
    Packed,
    filled,
    packs,
    packs_for,
)
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.text_fields import (
    MESSAGE_TEXT,
    TextField,
    adds_entry,
    shows,
    shows_text,
    takes_text,
    text_fields,
)
from siteassist_contract.description import DEVICE, credential_of, ends_object, forms, operations
from siteassist_contract.description import properties as body_properties
from siteassist_contract.findings import faults_of
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.rules import GENTLE, TEXTS
from siteassist_spec import EVENT_STREAM, Operation

ACCEPTED, KEPT = "texts-accepted", "texts-kept"
TOO_LARGE = 413
_MOST_CULPRITS = 2
"""Maximum number of refused texts that are looked for in one request."""


@dataclass(frozen=True)
class Letter:
    """The texts of one request, by field."""

    texts: Mapping[TextField, Packed | HardText]
    streamed: bool = False
    escaped: bool = False
    """Whether the body has ASCII escapes in place of other characters."""
    refused_with: tuple[int, ...] = ()
    """The statuses with which the texts may be refused."""


def check_texts(context: CheckContext) -> None:
    """Send hard texts in each field that takes a text, and read them back."""
    if context.profile.gentle:
        # A gateway may take some of the texts for an attack, and block the tests.
        for name, operation in operations().items():
            for rule, applies in ((ACCEPTED, takes_text), (KEPT, shows_text)):
                if applies(operation):
                    context.findings.prevent(rule, name, GENTLE)
        return
    writer = Writer(context)
    for operation in operations().values():
        if takes_text(operation):
            writer.check(operation)
    if context.has_key and context.size.whole:
        _check_devices(context)


CHECKS = (("hard texts", check_texts, TEXTS),)


class Writer:
    """A visitor that writes texts and reads them back."""

    def __init__(self, context: CheckContext) -> None:
        """Create the visitor, whose objects are created as they are needed."""
        self._context = context
        self._findings = context.findings
        self._history = context.recorder.history
        self._visitor = context.visitor()
        self._origin = list(self._history)
        self._key = context.target.api_key
        self._maker = ObjectMaker(self._send, self._key)
        self._made: dict[str, tuple[dict[str, str], list[Exchange]]] = {}
        """The ids in the requests of each operation, and the requests that created them."""
        self._entries: dict[str, set[str]] = {}
        """The ids of known entries of lists, by the id of the object that has them."""

    def check(self, operation: Operation) -> None:
        """Send every letter of an operation."""
        letters = _letters(operation) if self._context.size.whole else _few_letters(operation)
        for letter in letters:
            if not self.send(operation, letter):
                return

    def send(self, operation: Operation, letter: Letter) -> bool:
        """Send a letter, read its texts back, and return whether there was a valid request."""
        for _ in range(_MOST_CULPRITS):
            prepared = self._prepare(operation)
            if prepared is None:
                return False
            exchange = self._request(operation, prepared, letter)
            if exchange.status in SUCCESS or exchange.refused:
                self._judge_accepted(operation, exchange, letter)
                if exchange.status in SUCCESS:
                    self._read_back(operation, prepared, letter, exchange)
                return True
            if exchange.status in letter.refused_with:
                self._judge_accepted(operation, exchange, letter)
                self._send_rest(operation, letter)
                return True
            culprit = self._culprit(operation, letter)
            # The requests with fewer texts have added entries that were not read.
            self._made.pop(operation.operation_id, None)
            if culprit is None:
                return True
            letter = _without(letter, culprit)
        return True

    def _send_rest(self, operation: Operation, letter: Letter) -> None:
        """Send a refused letter without the field that refuses it most probably, the first one."""
        _, *rest = letter.texts.items()
        if rest:
            shorter = replace(letter, texts=dict(rest))
            prepared = self._prepare(operation)
            if prepared is not None:
                exchange = self._request(operation, prepared, shorter)
                if exchange.status in SUCCESS:
                    self._read_back(operation, prepared, shorter, exchange)

    # Requests

    def _prepare(self, operation: Operation) -> dict[str, str] | None:
        """Return the ids for a request of an operation, or None if they cannot be created."""
        name = operation.operation_id
        if name not in self._made or ends_object(operation):
            self._history[:] = self._origin
            ids = self._maker.make(operation)
            self._made[name] = ids, list(self._history)
        ids, way = self._made[name]
        self._history[:] = way
        return ids if valid_request(operation, ids, self._key) is not None else None

    def _valid(self, operation: Operation, ids: Mapping[str, str]) -> RequestParts:
        """Return the valid request with known ids. Raises `LookupError` if an id is missing."""
        request = valid_request(operation, ids, self._key)
        if request is None:
            raise LookupError(f"{operation.operation_id} needs other ids than {', '.join(ids)}")
        return request

    def _request(self, operation: Operation, ids: Mapping[str, str], letter: Letter) -> Exchange:
        """Send a letter in a valid request."""
        request = self._valid(operation, ids)
        for field, text in letter.texts.items():
            request = field.fill(request, text.value)
        if operation.stream is not None and isinstance(request.body, dict):
            flag = operation.stream.request_flag
            request = request.changed(body={**request.body, flag: letter.streamed})
        return self._send(request, escaped=letter.escaped, refused_with=letter.refused_with)

    def _send(
        self,
        request: RequestParts,
        *,
        escaped: bool = True,
        refused_with: tuple[int, ...] = (),
    ) -> Exchange:
        session = self._context.session(request, self._visitor)
        body = None
        if request.body is not None and not escaped:
            body = json.dumps(request.body, ensure_ascii=False).encode()
        exchange = session.send(request, body=body)
        # A gateway may refuse a large body, with a status that no page describes.
        if exchange.status != TOO_LARGE or TOO_LARGE not in refused_with:
            self._findings.see(exchange, self._history)
        return exchange

    # Acceptance

    def _judge_accepted(self, operation: Operation, exchange: Exchange, letter: Letter) -> None:
        kept = exchange.status in SUCCESS or exchange.status in letter.refused_with
        self._judge(kept, ACCEPTED, operation, "a text is accepted", str(exchange.status))

    def _culprit(self, operation: Operation, letter: Letter) -> HardText | None:
        """Find a text that is refused, judge it, and return it.

        Texts that are refused together only are judged as well, but not returned. Nothing is
        judged if the letter is accepted the second time, or if a valid request without its
        texts is refused, too, which is the concern of other rules.
        """
        items = [(f, text) for f, value in letter.texts.items() for text in _texts_of(value)]
        if not self._is_refused(operation, letter, items):
            return None
        while len(items) > 1:
            middle = len(items) // 2
            for part in (items[:middle], items[middle:]):
                if self._is_refused(operation, letter, part):
                    items = part
                    break
            else:
                break
        if self._is_refused(operation, letter, []):
            return None
        if not self._is_refused(operation, letter, items):
            return None
        field, text = items[0]
        names = text.name if len(items) == 1 else f"{text.name} and others"
        self._judge(
            False,
            ACCEPTED,
            operation,
            f"`{field.name}` with {names} is accepted, such as {ascii(text.value)[:200]}",
            str(self._history[-1].status),
            f"{field.name} {names}",
        )
        return text if len(items) == 1 else None

    def _is_refused(
        self, operation: Operation, letter: Letter, items: Sequence[tuple[TextField, HardText]]
    ) -> bool:
        """Whether a request with these texts only is refused."""
        prepared = self._prepare(operation)
        if prepared is None:
            return False
        fields = dict.fromkeys(field for field, _ in items)
        whole = {field: value for field, value in letter.texts.items() if field in fields}
        texts = {
            field: value
            if isinstance(value, HardText)
            else Packed(tuple(text for other, text in items if other == field))
            for field, value in whole.items()
        }
        exchange = self._request(operation, prepared, replace(letter, texts=texts))
        return exchange.status not in SUCCESS and not exchange.refused

    # Reading back

    def _read_back(
        self, operation: Operation, ids: dict[str, str], letter: Letter, sent: Exchange
    ) -> None:
        """Compare all copies of the written object with the letter."""
        answer = None
        if sent.repeats:
            self._made.pop(operation.operation_id)  # it may have been carried out twice
            return
        if operation.stream is not None and sent.media_type in (EVENT_STREAM, "application/json"):
            answer = self._visitor.judge_answer(sent, letter.streamed)
        due = {f: text.value for f, text in letter.texts.items() if f.shown is not None}
        if not due:
            return
        written: str | None = list(ids.values())[-1] if ids else None
        answers: dict[str, str] = {}
        if adds_entry(operation):
            written, answers = self._new_entry(operation, ids, answer)
            if written is None:
                return
        for view in _views(operation, ids, due):
            request = self._valid(view, ids)
            exchange = self._send(request)
            if exchange.status not in SUCCESS or faults_of(exchange):
                continue
            for copy in _copies(exchange.json, written or ""):
                due = {
                    field: text
                    for field, text in due.items()
                    if self._is_kept(operation, field, letter, copy, view)
                }
            for copy in (c for key in answers for c in _copies(exchange.json, key)):
                field = TextField("", (), False, {}, MESSAGE_TEXT)
                kept = field.text_in(copy) == answers[str(copy["id"]).lower()]
                expected = f"{view.operation_id} shows the answer as it was sent"
                self._judge(kept, "stored-answer", operation, expected, "another text")

    def _new_entry(
        self, operation: Operation, ids: dict[str, str], answer: str | None
    ) -> tuple[str | None, dict[str, str]]:
        """Read the list at the same path, and return the id of the entry that was added.

        The texts of the answers that were added with it are returned as well, by their ids.
        """
        reader = next(
            o for o in operations().values() if (o.method, o.path) == ("GET", operation.path)
        )
        request = self._valid(reader, ids)
        exchange = self._send(request)
        if exchange.status not in SUCCESS or faults_of(exchange) or reader.paging is None:
            return None, {}
        known = self._entries.setdefault("/".join(ids.values()), set())
        entries = exchange.document.get(reader.paging.items, [])
        new = [each for each in entries if str(each.get("id")).lower() not in known]
        known |= {str(each.get("id")).lower() for each in new}
        own = [each for each in new if "role" not in each or tolerance.is_own_message(each)]
        self._judge(len(own) == 1, KEPT, operation, "one new entry", f"{len(own)}", "one entry")
        field = TextField("", (), False, {}, MESSAGE_TEXT)
        # A greeting may come before the message.
        others = new[new.index(own[0]) + 1 :] if len(own) == 1 else []
        if answer is not None and own:
            text = "".join(str(field.text_in(each)) for each in others)
            self._judge(
                text == answer,
                "stored-answer",
                operation,
                f"the answer as it was sent, {len(answer)} characters",
                f"{len(text)} characters",
            )
        texts = {str(each["id"]).lower(): str(field.text_in(each)) for each in others}
        return (str(own[0]["id"]) if len(own) == 1 else None), texts

    def _is_kept(
        self,
        operation: Operation,
        field: TextField,
        letter: Letter,
        copy: Mapping[str, Any],
        view: Operation,
    ) -> bool:
        """Judge the text of a field in a copy of the object, and return whether it is kept."""
        text = letter.texts[field]
        if field.shown not in copy:
            return True  # the rule `described` reports a required property
        shown = field.text_in(copy)
        kept = tolerance.same_text(text.value, shown)
        if tolerance.is_trimmed(text.value, shown):
            self._findings.note(tolerance.TRIMMED)
        names, expected, actual = text_difference(text, shown)
        self._judge(
            kept,
            KEPT,
            operation,
            f"`{field.name}` with {names} comes back in {view.operation_id}: {expected}",
            actual,
            f"{field.name} {names}",
        )
        return kept

    def _judge(
        self,
        kept: object,
        rule: str,
        operation: Operation,
        expected: str,
        actual: str,
        place: str = "",
    ) -> None:
        name = operation.operation_id
        self._findings.judge(kept, rule, name, expected, actual, self._history, place)


def text_difference(sent: Packed | HardText, shown: object) -> tuple[str, str, str]:
    """Return the name of the first text that changed, the text itself, and the changed text."""
    if isinstance(sent, HardText) and isinstance(shown, str) and len(shown) < len(sent.value):
        lengths = f"{len(shown)} of {len(sent.value)} characters"
        return sent.name, ascii(sent.value)[:200], f"{lengths}: {shown_value(shown)[:200]}"
    if isinstance(sent, HardText) or not isinstance(shown, str):
        name = sent.name if isinstance(sent, HardText) else "all texts"
        return name, ascii(sent.value)[:200], shown_value(shown)[:200]
    changed = list(sent.changed(shown))
    if not changed:
        return "any text", "the text", f"{len(shown)} characters"
    text, became = changed[0]
    more = f" (and {len(changed) - 1} more texts changed)" if len(changed) > 1 else ""
    lost = "nothing" if became is None else ascii(became)[:200]
    return text.name, ascii(text.value)[:200], f"{lost}{more}"


def _letters(operation: Operation) -> Iterator[Letter]:
    """Yield letters with all texts: joined, streamed and not, and those that may be refused."""
    fields = list(text_fields(operation))
    yield from _few_letters(operation, every=True)
    # Without an answer that shows them, they are only tested for failures of the server.
    groups: list[tuple[HardText, ...]] = [(text,) for text in REFUSABLE]
    if not any(field.shown for field in fields):
        groups = [REFUSABLE[:1], REFUSABLE[1:-1], REFUSABLE[-1:]]
    for group in groups:
        alone = Packed(group)
        halves = any("\ud800" <= each <= "\udfff" for each in alone.value)
        chosen = [field for field in fields if not (field.in_query and halves)]
        if chosen:
            yield Letter(
                dict.fromkeys(chosen, alone), escaped=True, refused_with=tolerance.REFUSALS
            )
    shown = [field for field in fields if field.shown is not None]
    if shown:
        yield Letter(dict.fromkeys(shown, OUTER), escaped=True)
        words = {field: WHOLE_WORDS[n % len(WHOLE_WORDS)] for n, field in enumerate(shown)}
        yield Letter(words)
    bounded = [field for field in shown if field.most is not None]
    for first in (True, False) if bounded else ():
        texts = {
            field: HardText(BOUND, filled(field.most or 0, astral_first=first, plain=ESCAPED), "")
            for field in bounded
        }
        yield Letter(texts, streamed=first and operation.stream is not None)


BOUND = "as many characters as are allowed, half of them beyond the basic plane"


def _few_letters(operation: Operation, *, every: bool = False) -> Iterator[Letter]:
    """Yield letters with all texts joined: streamed and not if both have effects to compare.

    Fields with a small maximum need several letters, of which only the first is yielded unless
    ``every``.
    """
    columns = {f: packs_for(f.most, in_query=f.in_query) for f in text_fields(operation)}
    count = max(map(len, columns.values()))
    both = operation.stream is not None and (every or shows_text(operation))
    for number in range(count if every else 1):
        texts = {field: column[number % len(column)] for field, column in columns.items()}
        if both:
            yield Letter(texts, streamed=False, escaped=True)
        yield Letter(texts, streamed=operation.stream is not None, escaped=number % 2 == 1)


def _texts_of(value: Packed | HardText) -> tuple[HardText, ...]:
    return value.texts if isinstance(value, Packed) else (value,)


def _without(letter: Letter, culprit: HardText) -> Letter:
    """Return a letter without one of its texts."""
    texts = {
        field: Packed(tuple(text for text in _texts_of(value) if text != culprit))
        for field, value in letter.texts.items()
        if value != culprit
    }
    return replace(letter, texts=texts)


def _views(
    operation: Operation, ids: Mapping[str, str], due: Mapping[TextField, str]
) -> Iterator[Operation]:
    """Yield the operations that can show the texts of an object."""
    for view in operations().values():
        names = {parameter.name for parameter in view.places("path")}
        reads = view.method == "GET" and view.needs_token and names <= set(ids)
        if reads and any(shows(view, str(field.shown)) for field in due):
            yield view


def _copies(value: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects with an id at any depth."""
    if isinstance(value, dict):
        if str(value.get("id")).lower() == name.lower():
            yield value
        for item in value.values():
            yield from _copies(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _copies(item, name)


def _check_devices(context: CheckContext) -> None:
    """Start sessions of devices with hard names, twice each."""
    schema = next(
        form
        for written in body_properties(operations()["init"]).values()
        for form in forms(written)
        if credential_of(form) == DEVICE
    )
    prefix = f"{uuid.uuid4().hex[:8]} "
    room = int(schema.get("maxLength", 100)) - len(prefix)
    findings, history = context.findings, context.recorder.history
    owners: dict[str, str] = {}
    for text in REFUSABLE:
        # The answer may be a refusal; that it must not fail is a rule of every answer.
        history.clear()
        context.session_of(prefix + text.value)
    for pack in packs(HARD_TEXTS, room):
        device = prefix + pack.value
        history.clear()
        first = context.session_of(device)
        if first.status not in SUCCESS or faults_of(first):
            continue  # a server may restrict the characters of devices
        again = context.session_of(device)
        if again.status in tolerance.CIRCUMSTANCES or faults_of(again):
            continue
        names = ", ".join(text.name for text in pack.texts)
        statuses = f"{first.status}, {again.status}"
        words = f"201 and 200 for a device whose name has {names}"
        findings.judge(
            statuses == "201, 200", "device-status", "init", words, statuses, history, names
        )
        visitors = [str(each.document["visitor"]["id"]) for each in (first, again)]
        other = owners.setdefault(visitors[0], names)
        findings.judge(
            visitors[0] == visitors[1] and other == names,
            "device-visitor",
            "init",
            f"a visitor of its own for a device whose name has {names}, twice the same",
            f"{visitors[0]} and {visitors[1]}{'' if other == names else f', as for {other}'}",
            history,
            names,
        )
