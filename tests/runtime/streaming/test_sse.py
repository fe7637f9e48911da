"""The event stream decoder, compared with the standard at every chunk boundary."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from siteassist_runtime.errors import StreamDecodeError
from siteassist_runtime.streaming import sse
from siteassist_runtime.streaming.sse import EventDecoder

BOM = b"\xef\xbb\xbf"
REPLACEMENT = "\ufffd"

TRICKY: dict[str, bytes] = {
    "nothing": b"",
    "one event": b"data: x\n\n",
    "BOM": BOM + b"data: x\n\n",
    "BOM alone": BOM,
    "BOM before a blank line": BOM + b"\n\ndata: x\n\n",
    "BOM twice": BOM + BOM + b"data: x\n\ndata: y\n\n",
    "BOM before the second event": b"data: x\n\n" + BOM + b"data: y\n\n",
    "BOM in the data": b"data: " + BOM + b"\n\n",
    "half a BOM": b"\xef\xbbdata: x\n\ndata: y\n\n",
    "a third of a BOM": b"\xefdata: x\n\ndata: y\n\n",
    "half a BOM, then a line": b"\xef\xbb\ndata: x\n\n",
    "nearly a BOM": b"\xef\xbb\xbedata: x\n\ndata: y\n\n",
    "BOM and CR": BOM + b"\rdata: x\r\r",
    "CR": b"data: x\r\rdata: y\r\r",
    "CRLF": b"data: x\r\n\r\ndata: y\r\n\r\n",
    "CR at the start": b"\r\rdata: x\n\n",
    "LF at the start": b"\n\n\ndata: x\n\n",
    "CRLF, then CR": b"data: x\r\n\rdata: y\n\n",
    "CR, then CRLF": b"data: x\r\r\ndata: y\n\n",
    "LF, then CR": b"data: x\n\rdata: y\n\n",
    "CR, then LF is one end": b"data: x\r\ndata: y\n\n",
    "LF, then CRLF": b"data: x\n\r\ndata: y\n\n",
    "CRLF, then LF": b"data: x\r\n\ndata: y\n\n",
    "an odd number of LF": b"data: x\n\n\ndata: y\n\n\n\n\ndata: z\n\n",
    "CR as the last byte": b"data: x\r\n\r",
    "CR in the data": b"data: a\rdata: b\r\r",
    "several lines": b"data: a\ndata: b\ndata: c\n\n",
    "several lines, one empty": b"data: a\ndata:\ndata: c\n\n",
    "several lines with CRLF": b"data: a\r\ndata: b\r\n\r\n",
    "lines without data between": b"data: a\nid: 1\n: c\nretry: 5\ndata: b\n\n",
    "comments": b": c\n\n:\n\n::\n\ndata: x\n:c\n\n: c\n",
    "comment that looks like data": b":data: x\n\n: data: x\n\n",
    "event only": b"event: x\n\ndata: y\n\n",
    "id only": b"id: 1\n\ndata: y\n\n",
    "retry only": b"retry: 1\n\ndata: y\n\n",
    "fields in odd order": b"data: x\nretry: 1\nid: 2\nevent: e\n\nid\ndata: y\n\n",
    "event after data": b"data: a\nevent: x\ndata: b\n\n",
    "unknown fields": b"Data: x\n\ndatum: x\n\ndata x\n\n data: x\n\ndata : x\n\ndata\t: x\n\n",
    "no colon": b"data\n\n",
    "no colon, twice": b"data\ndata\n\n",
    "no space": b"data:x\n\n",
    "two spaces": b"data:  x\n\n",
    "two spaces in several lines": b"data:  a\ndata:  b\nid:  1\n\n",
    "a tab": b"data:\tx\n\n",
    "space at the end": b"data: x \n\n",
    "empty data": b"data:\n\ndata: \n\n",
    "empty lines of data": b"data:\ndata: \n\n",
    "a space alone": b"data:  \n\n",
    "colons": b"data: a: b:c\n\ndata::\n\n",
    "data in the data": b"data: data: x\n\ndata:data: x\n\n",
    "other line separators": "data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei\n\n".encode(),
    "separators before a field": "\u2028data: x\n\n\x0bdata: y\n\n\x0cdata: z\n\n".encode(),
    "NUL": b"data: a\x00b\n\n\x00data: x\n\nid: a\x00b\ndata: y\n\n",
    "many bytes": "data: é€😀\n\n".encode(),
    "bad byte": b"data: a\xffb\n\n",
    "overlong": b"data: \xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf\n\n",
    "surrogates": b"data: \xed\xa0\x80\xed\xb0\x80\n\n",
    "too large": b"data: \xf4\x90\x80\x80\xf5\x80\n\n",
    "cut off": b"data: \xe2\x82\n\ndata: \xf0\x9f\x98\n\ndata: \xc3\n\n",
    "cut off before CR": b"data: \xe2\x82\r\rdata: \xf0\x9f\r\n\r\n",
    "continuation alone": b"data: \x80\x80\n\n\x80data: x\n\n",
    "bad name": b"da\xffta: x\n\n",
    "no final blank line": b"data: x\n\ndata: y\n",
    "no final line end": b"data: x\n\ndata: y",
    "no end at all": b"data: x",
    "half a character at the end": b"data: x\n\ndata: \xe2\x82",
    "ends within a field": b"data: x\n\nda",
    "terminator": b'data: {"a":1}\n\ndata: [DONE]\n\n',
}


def reference_decode(data: bytes) -> str:
    """Decode as the Encoding standard's "UTF-8 decode" does, byte by byte."""
    data = data.removeprefix(BOM)
    text: list[str] = []
    needed = seen = point = 0
    lower, upper = 0x80, 0xBF
    at = 0
    while at < len(data):
        byte = data[at]
        at += 1
        if not needed:
            if byte <= 0x7F:
                text.append(chr(byte))
            elif 0xC2 <= byte <= 0xDF:
                needed, point = 1, byte & 0x1F
            elif 0xE0 <= byte <= 0xEF:
                lower = 0xA0 if byte == 0xE0 else 0x80
                upper = 0x9F if byte == 0xED else 0xBF
                needed, point = 2, byte & 0x0F
            elif 0xF0 <= byte <= 0xF4:
                lower = 0x90 if byte == 0xF0 else 0x80
                upper = 0x8F if byte == 0xF4 else 0xBF
                needed, point = 3, byte & 0x07
            else:
                text.append(REPLACEMENT)
            continue
        if not lower <= byte <= upper:
            # The unexpected byte is decoded again.
            at -= 1
            text.append(REPLACEMENT)
            needed = seen = point = 0
        else:
            point = point << 6 | byte & 0x3F
            seen += 1
            if seen == needed:
                text.append(chr(point))
                needed = seen = point = 0
        lower, upper = 0x80, 0xBF
    if needed:
        text.append(REPLACEMENT)
    return "".join(text)


def reference_lines(text: str) -> list[str]:
    """Return the complete lines, which end with CRLF, LF or CR."""
    lines: list[str] = []
    line = ""
    at = 0
    while at < len(text):
        if text[at] in "\r\n":
            at += 2 if text[at : at + 2] == "\r\n" else 1
            lines.append(line)
            line = ""
        else:
            line += text[at]
            at += 1
    return lines


def reference(data: bytes) -> list[str]:
    """Return the data of every event of a stream, following section 9.2.6 literally."""
    events: list[str] = []
    buffer = ""
    for line in reference_lines(reference_decode(data)):
        if not line:
            if buffer:
                events.append(buffer[:-1])
            buffer = ""
            continue
        if line[0] == ":":
            continue
        colon = line.find(":")
        name = line if colon < 0 else line[:colon]
        value = "" if colon < 0 else line[colon + 1 :]
        if value and value[0] == " ":
            value = value[1:]
        if name == "data":
            buffer += value + "\n"
    return events


def decode(*chunks: bytes) -> list[str]:
    """Return the data of every event of a stream in these chunks."""
    decoder = EventDecoder()
    return [data for chunk in chunks for data in decoder.feed(chunk)]


def cut(data: bytes, *places: int) -> list[bytes]:
    """Cut ``data`` at these places; a repeated place makes an empty chunk."""
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        # The examples of the standard, and cases that its text states explicitly.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third",
            ["first event", "second event"],
        ),
        (b"data\n\ndata\ndata\n\ndata:", ["", "\n"]),
        (b"data:test\n\ndata: test\n\n", ["test", "test"]),
        (BOM + b"data: x\n\n", ["x"]),
        (BOM + BOM + b"data: x\n\n", []),
        ("data: a\u2028b\n\n".encode(), ["a\u2028b"]),
        (b"data: \xed\xa0\x80\n\n", [3 * REPLACEMENT]),
        (b"data: \xe2\x82\n\n", [REPLACEMENT]),
    ],
)
def test_reference_follows_the_standard(stream: bytes, events: list[str]) -> None:
    """The reference decoder above gives the results that the standard states."""
    assert events == reference(stream)


@given(st.binary(max_size=12))
@settings(derandomize=True, max_examples=200)
def test_reference_decodes_utf8_as_python_does(data: bytes) -> None:
    """The reference decodes UTF-8 as Python does."""
    assert data.removeprefix(BOM).decode("utf-8", "replace") == reference_decode(data)


@pytest.mark.parametrize("name", TRICKY)
def test_tricky_streams_in_one_chunk(name: str) -> None:
    """A stream in one chunk is decoded as by the reference."""
    assert reference(TRICKY[name]) == decode(TRICKY[name])


@pytest.mark.parametrize("name", TRICKY)
def test_tricky_streams_byte_by_byte(name: str) -> None:
    """A stream in chunks of one byte, with empty chunks between, is decoded alike."""
    stream = TRICKY[name]
    chunks = [chunk for at in range(len(stream)) for chunk in (stream[at : at + 1], b"")]
    assert reference(stream) == decode(b"", *chunks)


@pytest.mark.parametrize("around", [(b"", b""), (b"data: w\n\n", b""), (BOM + b"\r\n", b"\n\n")])
@pytest.mark.parametrize("name", TRICKY)
def test_tricky_streams_cut_once_or_twice(name: str, around: tuple[bytes, bytes]) -> None:
    """No single cut and no pair of cuts changes the events, at the start or later."""
    stream = TRICKY[name].join(around)
    events = reference(stream)
    places = range(len(stream) + 1)
    wrong = [
        cuts
        for cuts in [*((place,) for place in places), *combinations(places, 2)]
        if decode(*cut(stream, *cuts)) != events
    ]
    assert [] == wrong


PIECES = st.sampled_from(
    [
        *(BOM, BOM[:1], BOM[1:], b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"),
        *(b"data", b"data:", b"data: ", b"data:  ", b":", b": c", b" ", b"x", b"\x00"),
        *(b"id: 1", b"id", b"event: e", b"retry: 5", b"data: x\n\n", b"data: [DONE]\n\n"),
        *("\u2028".encode(), "\u0085".encode(), b"\x0b", b"\x0c", "é€😀".encode()),
        *(b"\xff", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\x80", b"\xc3"),
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=4), max_size=14).map(b"".join)


@given(STREAMS, st.lists(st.integers(0, 80), max_size=6))
@example(b"\xef\xbb\xbf\r\ndata: x\r\n\r\n", [1, 2, 3, 4, 5])
@settings(derandomize=True, max_examples=800)
def test_random_stream_cut_at_random_places(stream: bytes, places: list[int]) -> None:
    """A random stream, cut at random places, is decoded as by the reference."""
    cuts = [min(place, len(stream)) for place in places]
    assert reference(stream) == decode(*cut(stream, *cuts))


@given(STREAMS, STREAMS)
@settings(derandomize=True, max_examples=200)
def test_decoders_share_nothing(first: bytes, second: bytes) -> None:
    """Two decoders fed in turn do not affect each other."""
    one, other = EventDecoder(), EventDecoder()
    found: tuple[list[str], list[str]] = ([], [])
    for at in range(max(len(first), len(second))):
        found[0].extend(one.feed(first[at : at + 1]))
        found[1].extend(other.feed(second[at : at + 1]))
    assert (reference(first), reference(second)) == found


def test_event_is_returned_with_the_chunk_that_completes_it() -> None:
    """An event is returned with the chunk that completes it, even if that ends with CR."""
    decoder = EventDecoder()
    assert [] == decoder.feed(b"data: x\r\n")
    assert ["x"] == decoder.feed(b"\r")
    assert [] == decoder.feed(b"\n")
    assert ["y"] == decoder.feed(b"data: y\n\n")


def test_very_long_line() -> None:
    """A line of a megabyte in small chunks is decoded completely."""
    text = "Grüße " * 150_000
    stream = f"data: {text}\n\ndata: end\n\n".encode()
    chunks = cut(stream, *range(0, len(stream), 4093))
    assert [text, "end"] == decode(*chunks)


def test_many_events_in_one_chunk() -> None:
    """All events of a chunk are returned, in order, with and without comments."""
    plain = "".join(f"data: {n}\n\n" for n in range(1000)).encode()
    mixed = plain + b": a comment\n\n" + plain
    numbers = [str(n) for n in range(1000)]
    assert numbers == decode(plain)
    assert 2 * numbers == decode(mixed)


def test_limit_on_an_event_is_16_mib() -> None:
    """The limit on an event is 16 MiB, far above any real answer."""
    assert 16 * 1024 * 1024 == sse.LARGEST_EVENT


@pytest.mark.parametrize("line", [b"data: " + 1994 * b"x", 20 * (b"data: " + 100 * b"x" + b"\n")])
def test_event_over_the_limit_is_refused(line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event over the limit raises an error for every chunk size."""
    monkeypatch.setattr(sse, "LARGEST_EVENT", 1000)
    stream = line + b"\n\n"
    taken = []
    for step in (1, 7, 500, 999, 1500, len(stream) - 1, len(stream)):
        try:
            decode(*cut(stream, *range(step, len(stream), step)))
        except StreamDecodeError as error:
            assert "an event of the stream is larger than 1,000 bytes" == str(error)  # noqa: PT017  # of every step
        else:
            taken.append(step)
    assert [] == taken


def test_events_under_the_limit_are_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events under the limit pass for every chunk size; the limit is per event."""
    monkeypatch.setattr(sse, "LARGEST_EVENT", 1000)
    stream = 5 * (b"data: " + 900 * b"x" + b"\r\n\r\n")
    for step in (1, 7, 500, 999, 1500, len(stream)):
        assert 5 * [900 * "x"] == decode(*cut(stream, *range(step, len(stream), step)))
