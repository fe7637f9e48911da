"""Values in reports."""

from __future__ import annotations

import pytest

from siteassist_contract.http.json_reader import shown_value


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), ("0", '"0"'), (None, "null"), (True, "true"), ("ü", '"ü"'), ({1}, "{1}")],
)
def test_value_is_shown_as_json(value: object, text: str) -> None:
    """Different values look different; what is not JSON is shown as Python spells it."""
    assert text == shown_value(value)
