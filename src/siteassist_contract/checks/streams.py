"""Layer 3: requests for streams and for JSON, whose answers the stream grammar checks."""

from __future__ import annotations

from collections.abc import Iterator

from siteassist_contract.checks.behaviour.journeys import EMOJI, LONG
from siteassist_contract.checks.context import CheckContext

_BEFORE = (
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hello! How can I help?"},
)
_SHORT = "How long does shipping take?"


def run(context: CheckContext) -> Iterator[str]:
    """Test both streaming operations; yield the name of each when it is done."""
    contents = [_SHORT] if context.profile.gentle else [_SHORT, "x", EMOJI, LONG, "Two\nlines"]
    visitor = context.visitor()
    known = visitor.start()
    if known is not None:
        for content in contents:
            visitor.send(known, content, stream=True)
        if not context.profile.gentle:
            visitor.send(known, _SHORT, stream=False)
            visitor.send(known, _SHORT)
        visitor.close(known)
    yield "sendMessage"
    context.recorder.history.clear()
    if not context.profile.gentle:
        for content in contents:
            visitor.complete(content, stream=True)
            context.recorder.history.clear()
        for stream in (False, None):
            visitor.complete(_SHORT, stream=stream)
        for stream in (True, False):
            context.recorder.history.clear()
            visitor.complete(_SHORT, stream=stream, before=_BEFORE)
    yield "createChatCompletion"
