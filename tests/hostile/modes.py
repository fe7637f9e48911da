"""The hostile modes. None of their answers keeps the contract."""

from __future__ import annotations

import functools
import json
import random
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from siteassist_spec import EVENT_STREAM, JSON
from tests.hostile.exchange import GIB, Answer, Exchange, json_answer, operations
from tests.hostile.mode import Modes

ESCAPES = "\x1b]52;c;aGk=\x07\x1b]0;title\x07\x1b[2J\x1b[31m\r\x9b1m\u202e\u2066\x00\x7f"
"""Controls of terminals: the clipboard, the title, the screen, C1, bidi, NUL."""
LOGIN_PAGE = b"<!doctype html><title>Sign in</title><form method=post><input name=user></form>"
DEPTH = 100_000
DIGITS = 5_000
"""More digits than Python converts to an integer."""
C1 = b"\x9b31m"
"""A control sequence that is allowed in headers."""
ODD_VALUES = (
    *("1e999", "-1e999", "1e308", "-1", "0", "0.5", f"1{'0' * 400}", "9007199254740993"),
    *("null", "true", "[]", "{}", "[null]", '[{"id": null}]', "[[[[]]]]", '{"": {"": []}}'),
    *('""', '" "', '"0"', '"."', '".."', '"a/b"', '"%2F"', r'"\ud800"', r'"\u0000"', r'"\r\n"'),
    *(
        '"9999-12-31T23:59:59-12:00"',
        '"0000-00-00T00:00:00Z"',
        '"https://[::1"',
        f'"{"x" * 70000}"',
    ),
)
"""JSON texts that few programs expect in place of others."""
ODD_HEADERS = (
    (b"retry-after", b"Mon, 01 Jan 99999999999999999999 00:00:00 GMT"),
    (b"retry-after", b"9" * 5000),
    (b"retry-after", b"-1e999"),
    (b"content-type", b""),
    (b"content-type", b"application/json; charset=\xff"),
    (b"content-type", b"application/json; charset=no-such-charset"),
    (b"content-type", b"text/event-stream; charset=utf-16"),
    (b"content-type", b"/;=,"),
    (b"location", b"http://[::1"),
    (b"set-cookie", b"\xff=\xfe; expires=\x80"),
    (b"date", b"\xe9"),
    (b"link", b"<>; rel"),
)
_MEBIBYTE = 1 << 20
# The requests that a mode answers depend on the seed of the contract tests.
_random = random.Random(0)

HOSTILE = Modes()


@HOSTILE.add
async def drip_head(exchange: Exchange) -> None:
    """Send the status line and an endless header, one byte a second."""
    await exchange.drip(b"HTTP/1.1 200 OK\r\nX-Header: ")
    while True:
        await exchange.drip(b"x")


@HOSTILE.add
async def drip_body(exchange: Exchange) -> None:
    """Send the headers at once, and then an endless body, one byte a second."""
    answer = await exchange.forward()
    await exchange.write(answer.head())
    await exchange.drip(answer.body[:1])
    while True:
        await exchange.drip(b" ")


@HOSTILE.add
async def hang(exchange: Exchange) -> None:
    """Read the request and never answer."""
    await exchange.wait_for_client()


@HOSTILE.add
async def reset(exchange: Exchange) -> None:
    """Reset the connection in place of an answer."""
    exchange.reset()


@HOSTILE.add
async def endless_headers(exchange: Exchange) -> None:
    """Send headers without an end."""
    await exchange.write(b"HTTP/1.1 200 OK\r\n")
    await exchange.pour(b"X-Header: value\r\n")


@HOSTILE.add
async def endless_body(exchange: Exchange) -> None:
    """Send a JSON text without an end."""
    answer = await exchange.forward()
    await exchange.write(answer.head() + b'{"data": [0')
    await exchange.pour(b", 0")


@HOSTILE.add
async def endless_events(exchange: Exchange) -> None:
    """Send an event stream that repeats a valid event for ever."""
    answer = await exchange.forward()
    streaming = Answer(answer.status, [(b"content-type", EVENT_STREAM.encode())], b"")
    await exchange.write(streaming.head())
    delta = json.dumps({"type": "text-delta", "id": "msg_1", "delta": "again "})
    await exchange.pour(f"data: {delta}\n\n".encode())


@HOSTILE.add
async def endless_line(exchange: Exchange) -> None:
    """Send an event stream whose first line never ends."""
    answer = await exchange.forward()
    streaming = Answer(answer.status, [(b"content-type", EVENT_STREAM.encode())], b"")
    await exchange.write(streaming.head() + b"data: ")
    await exchange.pour(b"x")


@HOSTILE.add
async def endless_continue(exchange: Exchange) -> None:
    """Send 100 Continue for ever."""
    await exchange.pour(b"HTTP/1.1 100 Continue\r\n\r\n")


@HOSTILE.add
async def gzip_bomb(exchange: Exchange) -> None:
    """Send a JSON text of 1 GiB, which gzip makes a thousand times smaller."""
    answer = await exchange.forward()
    body = bomb()
    length = f"Content-Length: {len(body)}"
    await exchange.write(answer.head("Content-Encoding: gzip", length) + body)


@HOSTILE.add
async def length_too_large(exchange: Exchange) -> None:
    """Close the connection ten bytes before the end that Content-Length promises."""
    answer = await exchange.forward()
    length = len(answer.body) + 10
    await exchange.write(answer.head(f"Content-Length: {length}") + answer.body)


@HOSTILE.add
async def length_too_small(exchange: Exchange) -> None:
    """Send ten bytes more than Content-Length promises, and wait for the next request."""
    answer = await exchange.forward()
    surplus = b"0123456789"
    length = f"Content-Length: {max(len(answer.body) - len(surplus), 0)}"
    await exchange.write(answer.head(length) + answer.body.ljust(len(surplus)))
    await exchange.wait_for_client()


@HOSTILE.add
async def huge(exchange: Exchange) -> None:
    """Send a valid JSON text of 1 GiB, with its Content-Length."""
    answer = await exchange.forward()
    await exchange.write(answer.head(f"Content-Length: {GIB}") + b'"')
    await exchange.pour(b"x", GIB - 2)
    await exchange.write(b'"')


@HOSTILE.add
async def deep_json(exchange: Exchange) -> None:
    """Send a hundred thousand arrays, each in the one before it."""
    answer = await exchange.forward()
    await exchange.send(_replaced(answer, b"[" * DEPTH + b"]" * DEPTH))


@HOSTILE.add
async def long_numbers(exchange: Exchange) -> None:
    """Write a number of 5,000 digits in place of each number, and one more."""
    answer = await exchange.forward()
    marked = _rewritten(answer, lambda value: "NUMBER" if _is_number(value) else value)
    body = marked.body.replace(b'"NUMBER"', b"9" * DIGITS)
    await exchange.send(marked.with_body(body))


@HOSTILE.add
async def escapes(exchange: Exchange) -> None:
    """Add control sequences of terminals to each text and around it."""
    answer = await exchange.forward()
    changed = _rewritten(answer, lambda value: _text_with(value, ESCAPES), name=f"name{ESCAPES}")
    if changed is answer:
        changed = answer.with_body(answer.body + ESCAPES.encode())
    headers = [
        (name, value + b"; x=" + C1 if name == b"content-type" else value)
        for name, value in changed.headers
    ]
    await exchange.send(replace(changed, headers=[*headers, (b"x-text", C1)], reason=b"OK" + C1))


@HOSTILE.add
async def surrogates(exchange: Exchange) -> None:
    """Add half of a surrogate pair to each text, which no encoding can express."""
    answer = await exchange.forward()
    await exchange.send(_rewritten(answer, lambda value: _text_with(value, "\ud800")))


@HOSTILE.add
async def odd_values(exchange: Exchange) -> None:
    """Put an odd value in place of one in each JSON text, and of one header."""
    answer = await exchange.forward()
    texts = _json_texts(answer)
    drawn = _random.choice(texts) if texts else b""
    body = answer.body.replace(drawn, _with_odd_value(drawn), 1) if drawn else answer.body
    name, value = _random.choice(ODD_HEADERS)
    headers = [each for each in answer.headers if each[0] != name]
    await exchange.send(replace(answer.with_body(body), headers=[*headers, (name, value)]))


@HOSTILE.add
async def redirect(exchange: Exchange) -> None:
    """Redirect to another address, which redirects again."""
    target = exchange.request.target
    location = f"/elsewhere{target}".encode("latin-1")
    await exchange.send(Answer(302, [(b"location", location)], b""))


@HOSTILE.add
async def login_page(exchange: Exchange) -> None:
    """Answer everything with 200 and a web page."""
    await exchange.send(Answer(200, [(b"content-type", b"text/html")], LOGIN_PAGE))


@HOSTILE.add
async def other_answer(exchange: Exchange) -> None:
    """Send the documented success of another operation."""
    await exchange.send(_of_another(exchange.request.operation))


@functools.cache
def bomb() -> bytes:
    """Return a JSON text of 1 GiB in gzip, by repeating one compressed block."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    spaces = b" " * _MEBIBYTE
    first = packer.compress(b'"') + packer.flush(zlib.Z_FULL_FLUSH)
    # Nothing in a block refers to what is before a full flush, so it can be repeated.
    block = packer.compress(spaces) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(b'"') + packer.flush()
    repeats = GIB // _MEBIBYTE
    checksum = zlib.crc32(b'"')
    for _ in range(repeats):
        checksum = zlib.crc32(spaces, checksum)
    checksum = zlib.crc32(b'"', checksum)
    size = (repeats * _MEBIBYTE + 2) % (1 << 32)
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    trailer = checksum.to_bytes(4, "little") + size.to_bytes(4, "little")
    return header + first + block * repeats + last + trailer


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text_with(value: Any, addition: str) -> Any:
    return value + addition if isinstance(value, str) else value


def _replaced(answer: Answer, text: bytes) -> Answer:
    """Return the answer with another JSON text, as its only event if it is a stream."""
    if answer.media_type == EVENT_STREAM:
        return answer.with_body(b"data: " + text + b"\n\ndata: [DONE]\n\n")
    return Answer(answer.status, [(b"content-type", JSON.encode())], text)


def _rewritten(answer: Answer, change: Callable[[Any], Any], name: str = "hostileText") -> Answer:
    """Return the answer with each value in its JSON changed, or the answer itself without JSON.

    Each object at the top gets two more properties, one of them called ``name``.
    """
    if answer.media_type == JSON:
        return answer.with_body(_changed_json(answer.body, change, name))
    if answer.media_type == EVENT_STREAM:
        lines = re.sub(
            rb"(?m)^data: (\{.*\})\r?$",
            lambda match: b"data: " + _changed_json(match[1], change, name),
            answer.body,
        )
        return answer.with_body(lines)
    return answer


def _changed_json(text: bytes, change: Callable[[Any], Any], name: str) -> bytes:
    value = json.loads(text)
    if isinstance(value, dict):
        # No answer is without a text or a number to change.
        value |= {name: "text", "hostileNumber": 1}
    return json.dumps(_each(value, change)).encode()


def _json_texts(answer: Answer) -> list[bytes]:
    if answer.media_type == EVENT_STREAM:
        return re.findall(rb"(?m)^data: (\{.*\})\r?$", answer.body)
    return [answer.body] if answer.media_type == JSON else []


def _with_odd_value(text: bytes) -> bytes:
    """Return a JSON text with one of its values, drawn at any depth, replaced."""
    value = [json.loads(text)]
    holders: list[Any] = []
    waiting: list[Any] = [value]
    while waiting:
        holder = waiting.pop()
        inner = holder.values() if isinstance(holder, dict) else holder
        waiting += [each for each in inner if isinstance(each, dict | list)]
        holders += [
            (holder, key) for key in (holder if isinstance(holder, dict) else range(len(holder)))
        ]
    holder, key = _random.choice(holders)
    mark = "ODD VALUE"
    holder[key] = mark
    odd = _random.choice(ODD_VALUES)
    return json.dumps(value[0]).replace(json.dumps(mark), odd).encode()


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _each(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    return change(value)


def _of_another(operation: Any) -> Answer:
    """Return the first documented success of the next operation whose success is different."""
    every = list(operations().values())
    start = every.index(operation) + 1 if operation in every else 0
    own = _schema(operation) if operation in every else None
    following = [*every[start:], *every[:start]]
    other = next(one for one in following if _schema(one) not in (own, None))
    response = next(one for one in other.successes if JSON in one.media)
    example = next(iter(response.media[JSON].examples.values()))
    return json_answer(response.status, example)


def _schema(operation: Any) -> Any:
    medias = [one.media[JSON] for one in operation.successes if JSON in one.media]
    return medias[0].schema if medias else None
