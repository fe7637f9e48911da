"""The layer `streams`: the grammar of event streams, with a strict parser.

Unlike a client, the parser tolerates no faults.

    stream  = start step* finish "[DONE]"
    step    = start-step text* finish-step
    text    = text-start(id) text-delta(id)* text-end(id)      (texts may overlap)

Payloads of other types may occur between any two of these (docs/evidence.md,
R-10). After an `error` or an `abort` the stream may end in any way (O-15).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from siteassist_contract import description
from siteassist_contract.http.json_reader import read_json
from siteassist_spec.schemas import complaints

FRAMES = "stream-frames"
ORDER = "stream-order"
IDS = "stream-ids"
END = "stream-end"
EXPECTED = {
    FRAMES: "UTF-8, in which each event is a `data:` line with typed JSON and an empty line",
    ORDER: "`start` first, `finish` last, and each step and text started before it is used, and"
    " ended",
    IDS: "deltas with the id with which their text was started",
    END: "one `[DONE]` as the last event, and nothing after it",
}
"""The expected stream, by rule."""

_LINE = re.compile(r"\r\n|\r|\n")
_FIELDS = frozenset({"data", "event", "id", "retry"})
_BROKEN_OFF = frozenset({"error", "abort"})
_LEAST_DELTAS = 5
_SLOW = 0.5
"""Minimum duration of a stream, in seconds, for its timing to be judged."""
_SPREAD = 0.05
"""Maximum share of that time in which the body of a buffered stream arrives."""
_MANY_DELTAS = 20
_BURST = 0.02
"""Maximum time, in seconds, in which a model could not have written so many deltas."""
_NEARLY_ALL = 0.8
"""Minimum share of the deltas that arrive in that time at the end of a buffered stream."""
_DELTA = re.compile(rb'"text-delta"')
_TYPE = re.compile(rb'"type"\s*:\s*"([^"]*)"')
_SILENCE = 0.5
"""Minimum share of the duration in which nothing arrives before."""
_COLLECTED = 0.5
"""Maximum number of chunks for each delta if the server has collected them."""


@dataclass(frozen=True)
class GrammarFault:
    """A violation of the grammar."""

    rule: str
    """One of the rules on streams in `siteassist_contract.rules`."""
    sentence: str


@dataclass
class ParsedStream:
    """The content and the faults of a stream."""

    faults: list[GrammarFault] = field(default_factory=list)
    message: str = ""
    """The id of the message that the answer becomes, if the stream has one."""
    text: str = ""
    """All deltas, in order."""
    deltas: int = 0
    broken_off: bool = False
    """Whether the stream reports a failure of the answer."""


def read(operation_id: str, content: bytes) -> ParsedStream:
    """Parse a whole stream of ``operation_id``."""
    operation = description.operations()[operation_id]
    stream = operation.stream
    if stream is None:
        raise ValueError(f"{operation_id} does not stream")
    payload_schema = description.validator(stream.payload)
    parsed = ParsedStream()
    grammar = _Grammar(parsed)
    ended = False
    for data in _events(content, parsed.faults):
        if ended:
            parsed.faults.append(GrammarFault(END, f"{_short(data)} follows {stream.terminator}"))
            break
        if data == stream.terminator:
            ended = True
            continue
        try:
            payload = read_json(data)
        except ValueError:
            parsed.faults.append(
                GrammarFault(FRAMES, f"the data of an event is not JSON: {_short(data)}")
            )
            continue
        complaint = next(complaints(payload_schema, payload), None)
        if complaint or not isinstance(payload, dict):
            parsed.faults.append(
                GrammarFault(FRAMES, f"invalid payload: {_short(data)} ({complaint})")
            )
            continue
        grammar.take(payload)
    grammar.end()
    parsed.text = _with_pairs(parsed.text)
    if not ended and not parsed.broken_off:
        parsed.faults.append(GrammarFault(END, f"the stream ends without {stream.terminator}"))
    return parsed


def held_back(
    seconds: float,
    first: float,
    deltas: int,
    arrivals: Sequence[tuple[float, int]] = (),
    content: bytes = b"",
) -> bool | None:
    """Whether a stream was sent all at once; ``None`` if this cannot be judged.

    ``seconds`` is the duration of the answer, ``first`` the time until its first byte,
    ``arrivals`` the time and the size of each chunk of ``content``. A stream is held back as well
    if nearly all of its text arrives at once after a long silence, though its first bytes were
    early, and whatever follows the text.

    An assistant may think or use a tool for seconds, and then write its whole answer in a moment:
    a chunk for each of its pieces shows that they were not collected. One that is writing a text
    goes on, though: its pieces were held back, in whichever chunks they come.
    """
    if seconds < _SLOW or deltas < _LEAST_DELTAS:
        return None
    if seconds - first < _SPREAD * seconds:
        return True if len(arrivals) < _COLLECTED * deltas else None
    texts = list(_text_arrivals(arrivals, content))
    if not texts:
        return False
    begin = texts[-1][0] - _BURST
    burst = [number for at, number in texts if at >= begin]
    written = deltas - sum(burst)
    silence = begin - max((at for at, _ in arrivals if at < begin), default=begin)
    if written > (1 - _NEARLY_ALL) * deltas or silence < _SILENCE * seconds:
        return False
    if sum(burst) < _MANY_DELTAS:
        return None
    before = content[: sum(size for at, size in arrivals if at < begin)]
    is_writing = _TYPE.findall(before)[-1:] == [b"text-delta"]
    return True if is_writing or len(burst) < _COLLECTED * deltas else None


def _text_arrivals(
    arrivals: Sequence[tuple[float, int]], content: bytes
) -> Iterator[tuple[float, int]]:
    """Yield the time and the number of deltas of each chunk that ends a delta."""
    ends = [found.end() for found in _DELTA.finditer(content)]
    offset = known = 0
    for at, size in arrivals:
        offset += size
        complete = bisect_right(ends, offset)
        if complete > known:
            yield at, complete - known
        known = complete


class _Grammar:
    """The state of the parser after a number of payloads."""

    def __init__(self, parsed: ParsedStream) -> None:
        self._parsed = parsed
        self._started = False
        self._finished = False
        self._in_step = False
        self._open: set[str] = set()
        self._known: set[str] = set()

    def take(self, payload: dict[str, Any]) -> None:
        """Process one payload that is valid for its schema."""
        kind = payload["type"]
        if kind in _BROKEN_OFF:
            self._parsed.broken_off = True
        if self._parsed.broken_off:
            return  # O-15
        step = getattr(self, "_" + kind.replace("-", "_"), None) if kind in _KNOWN else None
        if step is None:
            return
        if self._finished:
            self._fault(ORDER, f"`{kind}` comes after `finish`")
        elif not self._started and kind != "start":
            self._started = True
            self._fault(ORDER, f"the stream begins with `{kind}` instead of `start`")
        step(payload)

    def end(self) -> None:
        """Record a missing `start` or `finish`, unless the answer broke off."""
        if self._parsed.broken_off:
            return
        if not self._finished:
            self._fault(ORDER, "the stream ends without `finish`")
        elif not self._started:
            self._fault(ORDER, "the stream has no `start`")

    def _start(self, payload: dict[str, Any]) -> None:
        if self._started:
            self._fault(ORDER, "`start` comes twice")
        self._started = True
        self._parsed.message = payload.get("messageId", "").lower()

    def _start_step(self, _: dict[str, Any]) -> None:
        if self._in_step:
            self._fault(ORDER, "`start-step` comes within a step")
        self._in_step = True

    def _text_start(self, payload: dict[str, Any]) -> None:
        if not self._in_step:
            self._fault(ORDER, "`text-start` comes outside of a step")
        if payload["id"] in self._open:
            self._fault(IDS, f"the text {payload['id']!r} is opened twice")
        self._open.add(payload["id"])
        self._known.add(payload["id"])

    def _text_delta(self, payload: dict[str, Any]) -> None:
        self._belongs(payload, "text-delta")
        self._parsed.text += payload["delta"]
        self._parsed.deltas += 1

    def _text_end(self, payload: dict[str, Any]) -> None:
        self._belongs(payload, "text-end")
        self._open.discard(payload["id"])

    def _finish_step(self, _: dict[str, Any]) -> None:
        if not self._in_step:
            self._fault(ORDER, "`finish-step` comes without `start-step`")
        self._close("finish-step")
        self._in_step = False

    def _finish(self, _: dict[str, Any]) -> None:
        if self._in_step:
            self._fault(ORDER, "`finish` comes before `finish-step`")
        self._close("finish")
        self._finished = True

    def _belongs(self, payload: dict[str, Any], kind: str) -> None:
        name = payload["id"]
        if name in self._open:
            return
        if name in self._known:
            self._fault(ORDER, f"`{kind}` comes after the text {name!r} has ended")
        elif self._open:
            opened = ", ".join(sorted(map(repr, self._open)))
            self._fault(IDS, f"`{kind}` has the id {name!r}, expected {opened}")
        else:
            self._fault(ORDER, f"`{kind}` comes before `text-start`")

    def _close(self, kind: str) -> None:
        if self._open:
            opened = ", ".join(sorted(map(repr, self._open)))
            self._fault(ORDER, f"`{kind}` comes while the text {opened} is open")
            self._open.clear()

    def _fault(self, rule: str, sentence: str) -> None:
        self._parsed.faults.append(GrammarFault(rule, sentence))


_KNOWN = frozenset(
    {
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
    }
)


def _events(content: bytes, faults: list[GrammarFault]) -> Iterator[str]:
    """Yield the data of each event, and record faults of the frames."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        faults.append(GrammarFault(FRAMES, f"the stream is not UTF-8 at byte {error.start}"))
        text = content.decode("utf-8", "replace")
    *lines, rest = _LINE.split(text.removeprefix("\ufeff"))
    data: list[str] = []
    # The lines of the event with a field that the standard does not have.
    others: list[str] = []
    found = False
    for line in lines:
        if line:
            # The standard joins several data lines into one text.
            data += _data(line, others)
            continue
        if data:
            found = True
            yield "\n".join(data)
        else:
            faults += map(_not_a_field, others)
        data = []
        others = []
    if rest:
        data += _data(rest, others)
    if not data:
        faults += map(_not_a_field, others)
    if rest or data:
        text = "\n".join(data) or rest
        faults.append(GrammarFault(FRAMES, f"the last event is not complete: {_short(text)}"))
    if data:
        # The incomplete event is still judged.
        yield "\n".join(data)
    elif not found:
        faults.append(GrammarFault(FRAMES, "the stream has no event"))


def _data(line: str, others: list[str]) -> list[str]:
    """Return the data in a line, if it has any, and add a line with an unknown field to others."""
    name, _, value = line.partition(":")
    if name == "data":
        return [value.removeprefix(" ")]
    # A line without a name is a comment.
    if name and name not in _FIELDS:
        others.append(line)
    return []


def _not_a_field(line: str) -> GrammarFault:
    """Return the fault of a line in place of an event.

    The standard ignores unknown fields, so beside the data of an event they are not a fault.
    """
    return GrammarFault(FRAMES, f"a line is not a field of an event: {_short(line)}")


def _with_pairs(text: str) -> str:
    """Join the halves of characters that were sent in two deltas, as JavaScript does."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
