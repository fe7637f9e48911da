"""Tests for session tokens."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import jwt
import pytest

from siteassist_mock.clock import SteadyClock
from siteassist_mock.http.tokens import MAX_SECONDS, Tokens

if TYPE_CHECKING:
    from tests.mock.conftest import FakeTime

SECRET = b"s" * 32


@pytest.fixture
def tokens(time: FakeTime) -> Tokens:
    """Create the tokens of a database."""
    return Tokens(SECRET, SteadyClock(time))


def test_a_token_names_its_session(tokens: Tokens) -> None:
    """The session of an issued token can be read."""
    assert tokens.read(tokens.issue("session-1")) == "session-1"


def test_a_token_expires(tokens: Tokens, time: FakeTime) -> None:
    """A token expires even if its session is in use."""
    token = tokens.issue("session-1")
    time.seconds += MAX_SECONDS - 1
    assert tokens.read(token) == "session-1"
    time.seconds += 1
    assert tokens.read(token) is None


def test_a_token_with_another_secret_is_refused(tokens: Tokens, time: FakeTime) -> None:
    """A token of another database is invalid."""
    assert tokens.read(Tokens(b"t" * 32, SteadyClock(time)).issue("session-1")) is None


NESTED = base64.urlsafe_b64encode(b"[" * 40_000).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "é.é.é",
        f"{NESTED}.e30.x",
        jwt.encode({"jti": "session-1", "exp": 2**40}, "", algorithm="none"),
        jwt.encode({"jti": "session-1"}, SECRET, algorithm="HS256"),
        jwt.encode({"exp": 2**40}, SECRET, algorithm="HS256"),
        jwt.encode({"jti": 5, "exp": 2**40}, SECRET, algorithm="HS256"),
    ],
    ids=["text", "dots", "no-ascii", "nested", "unsigned", "no-exp", "no-jti", "numeric-jti"],
)
def test_an_invalid_token_is_refused(tokens: Tokens, token: str) -> None:
    """An invalid token does not raise."""
    assert tokens.read(token) is None
