"""The additional checks on event streams."""

from __future__ import annotations

import pytest

from siteassist_contract.checks.generated import stream_checks
from siteassist_spec import EventStream

STREAM = EventStream(
    request_flag="stream",
    terminator="[DONE]",
    error_type="error",
    error_text="errorText",
    parts="MessagePart",
    usage="TokenUsage",
    event={},
    payload={},
)
START = 'data: {"type":"start"}\n\n'
DONE = "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "content_type", "fault"),
    [
        ({"stream": True}, "text/event-stream", False),
        ({"stream": True}, "Text/Event-Stream; charset=utf-8", False),
        ({"stream": True}, "application/json", True),
        ({"stream": True}, "", True),
        ({"stream": False}, "application/json", False),
        ({"stream": False}, "text/event-stream", True),
        ({}, "application/json", False),
        ({}, "text/event-stream", False),
        ({"stream": "true"}, "text/event-stream", False),
        ("no object", "text/event-stream", False),
    ],
)
def test_media_type_follows_the_flag(body: object, content_type: str, fault: bool) -> None:
    """The flag selects JSON or a stream; without it, either is valid."""
    assert fault == (stream_checks.wrong_form(STREAM, body, content_type) is not None)


@pytest.mark.parametrize(
    "text",
    [
        START + DONE,
        f"{START}: keep-alive\n\n{DONE}",
        (START + DONE).replace("\n", "\r\n"),
        (START + DONE).replace("\n", "\r"),
        (START + DONE).replace("data: ", "data:"),
        f"{START}data: [DONE]",
        START + 'data: {"type":"error","errorText":"no"}\n\n',
        START + 'data: {"type":"error","errorText":"no"}\n\n' + DONE,
    ],
    ids=["plain", "comment", "crlf", "cr", "no space", "no last line", "error", "error, end"],
)
def test_complete_stream_passes(text: str) -> None:
    """A stream with events and its terminator is complete in any encoding."""
    assert stream_checks.wrong_end(STREAM, text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "at least one event"),
        (": nothing\n\n", "at least one event"),
        (DONE, "at least one event"),
        (START + START, 'got `data: {"type":"start"}`'),
        (START + DONE + START, "must end with"),
        (START + DONE + DONE, "nothing may follow"),
        (START + "data: [1, 2]\n\n" + START, "must end with"),
        (START + f"data: {100_000 * '['}\n\n" + START, "must end with"),
    ],
    ids=["empty", "comment", "end only", "no end", "after the end", "two ends", "list", "deep"],
)
def test_incomplete_stream_is_reported(text: str, fault: str) -> None:
    """The message has what is missing or superfluous."""
    found = stream_checks.wrong_end(STREAM, text)
    assert found is not None
    assert fault in found
