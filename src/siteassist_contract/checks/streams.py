"""Layer 3: streams asked for in every way, and judged by the grammar of the stream."""

from __future__ import annotations

from collections.abc import Iterator

from siteassist_contract.checks.behaviour.journeys import EMOJI, LONG
from siteassist_contract.checks.context import Ground

_BEFORE = (
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hello! How can I help?"},
)
_SHORT = "How long does shipping take?"


def run(ground: Ground) -> Iterator[str]:
    """Ask both operations for streams and for JSON; yields the name of each that is done."""
    contents = [_SHORT] if ground.profile.gentle else [_SHORT, "x", EMOJI, LONG, "Two\nlines"]
    visitor = ground.visitor()
    known = visitor.start()
    if known is not None:
        for content in contents:
            visitor.send(known, content, stream=True)
        if not ground.profile.gentle:
            visitor.send(known, _SHORT, stream=False)
            visitor.send(known, _SHORT)
        visitor.close(known)
    yield "sendMessage"
    ground.wire.history.clear()
    if not ground.profile.gentle:
        for content in contents:
            visitor.complete(content, stream=True)
            ground.wire.history.clear()
        for stream in (False, None):
            visitor.complete(_SHORT, stream=stream)
        for stream in (True, False):
            ground.wire.history.clear()
            visitor.complete(_SHORT, stream=stream, before=_BEFORE)
    yield "createChatCompletion"
