"""The layer `streams`: requests for streams and JSON, whose answers the grammar checks."""

from __future__ import annotations

from siteassist_contract.checks.behaviour.journeys import EMOJI, LONG
from siteassist_contract.checks.context import CheckContext

_BEFORE = (
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hello! How can I help?"},
)
_SHORT = "How long does shipping take?"
_CONTENTS = (_SHORT, "x", EMOJI, LONG, "Two\nlines")


def send_messages(context: CheckContext) -> None:
    """Send messages of different lengths, most of which are answered with a stream."""
    gentle = context.profile.gentle
    visitor = context.visitor()
    known = visitor.start()
    if known is None:
        return
    for content in _CONTENTS[:1] if gentle else _CONTENTS:
        visitor.send(known, content, stream=True)
    for _ in range(2):
        if visitor.needs_stream("sendMessage"):
            visitor.send(known, _SHORT, stream=True)
    if not gentle:
        visitor.send(known, _SHORT, stream=False)
        visitor.send(known, _SHORT)
    visitor.close(known)


def complete_chats(context: CheckContext) -> None:
    """Request completions, most of which are answered with a stream."""
    visitor, history = context.visitor(), context.recorder.history
    start = list(history)
    if context.profile.gentle:
        for streamed in (True, False):
            history[:] = start
            visitor.complete(_SHORT, stream=streamed)
        return
    for content in _CONTENTS:
        history[:] = start
        visitor.complete(content, stream=True)
    for stream in (False, None):
        history[:] = start
        visitor.complete(_SHORT, stream=stream)
    for stream in (True, False):
        history[:] = start
        visitor.complete(_SHORT, stream=stream, before=_BEFORE)


STREAMS = (("sendMessage", send_messages), ("createChatCompletion", complete_chats))
"""The operations that stream, and their checks."""
