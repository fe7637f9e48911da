"""The peers, each with an in-memory transport and an equivalent request.

The peers are imported by name, because only the environment of the benchmark contains
them. openai and anthropic use httpx2, a faster relative of httpx. Their baseline is httpx
nevertheless, so that all values of a table have the same baseline; the time that httpx2
saves counts in their favour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

import httpx

from . import samples
from .samples import JSON_TYPE, QUESTION, STREAM_TYPE

Opening = Callable[[], AbstractContextManager[Any]]
"""A function that starts a stream, as a context manager that yields its events."""

_MESSAGES = [{"role": "user", "content": QUESTION}]
_OPENAI_URL = "https://api.openai.com/v1/chat/completions"
_OPENAI_QUESTION = {"messages": _MESSAGES, "model": "gpt-4.1"}
_ANTHROPIC_URL = "https://api.anthropic.com/v1/messages"
_ANTHROPIC_QUESTION = {"max_tokens": 1024, "messages": _MESSAGES, "model": "a-model"}


def transport(http: Any, content: Any, headers: dict[str, str]) -> Any:
    """Return a transport for the library ``http`` that answers every request with ``content``."""

    def answer(_: Any) -> Any:
        return http.Response(200, content=content, headers=headers)

    return http.MockTransport(answer)


def _openai(chunks: Any, headers: dict[str, str]) -> Any:
    http = import_module("httpx2")
    client = http.Client(transport=transport(http, chunks, headers))
    return import_module("openai").OpenAI(api_key="x", http_client=client)


def _anthropic(chunks: Any, headers: dict[str, str]) -> Any:
    http = import_module("httpx2")
    client = http.Client(transport=transport(http, chunks, headers))
    return import_module("anthropic").Anthropic(api_key="x", http_client=client)


def openai_stream(chunks: list[bytes]) -> Opening:
    """Return a function that starts a stream of openai's chat completions."""
    client = _openai(chunks, STREAM_TYPE)
    return lambda: client.chat.completions.create(**_OPENAI_QUESTION, stream=True)


def anthropic_stream(chunks: list[bytes]) -> Opening:
    """Return a function that starts a stream of anthropic's messages."""
    client = _anthropic(chunks, STREAM_TYPE)
    return lambda: client.messages.create(**_ANTHROPIC_QUESTION, stream=True)


def httpx_sse_stream(chunks: list[bytes]) -> Opening:
    """Return a function that starts a stream of JSON, read with httpx-sse and `json.loads`."""
    connect = import_module("httpx_sse").connect_sse
    client = httpx.Client(transport=transport(httpx, chunks, STREAM_TYPE))

    @contextmanager
    def begin() -> Iterator[Any]:
        with connect(client, "POST", "https://example.com/") as source:
            yield (json.loads(sse.data) for sse in source.iter_sse() if sse.data != "[DONE]")

    return begin


def openai_call() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a call with openai, and the same call with bare httpx."""
    client = _openai(samples.OPENAI_ANSWER, JSON_TYPE)
    bare = httpx.Client(transport=transport(httpx, samples.OPENAI_ANSWER, JSON_TYPE))
    return (
        lambda: client.chat.completions.create(**_OPENAI_QUESTION),
        lambda: bare.post(_OPENAI_URL, json=_OPENAI_QUESTION).json(),
    )


def anthropic_call() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a call with anthropic, and the same call with bare httpx."""
    client = _anthropic(samples.ANTHROPIC_ANSWER, JSON_TYPE)
    bare = httpx.Client(transport=transport(httpx, samples.ANTHROPIC_ANSWER, JSON_TYPE))
    return (
        lambda: client.messages.create(**_ANTHROPIC_QUESTION),
        lambda: bare.post(_ANTHROPIC_URL, json=_ANTHROPIC_QUESTION).json(),
    )
