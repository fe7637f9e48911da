"""Credentials in texts: hidden wherever they are a value, and nowhere in a word."""

from __future__ import annotations

import html
import json
import random
import re
import shlex
import string
from urllib.parse import quote, quote_plus

import pytest

from siteassist_runtime.redaction import REDACTED, redact
from siteassist_spec import credentials
from siteassist_spec.credentials import (
    is_distinct,
    is_shown,
    spellings,
    without_distinct,
    without_secrets,
)

MASK = "[hidden]"
WORDS = ("t", "0", "1", "id", "true", "user", "open", "message", "session", "conversation")
"""Credentials that are a part of ordinary text."""
SHORT = ("k-1", "key-1", "a b:c", "1234567", 'a"b', "t\\", "é", "ü-üü", "+/=")
LONG = ("sa_pk_1234567890abcdef", 'with "quotes" & <tags>', "ключ-1234567", "0123-4567-89")
EVERY = (*WORDS, *SHORT, *LONG)
DOCUMENT = {
    "message": "true to the user: 0 of 10 messages in an open session, it is not the first 't",
    "type": ["user", None, True, 0, 1.5, "conversations", "opened"],
    "conversation": {"id": "message-1", "open": 1234567890, "true": "tt", "t": 0},
}


@pytest.mark.parametrize("secret", EVERY)
@pytest.mark.parametrize(
    "place",
    [
        "{}",
        " {}\n",
        'no "{}" here',
        "no '{}' here",
        '{{"token": "{}"}}',
        '{{"type":"{}","x":1}}',
        "Authorization: Bearer {}",
        "authorization: {}",
        "x-api-key: {}\r\nx: 1",
        "GET /search?apiKey={}&q=x",
        "GET /search?q=x&apiKey={}",
    ],
)
def test_credential_is_hidden_where_it_is_a_value(secret: str, place: str) -> None:
    """Alone, in quotes, in a header, in a query: a credential of any length is hidden."""
    spelled = {secret, json.dumps(secret)[1:-1]}
    if "=" in place:
        spelled.add(quote(secret, safe=""))
    for written in spelled:
        shown = without_secrets(place.format(written), [secret, ""], MASK)
        assert shown in (place.format(MASK), MASK)


@pytest.mark.parametrize("secret", WORDS)
def test_words_stay_readable(secret: str) -> None:
    """A credential that is a word or a number does not change other text, or names of members."""
    for text in (
        "3 requests got no answer: it's not true that the user has a message",
        "conversations opened by 10 users, sessions 100 to 1000, identity",
        json.dumps({secret: None, f"x{secret}": 5}),
        "https://host/v2/users/10?limit=10&users=messages",
    ):
        assert text == without_secrets(text, [secret], MASK)


@pytest.mark.parametrize("secret", EVERY)
def test_json_stays_json(secret: str) -> None:
    """A document with the secret in a value stays JSON, with the same names and types."""
    text = json.dumps({**DOCUMENT, "token": secret})
    shown = json.loads(without_distinct(text, [secret], MASK))
    assert DOCUMENT == {name: shown[name] for name in DOCUMENT}
    assert (MASK if is_distinct(secret) else secret) == shown["token"]


def test_longer_credential_comes_first() -> None:
    """A credential may be a part of another one."""
    secrets = ["sa_pk_12345678", "sa_pk_1234567890", "key-1", "key-1-b"]
    text = "sa_pk_1234567890 sa_pk_12345678 key-1-b key-1"
    assert " ".join(4 * [MASK]) == without_secrets(text, secrets, MASK)


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("sa_pk_1234567890", b"xsa_pk_1234567890x", True),
        ("key-1", b"no <key-1>", True),
        ("key-1", b"no key-12", False),
        ("t", b'{"error": "t"}', False),
        ("message", b'{"error": {"message": "no message"}}', False),
    ],
)
def test_word_is_no_sign_of_a_leak(secret: str, text: bytes, expected: bool) -> None:
    """Only a credential that cannot be an ordinary word is taken for a leak."""
    assert expected == is_shown(text.decode(), secret)


def random_credentials() -> list[str]:
    """Return credentials of 8 to 60 characters of different alphabets."""
    numbers = random.Random(1)
    alphabets = (
        string.hexdigits.lower(),
        string.digits,
        string.ascii_lowercase,
        string.ascii_letters,
        f"{string.ascii_letters}{string.digits}-_",
        f"{string.ascii_letters}{string.digits}+/=",
        f"{string.ascii_letters}{string.digits}{string.punctuation}",
    )
    return [
        "".join(numbers.choices(alphabet, k=numbers.choice((8, 9, 12, 15, 16, 20, 40, 60))))
        for alphabet in alphabets
        for _ in range(20)
    ]


def test_tokens_without_signs_have_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thousands of session tokens of a run cost no search for other spellings."""
    signs = string.ascii_letters + string.digits + "._~-"
    randomly = random.Random(1)
    tokens = ["".join(randomly.choices(signs, k=randomly.randint(1, 40))) for _ in range(3000)]
    assert [{token} for token in tokens] == [
        set(credentials._escaped_spellings(token)) for token in tokens
    ]

    def searched(secret: str) -> tuple[str, ...]:
        raise AssertionError(f"the spellings of {secret}")

    monkeypatch.setattr(credentials, "_escaped_spellings", searched)
    assert [(token,) for token in tokens] == [spellings(token) for token in tokens]
    text = f"Bearer {max(tokens, key=len)}"
    assert f"Bearer {MASK}" == without_secrets(text, tokens, MASK)


def in_contexts(secret: str) -> list[str]:
    """Return texts in which a server or a program may show a credential."""
    lower = re.sub("%..", lambda code: code[0].lower(), quote(secret, safe=""))
    code = {ord(sign): f"\\u{ord(sign):04X}" for sign in "<>&'\"+`"}
    of_net = secret.replace("\\", "\\\\").translate(code)
    return [
        f"the key {secret} is unknown",
        f"unknown: {secret}",
        f"no '{secret}' here",
        f"x-api-key: {secret}\r\nx: 1",
        f"x={secret}; y=1",
        f"{secret}\n{secret} {secret}",
        f"/search?q={quote(secret, safe='')}&x=1",
        f"/search?q={quote_plus(secret)}&x=1",
        f"/search?q={lower}&x=1",
        f"https://user:{quote(secret, safe='')}@host/",
        f"<td>{html.escape(secret)}</td>",
        f"<td>{html.escape(secret).replace('&#x27;', '&#39;')}</td>",
        json.dumps({"key": secret}),
        json.dumps(json.dumps({"a": secret})),
        f'{{"key":"{of_net}"}}',
        repr(["a", secret]),
    ]


def test_random_credential_is_hidden_in_any_context() -> None:
    """Neither the contract tests and the mock nor the client show a credential of any alphabet."""
    for secret in random_credentials():
        for text in in_contexts(secret):
            assert MASK in without_secrets(text, [secret], MASK), (secret, text)
            assert secret not in without_secrets(text, [secret], MASK), (secret, text)
            assert REDACTED in redact(text, [secret]), (secret, text)
            assert secret not in redact(text, [secret]), (secret, text)
        if is_distinct(secret):
            assert f"tok_{MASK}_x" == without_secrets(f"tok_{secret}_x", [secret], MASK)
    quoted = shlex.quote("it's 1234567")
    assert f"'{MASK}'" == without_secrets(quoted, ["it's 1234567"], MASK)


@pytest.mark.parametrize("secret", ["messages", "conversation", "updatedAt", "12345678"])
def test_long_word_is_hidden_as_a_word_of_a_sentence(secret: str) -> None:
    """A word of 8 characters stays in addresses, in other words and as the name of a member."""
    assert f"no {MASK}, really" == without_secrets(f"no {secret}, really", [secret], MASK)
    assert f"no {REDACTED}, really" == redact(f"no {secret}, really", [secret])
    kept = [json.dumps({f"{secret}1": 1})]
    if secret.isalpha():
        kept += [f"x{secret}s", f"/v2/{secret}/1", f"/v2/{secret}?x", json.dumps({secret: 1})]
    assert kept == [without_secrets(text, [secret], MASK) for text in kept]
    assert kept == [redact(text, [secret]) for text in kept]


def test_random_letters_are_no_word() -> None:
    """Letters of random case are hidden anywhere; names of the description are words."""
    assert is_distinct("xKqPzLmWbT")
    for name in ("conversationId", "toolCallId", "ToolCallId", "isHumanHandled", "UPPERCASE"):
        assert not is_distinct(name)
