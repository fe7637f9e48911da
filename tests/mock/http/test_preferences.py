"""Tests for the parser of ``Prefer`` headers (RFC 7240)."""

from __future__ import annotations

import pytest

from siteassist_mock.http.preferences import header_values, parse_preferences


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], {}),
        ([""], {}),
        (["code=404"], {"code": "404"}),
        (["code = 404 ,  example=notFound"], {"code": "404", "example": "notFound"}),
        (["code=404", "example=notFound"], {"code": "404", "example": "notFound"}),
        (["Code=404"], {"code": "404"}),
        (["respond-async, code=404"], {"respond-async": "", "code": "404"}),
        (['example="a, b; c"'], {"example": "a, b; c"}),
        (['example="a \\" b"'], {"example": 'a " b'}),
        (['code=""'], {"code": ""}),
        (["code=404; because=of-me; and"], {"code": "404"}),
        ([",, code=404 ,"], {"code": "404"}),
    ],
)
def test_preferences_are_read(values: list[str], found: dict[str, str]) -> None:
    """Preferences may be quoted and spread over several headers; parameters are ignored."""
    assert found == parse_preferences(values)


def test_only_the_first_of_a_name_counts() -> None:
    """The first value of a preference applies (section 2), across headers as well."""
    assert {"code": "404"} == parse_preferences(["code=404, code=500", "CODE=429"])


@pytest.mark.parametrize("broken", ["=", "co de=4", "code=4 04", 'x="open', "é=1", "code==4"])
def test_a_malformed_preference_is_skipped(broken: str) -> None:
    """A malformed preference does not affect those around it."""
    assert {"a": "1", "b": "2"} == parse_preferences([f"a=1, {broken}, b=2"])


def test_reading_takes_linear_time() -> None:
    """A hostile header of the largest size is parsed in linear time."""
    for hostile in ('"' * 30_000, ' = "' * 8_000, "a=" + "\\" * 30_000, '"\\' * 15_000):
        assert {} == parse_preferences([hostile])


def test_header_values_come_in_their_order() -> None:
    """All values of a header are returned in order, as text."""
    headers = [(b"prefer", b"a"), (b"accept", b"*/*"), (b"prefer", b"\xe9")]
    assert ["a", "é"] == header_values(headers, b"prefer")
