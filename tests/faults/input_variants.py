"""Servers that take other spellings of a value, or refuse what they may refuse."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp

from siteassist_mock.content.seed import ASSISTANT_ID
from siteassist_mock.http.errors import ApiError, error_response
from tests.faults.exchange import Exchange
from tests.faults.faulty import Server
from tests.faults.inputs import change_body, change_field, change_query
from tests.faults.probing import Api
from tests.faults.variant import Shows, Variant, Variants
from tests.values import API_KEY

__all__ = ["INPUT_VARIANTS"]

_variants = Variants()
_add = _variants.add
_HI = {"role": "user", "content": "Hi"}
_LONG = "word " * 2_001


def _completes(status: int = 200, **body: Any) -> Shows:
    """Return a check of the status that a completion has."""

    def shows(api: Api) -> None:
        sent = {"messages": [_HI], **body}
        answer = api.visitor().send("createChatCompletion", body=sent)
        assert status == answer.status_code

    return shows


def _with_roles(change: Callable[[str], str]) -> Callable[[Any], Any]:
    def items(messages: Any) -> Any:
        if not isinstance(messages, list):
            return messages
        return [
            {**item, "role": change(item["role"])}
            if isinstance(item, dict) and isinstance(item.get("role"), str)
            else item
            for item in messages
        ]

    return change_field("messages", items)


def _prefixed_int(value: str) -> str:
    with suppress(ValueError):
        return str(int(value, 0)) if re.match("0[box]", value, re.IGNORECASE) else value
    return value


def _uuid(value: Any) -> Any:
    with suppress(ValueError):
        return str(uuid.UUID(value)) if isinstance(value, str) else value
    return value


def _takes_empty_status(api: Api) -> None:
    visitor = api.visitor()
    visitor.expect("getMessages", visitor.talk(), status="")


_add(
    "chat-role-with-space",
    "createChatCompletion ignores spaces around the role of a message.",
    "O-27",
    change_body("createChatCompletion", _with_roles(str.strip)),
    _completes(messages=[{"role": "user ", "content": "Hi"}]),
)
_add(
    "empty-status",
    "getMessages takes an empty status as none.",
    "O-27",
    change_query("getMessages", "status", lambda value: value or None),
    _takes_empty_status,
)
_add(
    "size-in-hexadecimal",
    "search takes a size in hexadecimal, octal or binary notation.",
    "O-27",
    change_query("search", "size", _prefixed_int),
    lambda api: api.expect("search", q="shipping", size="0x5", apiKey=API_KEY),
)
_add(
    "assistant-as-urn",
    "createChatCompletion takes the identifier of an assistant as a URN, or in braces.",
    "O-27",
    change_body("createChatCompletion", change_field("assistantId", _uuid)),
    _completes(assistantId=f"urn:uuid:{ASSISTANT_ID}"),
)


@_variants.variant(
    "long-message-of-completion-refused",
    "createChatCompletion refuses a message that would be too long for sendMessage.",
    "O-21",
    _completes(422, messages=[{"role": "user", "content": _LONG}]),
)
def _long_message_refused(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        body = exchange.request_json
        messages = body.get("messages") if isinstance(body, dict) else None
        if not isinstance(messages, list):
            return None
        contents = [each.get("content") for each in messages if isinstance(each, dict)]
        long = any(isinstance(each, str) and len(each) > 10_000 for each in contents)
        return error_response(ApiError(422)) if long else None

    server.before("createChatCompletion", ask)


INPUT_VARIANTS: Sequence[Variant] = tuple(_variants.variants)
"""The variants of this module."""
