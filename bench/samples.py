"""Responses of the in-memory services: the same answer in the format of each service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from itertools import cycle, islice
from typing import Any

CONVERSATION = "123e4567-e89b-12d3-a456-426614174000"
TEXT_ID = "msg_68c276dd2b3481a2bb6da153039cf9cd093857e78e8e8f18"
QUESTION = "Hi"
ANSWER_TEXT = "Hello! How can I assist you today?"
WORDS = [f"{word} " for word in ANSWER_TEXT.split()]
JSON_TYPE = {"content-type": "application/json"}
STREAM_TYPE = {"content-type": "text/event-stream"}
CHUNK = 64 * 1024


def encode(value: Any) -> bytes:
    """Serialise ``value`` as compact JSON, as the services do."""
    return json.dumps(value, separators=(",", ":")).encode()


def _block(payload: Any, name: str = "") -> bytes:
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + encode(payload) + b"\n\n"


DONE = b"data: [DONE]\n\n"
OPENING = [
    _block({"type": "start"}),
    _block({"type": "start-step"}),
    _block({"type": "text-start", "id": TEXT_ID}),
]
DELTAS = [_block({"type": "text-delta", "id": TEXT_ID, "delta": word}) for word in WORDS]
CLOSING = [
    _block({"type": "text-end", "id": TEXT_ID}),
    _block({"type": "finish-step"}),
    _block({"type": "finish"}),
    DONE,
]
# An event that adds no text to the answer.
SILENT = _block({"type": "data-progress", "data": {"step": 1}, "transient": True})

ANSWER = encode(
    {
        "steps": [
            {
                "content": [{"type": "text", "text": ANSWER_TEXT}],
                "finishReason": "stop",
                "usage": {
                    "inputTokens": 2409,
                    "outputTokens": 11,
                    "totalTokens": 2420,
                    "reasoningTokens": 0,
                    "cachedInputTokens": 0,
                },
            }
        ]
    }
)


def siteassist_stream(deltas: int) -> list[bytes]:
    """Return the events of an answer with ``deltas`` pieces of text."""
    return [*OPENING, *islice(cycle(DELTAS), deltas), *CLOSING]


OPENAI_ANSWER = encode(
    {
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-4.1-2025-04-14",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": ANSWER_TEXT,
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
    }
)


def openai_stream(deltas: int) -> list[bytes]:
    """Return the same answer in the format of openai's chat completion streams."""

    def piece(delta: dict[str, str], reason: str | None) -> bytes:
        return _block(
            {
                "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
                "object": "chat.completion.chunk",
                "created": 1741569952,
                "model": "gpt-4.1-2025-04-14",
                "system_fingerprint": "fp_44709d6fcb",
                "choices": [
                    {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
                ],
            }
        )

    pieces = [piece({"content": word}, None) for word in WORDS]
    opening = piece({"role": "assistant", "content": ""}, None)
    return [opening, *islice(cycle(pieces), deltas), piece({}, "stop"), DONE]


_ANTHROPIC_MESSAGE: dict[str, Any] = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "a-model",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 25, "output_tokens": 11},
}
ANTHROPIC_ANSWER = encode(
    {
        **_ANTHROPIC_MESSAGE,
        "content": [{"type": "text", "text": ANSWER_TEXT}],
        "stop_reason": "end_turn",
    }
)


def anthropic_stream(deltas: int) -> list[bytes]:
    """Return the same answer in the format of anthropic's message streams."""

    def event(name: str, **fields: Any) -> bytes:
        return _block({"type": name, **fields}, name)

    pieces = [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        for word in WORDS
    ]
    return [
        event("message_start", message=_ANTHROPIC_MESSAGE),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *islice(cycle(pieces), deltas),
        event("content_block_stop", index=0),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": deltas},
        ),
        event("message_stop"),
    ]


def cut(events: Iterable[bytes]) -> list[bytes]:
    """Join the events and cut them into chunks of a fixed size, as a fast network would."""
    whole = b"".join(events)
    return [whole[at : at + CHUNK] for at in range(0, len(whole), CHUNK)]


class AsyncChunks:
    """A response body in chunks, for the asynchronous clients."""

    def __init__(self, chunks: list[bytes]) -> None:
        """Store the chunks."""
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks in order."""
        for chunk in self._chunks:
            yield chunk
