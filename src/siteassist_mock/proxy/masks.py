"""Masks for the credentials in recorded traffic.

Each credential has a mask of its own, so that a recording still shows which requests are those
of the same visitor. A credential is known by its name, and is then masked wherever it stands,
however it is written there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote, unquote_plus

from siteassist_mock.http.secret_names import is_secret_name, squeezed
from siteassist_mock.proxy.spelling import pattern, plain
from siteassist_spec import Operation

_HIDDEN = "masked"
_MASK = re.compile(rf"{_HIDDEN}(?:-[\w-]+)?")
_COOKIES = frozenset({"cookie", "set-cookie"})
_AUTHORIZATION = frozenset({"authorization", "proxy-authorization"})
# A shorter credential may be a part of any word, and is masked only where it stands by its name.
_SHORTEST = 8
# Addresses in parameters of addresses.
_DEEPEST = 4
_DROPPED = str.maketrans("", "", "\\ +")
# A word that only the name of its place makes a credential is one there only.
_LONGEST_WORD = 16

_PAIR = re.compile(r"(^|[?&;#])([^=&?;#\s\"'<>]+)=([^&;#\s\"'<>]+)")
"""A parameter of a query, a fragment or a form."""
_COOKIE = re.compile(r"(?:^|[;,])\s*([^=;,\s]+)=\"?([^;,\s\"]+)")
_USER = re.compile(r"(://)[^/@\s\"'<>]+(?=@)")
_MEMBER = re.compile(r'"((?:[^"\\]|\\.){0,100}+)"\s*:\s*', re.DOTALL)
_SCALAR = re.compile(r'"((?:[^"\\]|\\.)*+)|(-?\d[\d.eE+-]*+)|[\[\]{}]|null|true|false', re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d.eE+-]*")
_STRING_END = '"'
_NESTED = re.compile(r'"((?:[^"\\]|\\.)*+)"?', re.DOTALL)
_PART = re.compile(
    r"(^content-disposition:[^\r\n]*\bname=\"?([^\";\r\n]+)\"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n){0,9}\r?\n)(.*?)(?=\r?\n--|\Z)",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
"""A part of a multipart form."""


class Masks:
    """The credentials that were seen, and the mask of each."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        """Recognise the credentials that the description names, and what is named like one."""
        self._masks: dict[str, str] = {}
        self._by_plain: dict[str, str] = {}
        """The mask of each credential without escapes: another spelling is the same one."""
        self._depth = 0
        self._counts: dict[str, int] = {}
        self._kinds = {
            squeezed(name): kind
            for operation in operations.values()
            for name, kind in operation.credentials.items()
        }
        for each in operations.values():
            if each.session_token:
                self._kinds[squeezed(each.session_token)] = "sessionToken"

    def learn(self, url: str, headers: Iterable[tuple[str, str]], *bodies: bytes) -> None:
        """Remember the credentials in a request, and in the answer to it."""
        self._learn_address(url)
        for name, value in headers:
            if name.lower() in _COOKIES:
                for cookie, secret in _COOKIE.findall(value):
                    if self._kind(cookie):
                        self._mask(cookie, secret)
            else:
                self.header(name, value)
                self._learn_address(value)
        for body in bodies:
            self._learn_text(decoded(body))

    def header(self, name: str, value: str) -> str:
        """Return the value of a header without credentials."""
        lower = name.lower()
        if lower in _COOKIES:
            return _HIDDEN
        if lower in _AUTHORIZATION:
            scheme, space, token = value.strip().partition(" ")
            if token.strip():
                return f"{scheme}{space}{self._mask('sessionToken', token.strip())}"
            return self._mask("sessionToken", scheme)
        return self._mask(name, value.strip()) if self._kind(name) else self.text(value)

    def text(self, text: str) -> str:
        """Return ``text`` without credentials."""
        text = self._without_named(text)
        folded = _folded(text)
        # The longest first: one may be a part of another.
        for secret, mask in sorted(self._masks.items(), key=lambda pair: -len(pair[0])):
            if not _is_distinct(secret, mask):
                continue
            # The search for all spellings takes long.
            if secret in text or _folded(secret) in folded:
                text = _without(text, secret, mask)
        return text

    def _learn_text(self, text: str) -> None:
        self._without_named(text)
        # JSON in a string of JSON.
        for raw in _NESTED.findall(text) if '\\"' in text else ():
            if '\\"' in raw:
                self._learn_text(_unescaped(raw))

    def _learn_address(self, text: str) -> None:
        self._learn_text(text)
        # An address in the path of another one.
        if (bare := unquote(text)) != text:
            self._without_named(bare)

    def _without_named(self, text: str) -> str:
        """Mask what stands by the name of a credential, and remember it."""
        if "=" in text:
            text = _PAIR.sub(self._pair, text)
            if "\n" in text:
                text = _PART.sub(self._part, text)
        if "://" in text and "@" in text:
            text = _USER.sub(rf"\g<1>{_HIDDEN}", text)
        return self._without_members(text) if ":" in text else text

    def _pair(self, match: re.Match[str]) -> str:
        before, name, value = match.groups()
        shown = unquote_plus(name)
        if not self._kind(shown):
            return f"{before}{name}={self._value(value)}"
        return f"{before}{name}={self._mask(shown, unquote_plus(value))}"

    def _value(self, value: str) -> str:
        """Mask what a parameter contains, such as an address with parameters of its own."""
        given = unquote_plus(value)
        if self._depth >= _DEEPEST or not ("=" in given or ":" in given):
            return value
        self._depth += 1
        masked = self._without_named(given)
        self._depth -= 1
        if masked == given:
            return value
        return masked if given == value else quote(masked, safe="")

    def _part(self, match: re.Match[str]) -> str:
        head, name, value = match.groups()
        return f"{head}{self._mask(name, value)}" if value and self._kind(name) else match[0]

    def _without_members(self, text: str) -> str:
        """Mask the strings and numbers of the members of JSON, which may be cut or invalid."""
        shown, end = [], 0
        for member in _MEMBER.finditer(text):
            name = _unescaped(member[1])
            if member.start() < end or not self._kind(name):
                continue
            at, depth = member.end(), 0
            while scalar := _SCALAR.match(text, at):
                shown.append(text[end : scalar.start()])
                end = scalar.end()
                if scalar[1] is not None:
                    value = _unescaped(scalar[1])
                    shown.append(f'"{self._mask(name, value) if value else ""}')
                    if text[end : end + 1] == _STRING_END:
                        shown.append(_STRING_END)
                        end += 1
                elif scalar[2] is not None:
                    shown.append(self._mask(name, scalar[2]).rpartition("-")[2])
                else:
                    # An object has members with names of their own.
                    depth += {"[": 1, "]": -1, "{": -depth, "}": -depth}.get(scalar[0], 0)
                    shown.append(scalar[0])
                if depth <= 0:
                    break
                at = _after_separator(text, end)
        return "".join((*shown, text[end:]))

    def _kind(self, name: str) -> str | None:
        """Return the kind of credential that a name has, or None."""
        return self._kinds.get(squeezed(name)) or ("credential" if is_secret_name(name) else None)

    def _mask(self, name: str, secret: str) -> str:
        """Return the mask of a credential."""
        if not secret or _MASK.fullmatch(secret):
            return secret
        if secret not in self._masks:
            bare = plain(secret)
            if bare not in self._by_plain:
                kind = self._kind(name) or "credential"
                self._counts[kind] = self._counts.get(kind, 0) + 1
                self._by_plain[bare] = f"{_HIDDEN}-{kind}-{self._counts[kind]}"
            self._masks[secret] = self._by_plain[bare]
        return self._masks[secret]


def _is_distinct(secret: str, mask: str) -> bool:
    """Return whether a credential can be told from a part of any other text."""
    word = secret.isalpha() and len(secret) < _LONGEST_WORD and "-credential-" in mask
    return len(secret) >= _SHORTEST and not word


def _without(text: str, secret: str, mask: str) -> str:
    """Mask each spelling of a credential."""
    spellings = pattern(secret)
    if not _NUMBER.fullmatch(secret):
        return spellings.sub(mask, text)
    # A number of JSON stays a number, and a part of a longer one is no credential.
    number = rf"\g<1>{mask.rpartition('-')[2]}"
    text = re.sub(rf"([:\[,]\s*){re.escape(secret)}(?=\s*[,\]}}])", number, text)
    return re.sub(rf"(?<![\d.]){spellings.pattern}(?!\d)", mask, text)


def _folded(text: str) -> str:
    """Return what all spellings of a text have in common."""
    return plain(text).translate(_DROPPED)


def _after_separator(text: str, at: int) -> int:
    while text[at : at + 1] in tuple(", \t\r\n"):
        at += 1
    return at


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
        return plain(raw)
