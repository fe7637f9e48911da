"""Attempts to reach another visitor's data with altered ids, credentials and devices.

A database may ignore case, accents or spaces, a query may interpret a wildcard, a framework may
take a list for a string, and a handler may read a parameter that the API does not describe. A
whole test tries every shape on the operations that the description names, a short one a few.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from siteassist_contract import tolerance
from siteassist_contract.checks import extra_properties
from siteassist_contract.checks.behaviour.visitor import is_uuid
from siteassist_contract.checks.context import FIRST, SECOND, Check, CheckContext
from siteassist_contract.checks.generated import fitting_answers
from siteassist_contract.checks.owner import Owner, Pairs
from siteassist_contract.checks.text_fields import adds_entry
from siteassist_contract.description import (
    API_KEY,
    CLOSING,
    DEVICE,
    SESSION_TOKEN,
    credential_name,
    operations,
    properties,
    session_token,
    takes_key,
)
from siteassist_contract.http.recorder import CLIENT_ERRORS, SUCCESS, Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, with_key
from siteassist_contract.report.reproduction import VISITORS, filled
from siteassist_contract.rules import EVERY_ANSWER, RULES

UNAUTHORIZED = 401
_REFUSED = (*tolerance.REFUSALS, *tolerance.HIDDEN)
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")  # noqa: RUF001  # full-width digits
_NO_ALGORITHM = {
    name: base64.urlsafe_b64encode(json.dumps({"alg": name}).encode()).decode().rstrip("=")
    for name in ("none", "None", "NONE")
}
"""Headers of JSON Web Tokens without a signature: RFC 8725, 2.1."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def check_access(context: CheckContext) -> None:
    """Try to reach the objects of a visitor with ids, credentials and properties of all shapes."""
    owner = Owner(context)
    stranger = None
    if context.target.has_two_visitors:
        stranger = owner.stranger()
        owner.origin[:] = owner.history
    else:
        context.without_second_visitor(*(("isolation", n) for n in RULES["isolation"].operations))
    credentials = _Credentials(owner, stranger)
    credentials.tokens()
    credentials.other_places()
    credentials.keys()
    ids = _Ids(owner, stranger)
    ids.as_owner()
    ids.without_token()
    ids.as_stranger()
    extra_properties.check(owner, stranger)
    ids.closed()


def check_devices(context: CheckContext) -> None:
    """Start the sessions of devices whose names a database may take for the same."""
    if not context.has_key:
        context.without_key(("device-visitor", "init"))
        return
    if context.profile.gentle:
        return  # each device is a visitor who stays
    history = context.recorder.history
    history.clear()
    groups: dict[str, str] = {}
    entry: _Entry | None = None
    for words, device in _devices(context):
        exchange = context.session_of(device)
        if exchange.status in tolerance.CIRCUMSTANCES:
            continue
        visitor = exchange.document.get("visitor")
        found = visitor.get("id") if isinstance(visitor, Mapping) else None
        # A server may restrict the characters of devices.
        if exchange.status in tolerance.REFUSALS or not isinstance(found, str):
            continue
        same = groups.get(found.lower())
        context.findings.judge(
            same is None,
            "device-visitor",
            "init",
            f"another visitor for a device {words}",
            f"the visitor of the device {same}",
            history,
            words,
        )
        groups.setdefault(found.lower(), words)
        token = session_token(exchange.document)
        if token is None or same is not None:
            continue
        if entry is None:
            context.devices[FIRST] = device
            entry = _Entry.add(context, token)
        else:
            context.devices[SECOND] = device
            entry.hidden_from(token, exchange, words)


@dataclass(frozen=True)
class _Entry:
    """A conversation of a visitor, which no list of another visitor shows."""

    context: CheckContext
    id: str
    origin: Sequence[Exchange]
    """The requests that added it."""

    @classmethod
    def add(cls, context: CheckContext, token: str) -> _Entry | None:
        """Start a conversation with a token; return None if it was refused."""
        session = Session(context.target.base_url, context.recorder, FIRST, token)
        for operation in operations().values():
            if adds_entry(operation) and operation.needs_token and not operation.places("path"):
                exchange = session.send(RequestParts(operation.operation_id))
                context.findings.see(exchange, context.recorder.history)
                id_ = str(exchange.document.get("id")).lower()
                # The rule `described` reports an invalid id, which may be a part of other texts.
                if exchange.status in SUCCESS and is_uuid(id_):
                    return cls(context, id_, tuple(context.recorder.history))
        return None

    def hidden_from(self, token: str, session: Exchange, words: str) -> None:
        """Judge the lists of another visitor; ``session`` is the exchange with its token."""
        recorder = self.context.recorder
        other = Session(self.context.target.base_url, recorder, SECOND, token)
        for name in RULES["own-list"].operations:
            exchange = other.send(RequestParts(name))
            history = [*self.origin, session, exchange]
            self.context.findings.see(exchange, history)
            if exchange.status in SUCCESS:
                self.context.findings.judge(
                    self.id not in exchange.content.decode("utf-8", "replace").lower(),
                    "own-list",
                    name,
                    f"no entry of another visitor for a device {words}",
                    self.id,
                    history,
                    "devices",
                )


CHECKS: tuple[Check, ...] = (
    (
        "objects and credentials of others",
        check_access,
        EVERY_ANSWER
        | {"isolation", "key-checked", "malformed-refused", "me", "own-list", "same-object"}
        | {"token-checked", "token-required", extra_properties.RULE},
    ),
    (
        "devices that are nearly the same",
        check_devices,
        EVERY_ANSWER | {"device-visitor", "own-list"},
    ),
)


def same_ids(value: str) -> Iterator[tuple[str, str]]:
    """Yield the spellings of an id that some servers take for the same, encoded for a path."""
    yield "in the other case", value.swapcase()
    yield "without dashes", value.replace("-", "")
    yield "in braces", f"%7B{value}%7D"
    yield "as a URN", f"urn%3Auuid%3A{value}"
    yield "with an encoded character", f"%{ord(value[0]):02X}{value[1:]}"


def near_ids(value: str) -> Iterator[tuple[str, str]]:
    """Yield texts that resemble an id but are not one, encoded for a path."""
    yield "with a wildcard in place of its end", f"{value[:-4]}%25"
    yield "without its last character", value[:-1]
    yield "with a space after it", f"{value}%20"
    yield "with wildcards in place of its last characters", f"{value[:-4]}____"
    yield "with one more character", f"{value}0"
    yield "with a line feed after it", f"{value}%0A"
    yield "that is a wildcard", "%25"
    yield "cut off after its first part", value[:8]
    yield "with a space before it", f"%20{value}"
    yield "in full-width digits", quote(value.translate(_WIDE))
    yield "with NUL after it", f"{value}%00"
    yield "in a list with itself", f"{value}%2C{value}"
    yield "with a zero-width space after it", f"{value}%E2%80%8B"
    yield "in quotes", f"%22{value}%22"
    yield "that is an asterisk", "*"
    yield "in brackets", f"%5B{value}%5D"
    yield "with a condition after it", f"{value}%27%20OR%20%271%27%3D%271"
    yield "that is null", "null"
    yield "with an accent after it", f"{value}%CC%81"
    yield "that is a number", "-1"
    yield _FORMAT, f"{value}.json"


_FORMAT = "with the name of a format after it"
"""A shape that some servers take for another path, and answer as an unknown one: O-27, O-28."""
_UNREADABLE = ("NUL", "line feed", "condition", "wildcard", _FORMAT)
"""Words in the names of the shapes that a gateway may refuse with a body of its own."""


def _refusals(words: str) -> Sequence[int]:
    """Return the statuses with which an id of a shape may be refused."""
    return range(300, 500) if words.endswith(_FORMAT) else _REFUSED


class _Ids:
    """The checks of ids, with one conversation of a visitor."""

    def __init__(self, owner: Owner, stranger: Session | None) -> None:
        self._owner = owner
        self._stranger = stranger
        self._valid = [request for request in owner.requests() if request.path]
        self._private: set[str] = set()
        """Texts that only the owner may read."""

    def as_owner(self) -> None:
        """Judge that each spelling of an id shows its object or none, and a similar text none.

        The requests only read, or are refused.
        """
        if not self._owner.whole:
            return
        for request in self._valid:
            name, value = list(request.path.items())[-1]
            for words, segment in near_ids(value):
                exchange = self._ask(request, segment, words)
                self._owner.judge(
                    exchange.status in _refusals(words),
                    "malformed-refused",
                    exchange,
                    f"400, 404 or 422 for a `{name}` {words}",
                    place=name,
                )
            if request.method == "GET":
                self._same(request, name, value)

    def _same(self, request: RequestParts, name: str, value: str) -> None:
        self._owner.reset()
        plain = self._owner.send(request)
        for words, segment in same_ids(value):
            exchange = self._ask(request, segment, words)
            if exchange.refused or plain.status not in SUCCESS:
                continue
            shows = tolerance.lasting(exchange.json) == tolerance.lasting(plain.json)
            rule = "same-object" if "same-object" in _rules(request) else "malformed-refused"
            self._owner.judge(
                exchange.status in _REFUSED or (exchange.status in SUCCESS and shows),
                rule,
                exchange,
                f"a refusal, or the same answer for the `{name}` {words}",
                f"{exchange.status}, with another answer"
                if exchange.status in SUCCESS
                else str(exchange.status),
                words,
            )

    def as_stranger(self) -> None:
        """Judge that another visitor gets nothing with any form of the id."""
        if self._stranger is None:
            return
        whole = self._owner.whole
        self._private = self._texts()
        me = _identity(self._owner)
        for request in self._isolated():
            name, value = list(request.path.items())[-1]
            shapes = list(same_ids(value))
            for words, segment in (*shapes, *near_ids(value)) if whole else shapes[:1]:
                self._refused(request, segment, f"a `{name}` {words}")
            if whole:
                self._refused(request, None, "parameters of the owner", me)
            filters = _filters(request, whole=whole)
            for name, text in filters if whole else filters[:1]:
                self._refused(request, None, f"the filter `{name}` {text}", [(name, text)])
        self._lists(self._stranger, me)
        self._filtered_lists(self._stranger)

    def _lists(self, stranger: Session, parameters: Pairs) -> None:
        """Judge that parameters of the owner do not change whose data a visitor reads."""
        for operation in operations().values():
            request = self._owner.request(operation)
            if request is None or request.path or not operation.needs_token or operation.body:
                continue
            if operation.paging is None and not self._owner.whole:
                continue
            self._owner.reset()
            plain = self._owner.send(request, session=stranger)
            pairs = [*request.query.items(), *parameters]
            exchange = self._owner.send(request, session=stranger, query=pairs)
            if plain.status not in SUCCESS or exchange.status not in SUCCESS:
                continue
            rule = "own-list" if "own-list" in _rules(request) else "me"
            self._owner.judge(
                exchange.json == plain.json,
                rule,
                exchange,
                "the same answer as without parameters of another visitor",
                "another answer",
                "parameters",
            )

    def _filtered_lists(self, stranger: Session) -> None:
        """Judge that no filter of a list shows objects of others."""
        own = {value.lower() for value in self._owner.ids.values()}
        for request in self._owner.requests():
            if request.path or not request.described.needs_token:
                continue
            for name, text in _filters(request, whole=self._owner.whole):
                self._owner.reset()
                exchange = self._owner.send(request, session=stranger, query=[(name, text)])
                answer = exchange.content.decode("utf-8", "replace").lower()
                shown = set(_UUID.findall(answer))
                self._owner.judge(
                    not own & shown,
                    "own-list",
                    exchange,
                    f"no entry of another visitor with the filter `{name}` {text}",
                    ", ".join(sorted(own & shown)),
                    name,
                )

    def closed(self) -> None:
        """Judge that other visitors cannot reach a closed conversation either."""
        closing = self._owner.request(operations()[CLOSING])
        if closing is None or self._stranger is None or self._owner.context.profile.gentle:
            return
        self._owner.reset()
        if self._owner.send(closing).status not in SUCCESS:
            return
        self._owner.origin[:] = self._owner.history
        for request in self._isolated():
            self._refused(request, None, "a closed conversation")
        if self._owner.whole:
            self._filtered_lists(self._stranger)

    def without_token(self) -> None:
        """Judge that no way of writing the id, or the path, gets by without a token."""
        anonymous, whole = self._owner.context.anonymous, self._owner.whole
        protected = [each for each in self._valid if each.described.needs_token]
        for request in protected if whole else protected[:1]:
            name, value = list(request.path.items())[-1]
            spelled = list(same_ids(value))
            for words, segment in spelled if whole else spelled[:1]:
                exchange = self._ask(request, segment, words, anonymous)
                self._denied(exchange, f"a `{name}` {words}")
        for request in protected if whole else ():
            for words, target in _paths(request.target):
                self._owner.reset()
                exchange = self._owner.send(
                    request, session=anonymous, target=target, described=False
                )
                self._denied(exchange, f"a path {words}")

    def _denied(self, exchange: Exchange, words: str) -> None:
        self._owner.judge(
            exchange.status not in SUCCESS,
            "token-required",
            exchange,
            f"no success without a token for {words}",
            place=words,
        )

    def _refused(
        self,
        request: RequestParts,
        segment: str | None,
        words: str,
        parameters: Pairs = (),
    ) -> None:
        """Judge that a request of another visitor is refused, and shows nothing of the owner."""
        pairs = [*request.query.items(), *parameters]
        exchange = self._ask(request, segment, words, self._stranger, pairs)
        due: Iterable[int] = tolerance.HIDDEN if segment is None else _refusals(words)
        # A server may refuse parameters that it does not have: O-26.
        due = (*due, *(tolerance.REFUSALS if parameters else ()))
        answer = exchange.content.decode("utf-8", "replace")
        sent = (exchange.target + exchange.body.decode("utf-8", "replace")).lower()
        named = {value.lower() for value in request.path.values()}
        shown = [
            text
            for text in self._private
            if text in answer and text.lower() not in sent and text.lower() not in named
        ]
        self._owner.judge(
            exchange.status in due and not shown,
            "isolation",
            exchange,
            f"403 or 404 for another visitor's object, with {words}",
            f"{exchange.status}, with data of the owner: {shown[0]}" if shown else "",
            words,
        )

    def _ask(
        self,
        request: RequestParts,
        segment: str | None,
        words: str,
        session: Session | None = None,
        query: list[tuple[str, str]] | None = None,
    ) -> Exchange:
        """Send a request with ``segment`` in place of its last id."""
        target = request.target
        if segment is not None:
            value = list(request.path.values())[-1]
            before, _, after = target.rpartition(quote(value, safe=""))
            target = f"{before}{segment}{after}"
        self._owner.reset()
        described = not any(each in words for each in _UNREADABLE)
        return self._owner.send(
            request, session=session, target=target, query=query, described=described
        )

    def _isolated(self) -> list[RequestParts]:
        names = RULES["isolation"].operations
        return [request for request in self._valid if request.operation in names]

    def _texts(self) -> set[str]:
        """Return the sentences and ids in the data of the owner."""
        found = {self._owner.visitor.visitor_id}
        for operation in operations().values():
            request = self._owner.request(operation)
            if operation.method == "GET" and operation.owned and request is not None:
                exchange = self._owner.send(request)
                found |= {t for t in _strings(exchange.json) if " " in t or _UUID.fullmatch(t)}
        return found


class _Credentials:
    """The checks of tokens and keys."""

    def __init__(self, owner: Owner, stranger: Session | None) -> None:
        self._owner = owner
        self._valid = owner.requests()
        self._protected = [each for each in self._valid if each.described.needs_token]
        self._second = None if stranger is None else stranger.token

    def tokens(self) -> None:
        """Judge that each invalid token gets 401.

        Each is sent to one operation, in a whole run to two; the operations take turns.
        """
        shapes = list(self._shapes())
        for number, (words, credential) in enumerate(shapes if self._owner.whole else shapes[:4]):
            for shift in range(2 if self._owner.whole else 1):
                request = self._protected[(number + shift * 3) % len(self._protected)]
                self._unauthorized(request, words, credential)

    def _unauthorized(self, request: RequestParts, words: str, credential: str) -> None:
        self._owner.reset()
        values = {
            VISITORS[0]: self._owner.visitor.session.token or "",
            VISITORS[1]: self._second or "",
        }
        sent = filled(credential, values)
        if sent in {f"Bearer {each}" for each in values.values()}:
            return  # The tokens differ in one half only, so this is one of them.
        exchange = self._owner.context.anonymous.send(
            request, headers={"Authorization": sent}, credential=credential
        )
        self._owner.context.findings.see(exchange, self._owner.history)
        self._owner.judge(
            exchange.status == UNAUTHORIZED,
            "token-checked",
            exchange,
            f"401 for {words}",
            place=words,
        )

    def _shapes(self) -> Iterator[tuple[str, str]]:
        """Yield invalid credentials, with placeholders for the parts of valid ones."""
        first, second = self._owner.visitor.session.token or "", self._second
        visitor = self._owner.visitor.visitor_id
        is_jwt = _is_jwt(first)
        if is_jwt:
            yield "a token without a signature", f"Bearer {_NO_ALGORITHM['none']}.{{first.claims}}."
        yield "the beginning of a token", "Bearer {first.most}"
        yield "the id of a visitor", f"Bearer {visitor}"
        yield "a wildcard", "Bearer %"
        if second is not None:
            yield "halves of two tokens", "Bearer {first.left}{second.right}"
            if is_jwt:
                yield (
                    "the claims of one token with the signature of another",
                    "Bearer {second.unsigned}.{first.signature}",
                )
        yield "the word null", "Bearer null"
        if is_jwt:
            yield "a token with an empty signature", "Bearer {first.unsigned}."
            yield "a token without its last part", "Bearer {first.unsigned}"
            for name in ("None", "NONE"):
                credential = f"Bearer {_NO_ALGORITHM[name]}.{{first.claims}}."
                yield f"a token without a signature, {name}", credential
        if len({first, first.upper(), first.lower()}) > 2:  # in mixed case
            yield "a token in upper case", "Bearer {first.upper}"
            yield "a token in lower case", "Bearer {first.lower}"
        yield "an asterisk", "Bearer *"
        yield "the word undefined", "Bearer undefined"
        yield "an empty object as a token", "Bearer e30.e30."
        yield "a condition", "Bearer ' OR '1'='1"
        yield "a token in brackets", "Bearer [{first}]"
        yield "a token in quotes", 'Bearer "{first}"'
        yield "a token without a space before it", "Bearer{first}"
        yield "a token of another scheme before its own", "Basic Bearer {first}"
        yield "the scheme Token", "Token {first}"
        yield "the scheme Digest", "Digest {first}"
        if second is not None:
            yield "two tokens with a comma", "Bearer {first},{second}"

    def other_places(self) -> None:
        """Judge that a token elsewhere than in its header counts for nothing."""
        token, name = self._owner.visitor.session.token or "", credential_name(SESSION_TOKEN)
        names = (name, "token", "access_token")
        cookies = "; ".join(f"{each}={token}" for each in names)
        known = list(_identity(self._owner))
        ways: list[tuple[str, list[tuple[str, str]], dict[str, str]]] = [
            ("what says who the visitor is, as parameters", known, {}),
            ("a token in the query", [(each, token) for each in names], {}),
            ("a token as a cookie", [], {"Cookie": cookies}),
            (
                "a token in another header",
                [],
                {"X-Authorization": f"Bearer {token}", "X-Token": token},
            ),
        ]
        whole = self._owner.whole
        for number, (words, query, headers) in enumerate(ways if whole else ways[:3]):
            wanted = self._protected if whole and not number else self._protected[number:][:1]
            for request in wanted:
                self._owner.reset()
                pairs = [*request.query.items(), *query]
                exchange = self._owner.send(
                    request, session=self._owner.context.anonymous, query=pairs, headers=headers
                )
                refused = (UNAUTHORIZED, *(tolerance.REFUSALS if query else ()))
                self._owner.judge(
                    exchange.status in refused,
                    "token-required",
                    exchange,
                    f"401 without the header, for {words}",
                    place=words,
                )

    def keys(self) -> None:
        """Judge that each shape of the key is refused."""
        key, whole = self._owner.context.target.api_key, self._owner.whole
        if key is None:
            return
        shapes = [
            ("with a wildcard in place of its end", f"{key[:-4]}%"),
            ("with wildcards in place of its last characters", f"{key[:-4]}____"),
            ("that is a wildcard", "%"),
            ("that is an asterisk", "*"),
            ("in a list with another one", f"{key},pk_other"),
            ("with NUL after it", f"{key}\x00x"),
            ("in quotes", f'"{key}"'),
            ("in brackets", f"[{key}]"),
            ("that is encoded once more", f"%{ord(key[0]):02x}{key[1:]}"),
            ("that is null", "null"),
            ("with a zero-width space after it", f"{key}\u200b"),
            ("with a condition after it", f"{key}' OR '1'='1"),
            ("in full-width characters", _full_width(key)),
        ]
        taking = [request for request in self._valid if takes_key(request.described)]
        for request in taking if whole else taking[:1]:
            for words, value in shapes if whole else shapes[:1]:
                self._refused_key(with_key(request, value), words)
            if whole:
                self._nested_keys(request, key)

    def _nested_keys(self, request: RequestParts, key: str) -> None:
        name = credential_name(API_KEY)
        if name in properties(request.described):
            for words, value in (("in an array", [key]), ("that is a query", {"$ne": ""})):
                self._refused_key(request.changed(body={**request.body, name: value}), words)
            return
        others = [(each, value) for each, value in request.query.items() if each != name]
        for words, pairs in (
            ("in an array", [(f"{name}[]", key)]),
            ("that is a query", [(f"{name}[$ne]", "x")]),
        ):
            self._refused_key(request, words, [*others, *pairs])

    def _refused_key(
        self, request: RequestParts, words: str, query: list[tuple[str, str]] | None = None
    ) -> None:
        self._owner.reset()
        exchange = self._owner.send(request, query=query)
        self._owner.judge(
            exchange.status in CLIENT_ERRORS,
            "key-checked",
            exchange,
            f"a refusal of a key {words}",
            place=words,
        )


def _identity(owner: Owner) -> Pairs:
    """Return query parameters that identify the owner."""
    visitor, target = owner.visitor.visitor_id, owner.context.target
    found = [("visitorId", visitor), ("userId", visitor), ("role", "admin")]
    if target.api_key is not None:
        found.append((credential_name(API_KEY), target.api_key))
        found.append((credential_name(DEVICE), owner.context.devices.get(VISITORS[0], "")))
    return found


def _filters(request: RequestParts, *, whole: bool) -> list[tuple[str, str]]:
    """Return values of the query parameters that are enums.

    In a whole test these are all values of a filter, and one of another parameter.
    """
    filters = fitting_answers.filters(request.described)
    return [
        (parameter.name, str(value))
        for parameter in request.described.places("query")
        for number, value in enumerate(parameter.resolved.get("enum", ()))
        if not number or (whole and parameter.name in filters)
    ]


def _full_width(text: str) -> str:
    """Return a text in full-width characters, whose normal form KC is the text."""
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


def _devices(context: CheckContext) -> Iterator[tuple[str, str]]:
    """Yield devices that differ from the first one, or from each other, in one regard."""
    base = f"siteassist-contract-{uuid.uuid4().hex[:12]}"
    number = str(uuid.uuid4().int)[:12]
    name = f"{base} Zoe x"
    yield "of its own", name
    yield "in another case", name.lower()
    yield "with a wildcard for one character", name.replace("Z", "_")
    if not context.size.whole:
        return
    yield "in upper case", name.upper()
    yield "with a wildcard at its end", f"{base} Zoe%"
    yield "with an asterisk at its end", f"{base} Zoe*"
    yield "without its end", f"{base} Zoe"
    yield "with two spaces in place of one", name.replace(" x", "  x")
    yield "with an accent", name.replace("e x", "é x")
    yield "in another normal form", unicodedata.normalize("NFD", name.replace("e x", "é x"))
    yield "with a no-break space", name.replace(" x", "\u00a0x")
    yield "with a zero-width space", name.replace("Zoe", "Zo\u200be")
    yield "with an emoji", f"{base} 😀"
    yield "with another emoji", f"{base} 🙈"
    yield "with ss", f"{base} strasse"
    yield "with a sharp s", f"{base} straße"
    yield "in full-width letters", f"{base} Ｚｏｅ x"  # noqa: RUF001
    yield "that is a number", number
    yield "that is the number with a zero before it", f"0{number}"
    yield "that is the number as a fraction", f"{number}.0"
    yield "that is the number with an exponent", f"{number}e0"
    long = f"{base}-".ljust(98, "x")
    yield "with one character less than the maximum", f"{long}y"
    yield "with as many characters as the maximum", f"{long}yy"


def _paths(target: str) -> Iterator[tuple[str, str]]:
    """Yield spellings of a path that a router may accept, and a check of tokens may overlook."""
    first = target.split("/")[1]
    yield "with a slash after it", f"{target}/"
    yield "in another case", target.replace(first, first.upper(), 1)
    yield "with an encoded character", f"/%{ord(first[0]):02x}{target[2:]}"
    yield "with an empty segment", target.replace(first, f"{first}/", 1)
    yield "with encoded dot segments", f"/{first}/%2e%2e{target}"
    yield "with a parameter in a segment", f"{target};x=1"
    yield "with an ending", f"{target}.json"
    yield "with an encoded slash after it", f"{target}%2F"


def _is_jwt(token: str) -> bool:
    parts = token.split(".")
    try:
        header = json.loads(base64.urlsafe_b64decode(f"{parts[0]}==="))
    except ValueError:
        return False
    return len(parts) == 3 and isinstance(header, Mapping) and "alg" in header


def _rules(request: RequestParts) -> set[str]:
    return {name for name, rule in RULES.items() if request.operation in rule.operations}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
