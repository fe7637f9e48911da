"""Tests for query strings."""

from __future__ import annotations

import pytest

from siteassist_mock.http.parameters import coerce, parse_query


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b"", {}),
        (b"a=1&b=&a=2", {"a": ["1", "2"], "b": [""]}),
        (b"a=%C3%A9+%26", {"a": ["é &"]}),
        ("a=é".encode(), {"a": ["é"]}),
    ],
)
def test_every_value_is_kept(raw: bytes, values: dict[str, list[str]]) -> None:
    """Empty and repeated values are kept, and percent-encoding is decoded."""
    assert parse_query(raw) == values


@pytest.mark.parametrize("raw", [b"a=%ff", b"a=\xff"])
def test_invalid_utf_8_is_refused(raw: bytes) -> None:
    """Invalid UTF-8 is refused, percent-encoded or not."""
    with pytest.raises(ValueError, match="utf-8"):
        parse_query(raw)


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("null", {"number", "null"}, None),
        ("", {"number", "null"}, None),
        ("null", {"string"}, "null"),
        ("", {"number"}, ""),
        ("10", {"number"}, 10),
        ("1e2", {"number"}, 100),
        ("1.0", {"integer"}, 1),
        ("-0", {"number"}, 0),
        ("9007199254740993", {"integer"}, 9007199254740993),
        ("1e308", {"number"}, int(1e308)),
        ("1.5", {"number"}, 1.5),
        ("1e-1", {"integer"}, 0.1),
        ("01", {"number"}, "01"),
        ("+1", {"number"}, "+1"),
        ("1_0", {"number"}, "1_0"),
        ("٣", {"number"}, "٣"),
        ("nan", {"number"}, "nan"),
        ("1", {"string"}, "1"),
        ("true", {"boolean"}, True),
        ("false", {"boolean"}, False),
        ("yes", {"boolean"}, "yes"),
    ],
)
def test_a_text_is_converted_to_its_type(text: str, types: set[str], value: object) -> None:
    """Only the types of the schema and the notation of JSON are accepted."""
    actual = coerce(text, types)
    assert (actual, type(actual)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1e309", "is out of range"),
        ("9" * 400, "is out of range"),
        ("9" * 9000, "is out of range"),
    ],
)
def test_an_unusable_number_is_refused(text: str, reason: str) -> None:
    """Numbers beyond the range of a double are refused."""
    with pytest.raises(ValueError, match=reason):
        coerce(text, {"number"})
