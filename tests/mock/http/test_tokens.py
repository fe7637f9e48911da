"""Session tokens."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import jwt
import pytest

from siteassist_mock.clock import Clock
from siteassist_mock.http.tokens import MAX_SECONDS, Tokens

if TYPE_CHECKING:
    from tests.mock.conftest import FakeTime

SECRET = b"s" * 32


@pytest.fixture
def tokens(time: FakeTime) -> Tokens:
    """Make the tokens of a database."""
    return Tokens(SECRET, Clock(time))


def test_a_token_names_its_session(tokens: Tokens) -> None:
    """What was issued can be read."""
    assert tokens.read(tokens.issue("session-1")) == "session-1"


def test_a_token_ends(tokens: Tokens, time: FakeTime) -> None:
    """However busy its session is."""
    token = tokens.issue("session-1")
    time.seconds += MAX_SECONDS - 1
    assert tokens.read(token) == "session-1"
    time.seconds += 1
    assert tokens.read(token) is None


def test_another_secret_does_not_count(tokens: Tokens, time: FakeTime) -> None:
    """A token of another database is forged here."""
    assert tokens.read(Tokens(b"t" * 32, Clock(time)).issue("session-1")) is None


NESTED = base64.urlsafe_b64encode(b"[" * 40_000).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "é.é.é",
        f"{NESTED}.e30.x",
        jwt.encode({"jti": "session-1", "exp": 2**40}, None, algorithm="none"),
        jwt.encode({"jti": "session-1"}, SECRET, algorithm="HS256"),
        jwt.encode({"exp": 2**40}, SECRET, algorithm="HS256"),
        jwt.encode({"jti": 5, "exp": 2**40}, SECRET, algorithm="HS256"),
    ],
    ids=["text", "dots", "no-ascii", "nested", "unsigned", "no-exp", "no-jti", "numeric-jti"],
)
def test_junk_is_no_token(tokens: Tokens, token: str) -> None:
    """Nothing that a client can send raises."""
    assert tokens.read(token) is None
