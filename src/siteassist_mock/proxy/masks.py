"""Masks for the credentials in recorded traffic.

A credential that the description names has a mask of its own, wherever it stands, so that a
recording still shows which requests are those of the same visitor. A value that is only named
like a credential is masked where it stands by its name. Each expression looks at a character of
a client a limited number of times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, unquote_plus

from siteassist_mock.http.secret_names import is_secret_name
from siteassist_spec import Operation
from siteassist_spec.credentials import is_distinct, spellings

_HIDDEN = "masked"
_MASK = re.compile(rf"{_HIDDEN}(?:-[a-zA-Z]+-\d+)?")
_AUTHORIZATION = frozenset({"authorization", "proxy-authorization"})
_MOST_DECODINGS = 3
_MEMBER = re.compile(
    r'"((?:[^"\\]|\\.){0,100}+)"(\s{0,100}+:\s{0,100}+)'
    r'(?:"((?:[^"\\]|\\.)*+)|(-?[\d.]++)|(\[(?:[^\]{}"]++|"(?:[^"\\]|\\.)*+")*+))',
    re.DOTALL,
)
"""A text, a number or a flat list in JSON, which can be cut, by its name."""
_IN_TEXT = re.compile(r'\\"([^"\\]{1,100}+)(\\++"\s{0,9}+:\s{0,9}+\\++")([^"\\]++)')
"""A text in JSON that is itself in a text of JSON."""
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_NAME = re.compile(r"(?:^|[?&;#])([^=&?;#\s\"'<>]++)=")
"""The name of a parameter in a query, a fragment or a form."""
_VALUE = re.compile(r"[^&;#\s\"<>]*+")
_USER = re.compile(r"(://)[^/@\s\"'<>]++(?=@)")
_SEGMENT = re.compile(r"[^/?&=;#\s\"]++")
"""A part of an address."""


class Masks:
    """The credentials that were seen, and the mask of each."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        """Recognise the credentials that the description names, and values with similar names."""
        self._masks: dict[str, str] = {}
        """The credentials, the longest first: one may be a part of another."""
        self._counts: dict[str, int] = {}
        self._kinds = {
            name: kind
            for operation in operations.values()
            for name, kind in operation.credentials.items()
        }
        tokens = {each.session_token for each in operations.values() if each.session_token}
        self._kinds |= dict.fromkeys(tokens, "sessionToken")

    def learn(self, url: str, headers: Iterable[tuple[str, str]], *bodies: bytes) -> None:
        """Remember the credentials in a request, and in the answer to it."""
        self._learn_parameters(url)
        self._learn_parameters(_unquoted(url))
        for name, value in headers:
            if name.lower() in _AUTHORIZATION:
                scheme, _, token = value.strip().partition(" ")
                self._learn("sessionToken", token.strip() or scheme)
        for body in bodies:
            text = decoded(body)
            for name, value in _members(text):
                self._learn_named(name, value)
            self._learn_parameters(text)

    def header(self, name: str, value: str) -> str:
        """Return the value of a header without credentials."""
        if name.lower() in _AUTHORIZATION:
            scheme, space, token = value.strip().partition(" ")
            known = self._masks.get(token.strip() or scheme, _HIDDEN)
            return f"{scheme} {known}" if space else known
        return _HIDDEN if is_secret_name(name) else self.text(value)

    def text(self, text: str) -> str:
        """Return ``text`` without credentials."""
        text = self._plain(text)
        return _SEGMENT.sub(self._segment, text) if "%" in text else text

    def _plain(self, text: str) -> str:
        text = _MEMBER.sub(self._member, text)
        text = _IN_TEXT.sub(self._in_text, text)
        text = self._without_parameters(text)
        text = _USER.sub(rf"\g<1>{_HIDDEN}", text)
        for secret, mask in self._masks.items():
            if is_distinct(secret):
                for form in spellings(secret):
                    text = text.replace(form, mask)
        return text

    def _segment(self, match: re.Match[str]) -> str:
        """Mask the credentials in an encoded part of an address."""
        if "%" not in match[0]:
            return match[0]
        plain = _unquoted(match[0])
        masked = self._plain(plain)
        return match[0] if masked == plain else quote(masked, safe="")

    def _without_parameters(self, text: str) -> str:
        shown, end = [], 0
        for _, place in _parameters(text, self._is_secret):
            shown += [text[end : place.start], self._shown(_unquoted(text[place]))]
            end = place.stop
        return "".join((*shown, text[end:]))

    def _member(self, match: re.Match[str]) -> str:
        name, between, raw, number, values = match.groups()
        if not self._is_secret(_unescaped(name)):
            return match[0]
        if values is not None:
            return f'"{name}"{between}{_TEXT.sub(self._in_list, values)}'
        if number is not None:
            # A number stays one, so that the recording is judged as before.
            mask = self._shown(number)
            return f'"{name}"{between}{mask.rpartition("-")[2] if "-" in mask else 0}'
        return f'"{name}"{between}"{self._shown(_unescaped(raw))}'

    def _in_list(self, match: re.Match[str]) -> str:
        return f'"{self._shown(_unescaped(match[1]))}"'

    def _in_text(self, match: re.Match[str]) -> str:
        name, between, value = match.groups()
        return f'\\"{name}{between}{self._shown(value)}' if self._is_secret(name) else match[0]

    def _is_secret(self, name: str) -> bool:
        return name in self._kinds or is_secret_name(name)

    def _shown(self, secret: str) -> str:
        """Return the mask to show in place of a value beside its name."""
        if not secret or _MASK.fullmatch(secret):
            return secret
        return self._masks.get(secret, _HIDDEN)

    def _learn_parameters(self, text: str) -> None:
        for name, place in _parameters(text, self._kinds.__contains__):
            self._learn_named(name, _unquoted(text[place]))

    def _learn_named(self, name: str, value: str) -> None:
        if name in self._kinds:
            self._learn(self._kinds[name], value)

    def _learn(self, kind: str, secret: str) -> None:
        if secret and secret not in self._masks and not _MASK.fullmatch(secret):
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._masks[secret] = f"{_HIDDEN}-{kind}-{self._counts[kind]}"
            self._masks = dict(sorted(self._masks.items(), key=lambda pair: -len(pair[0])))


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Yield the texts and the numbers in JSON, which can be cut or invalid, by their names."""
    for name, _, raw, number, values in _MEMBER.findall(text):
        for each in _TEXT.findall(values) if values else (number or raw,):
            yield _unescaped(name), _unescaped(each)
    for name, _, value in _IN_TEXT.findall(text):
        yield name, value


def _parameters(text: str, is_chosen: Callable[[str], bool]) -> Iterator[tuple[str, slice]]:
    """Yield the name and the place of the value of chosen parameters, also within others."""
    at = 0
    while name := _NAME.search(text, at):
        at = name.end()
        if is_chosen(shown := unquote_plus(name[1])):
            value = _VALUE.match(text, at)
            at = value.end() if value is not None else at
            if at > name.end():
                yield shown, slice(name.end(), at)


def _unquoted(text: str) -> str:
    """Return a text of an address, which may be encoded more than once."""
    for _ in range(_MOST_DECODINGS):
        text = unquote_plus(text)
    return text


def decoded(body: bytes) -> str:
    """Return a body as text; each byte is a character if it is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _unescaped(raw: str) -> str:
    """Return a string of JSON, which may be cut or invalid, without its escapes."""
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw
