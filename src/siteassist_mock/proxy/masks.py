"""Masks for the credentials in recorded traffic.

Each credential has a mask of its own, so that a recording still shows which requests are those
of the same visitor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlsplit

from siteassist_spec import Operation

_SECRET_HEADERS = frozenset(
    {"cookie", "proxy-authorization", "set-cookie", "x-api-key", "x-auth-token"}
)
"""Headers, besides ``Authorization``, whose whole value is a secret."""
_HIDDEN = "masked"
# A shorter credential may be a part of any word, and is replaced only where it stands by its name.
_SHORTEST = 8


class Masks:
    """The credentials that were seen, and the mask of each."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        """Recognise the credentials that the description names."""
        self._masks: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._kinds = {
            name: kind
            for operation in operations.values()
            for name, kind in operation.credentials.items()
        }
        tokens = {each.session_token for each in operations.values() if each.session_token}
        self._kinds |= dict.fromkeys(tokens, "sessionToken")
        names = "|".join(map(re.escape, self._kinds))
        self._member = re.compile(rf'"({names})"\s*:\s*"((?:[^"\\]|\\.)*)', re.DOTALL)
        self._parameter = re.compile(rf'(?:^|[?&])({names})=([^&\s"]+)')

    def learn(self, url: str, headers: Iterable[tuple[str, str]], *bodies: bytes) -> None:
        """Remember the credentials in a request, and in the answer to it."""
        for name, value in parse_qsl(urlsplit(url).query):
            self._learn_named(name, value)
        for name, value in headers:
            if name.lower() == "authorization":
                scheme, _, token = value.partition(" ")
                self._learn("sessionToken", token.strip() or scheme)
        for body in bodies:
            # Without a parser of JSON: a body can be cut, or not valid.
            text = decoded(body)
            for name, raw in self._member.findall(text):
                self._learn_written(name, raw, _unescaped(raw))
            for name, raw in self._parameter.findall(text):
                self._learn_written(name, raw, unquote_plus(raw))

    def header(self, name: str, value: str) -> str:
        """Return the value of a header without credentials."""
        return _HIDDEN if name.lower() in _SECRET_HEADERS else self.text(value)

    def text(self, text: str) -> str:
        """Return ``text`` without credentials."""
        # The longest first: one may be a part of another.
        for secret, mask in sorted(self._masks.items(), key=lambda pair: -len(pair[0])):
            for form in dict.fromkeys(
                (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret))
            ):
                if len(secret) >= _SHORTEST:
                    text = text.replace(form, mask)
                elif form in text:
                    text = self._named(form).sub(rf"\g<1>{mask}", text)
        return text

    def _named(self, form: str) -> re.Pattern[str]:
        """Return the pattern of a short credential beside its name, in JSON or in a query."""
        names = "|".join(map(re.escape, self._kinds))
        return re.compile(
            rf'("(?:{names})"\s*:\s*"|(?:^|[?&])(?:{names})=|\bBearer ){re.escape(form)}\b'
        )

    def _learn_named(self, name: str, value: str) -> None:
        if name in self._kinds:
            self._learn(self._kinds[name], value)

    def _learn_written(self, name: str, raw: str, value: str) -> None:
        """Remember a credential, and how a body writes it, by the same mask."""
        self._learn_named(name, value)
        if value in self._masks:
            self._masks.setdefault(raw, self._masks[value])

    def _learn(self, kind: str, secret: str) -> None:
        if secret and secret not in self._masks and not secret.startswith(f"{_HIDDEN}-"):
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._masks[secret] = f"{_HIDDEN}-{kind}-{self._counts[kind]}"


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
