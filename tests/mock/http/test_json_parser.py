"""Tests for the strict JSON parser."""

from __future__ import annotations

import pytest

from siteassist_mock.http.json_parser import MAX_DEPTH, parse_json


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "is not JSON: Expecting value at line 1, column 1"),
        (b"{", "is not JSON: Expecting property name"),
        (b"1 2", "is not JSON: Extra data"),
        (b"\xff", "is not UTF-8 at byte 0"),
        (b'"\xed\xa0\x80"', "is not UTF-8 at byte 1"),
        (b'"\\ud800"', "has half of a surrogate pair"),
        (b'{"\\udc00": 1}', "has half of a surrogate pair"),
        (b"NaN", "is not JSON: it has no NaN"),
        (b"[Infinity]", "is not JSON: it has no Infinity"),
        (b"[-Infinity]", "is not JSON: it has no -Infinity"),
        (b"1e999", "has a number that is out of range"),
        (b"1" * 400, "has a number that is out of range"),
        (b"1" * 9000, "has a number that is out of range"),
        (b'{"a": 1, "a": 2}', "has a name twice in one object"),
        (b"[" * 200_000, f"is nested more than {MAX_DEPTH} levels deep"),
        (
            b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
            f"is nested more than {MAX_DEPTH} levels deep",
        ),
        (
            b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
            f"is nested more than {MAX_DEPTH} levels deep",
        ),
    ],
)
def test_invalid_json_is_refused(raw: bytes, reason: str) -> None:
    """Each extension of Python's parser and each attack has its own error."""
    with pytest.raises(ValueError, match=r"^(is|has) ") as caught:
        parse_json(raw)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": [1, 2.5, true, null]}', {"a": [1, 2.5, True, None]}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\u0000"', "\0"),
        (b"1e308", 1e308),
        (b"18446744073709551616", 2**64),
        (b"[" + b"[]," * 150 + b"[]]", [[]] * 151),
    ],
)
def test_valid_json_is_parsed(raw: bytes, value: object) -> None:
    """Surrogate pairs, NUL, large numbers and long arrays are valid."""
    assert parse_json(raw) == value
