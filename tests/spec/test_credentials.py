"""Credentials in texts: hidden wherever they are a value, and nowhere in a word."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from siteassist_spec.credentials import is_distinct, is_shown, without_distinct, without_secrets

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
