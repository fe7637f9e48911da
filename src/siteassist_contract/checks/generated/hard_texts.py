"""Generated requests with a text from the catalogue of hard values.

A text takes the place of a valid one, so that a valid request remains valid, and an invalid
one remains invalid for the same reason.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from siteassist_contract.checks.hard_values import HARD_TEXTS
from siteassist_contract.checks.text_fields import TextField, text_fields
from siteassist_contract.description import operations, validator
from siteassist_spec.schemas import accepts


def mixed_in(operation_id: str, value: Any, *, in_query: bool) -> st.SearchStrategy[Any]:
    """Return ``value``, a query or a body, or a copy with a hard text in one of its fields."""
    pairs = [
        (field, text.value)
        for field in text_fields(operations()[operation_id])
        if field.in_query == in_query and _has_valid_text(field, value)
        for text in HARD_TEXTS
        if field.most is None or len(text.value) <= field.most
    ]
    if not pairs:
        return st.just(value)
    hard = st.sampled_from(pairs).map(lambda pair: _replaced(value, *pair))
    return st.one_of(st.just(value), hard)


def _has_valid_text(field: TextField, value: Any) -> bool:
    text = value
    for step in field.steps:
        try:
            text = text[step]
        except (IndexError, KeyError, TypeError):
            return False
    return isinstance(text, str) and accepts(validator(field.schema), text)


def _replaced(value: Any, field: TextField, text: str) -> Any:
    changed = copy.deepcopy(value)
    place = changed
    for step in field.steps[:-1]:
        place = place[step]
    place[field.steps[-1]] = text
    return changed
