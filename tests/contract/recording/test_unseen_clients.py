"""What a recording does not show, or shows in a doubtful form, raises no false alarm."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from siteassist_contract.subcommands import check
from tests.contract.recording.traffic import write

_URL = "https://api.example/v2"
_NUMBER = "00000000-0000-4000-8000-{:012d}"
_CONVERSATION = f"/conversations/{_NUMBER.format(100)}"
_MESSAGES = f"{_CONVERSATION}/messages"
_HELLO = {"content": "hello"}
_ERROR = {"error": {"message": "no", "code": "REFUSED"}}
_COMPLETION = {
    "steps": [{"content": [{"type": "text", "text": "Hi"}], "finishReason": "stop", "usage": {}}]
}
_TIME = "2026-11-01T10:00:{:02d}.000Z"
_STREAM = "".join(
    f"data: {json.dumps(payload)}\n\n"
    for payload in (
        {"type": "start"},
        {"type": "start-step"},
        {"type": "text-start", "id": "1"},
        {"type": "text-delta", "id": "1", "delta": "Hi"},
        {"type": "text-end", "id": "1"},
        {"type": "finish-step"},
        {"type": "finish"},
    )
)


def entry(
    method: str, path: str, status: int, answer: Any, sent: Any = None, media: str = ""
) -> dict[str, Any]:
    """Return an entry without its time."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    request: dict[str, Any] = {
        "method": method,
        "url": _URL + path,
        "headers": [{"name": "Authorization", "value": "Bearer token-1234567"}],
        "bodySize": 0,
    }
    if sent is not None:
        body = sent if isinstance(sent, str) else json.dumps(sent)
        request |= {"bodySize": len(body), "postData": {"text": body}}
        request["headers"].append({"name": "Content-Type", "value": "application/json"})
    content = {"size": len(text), "text": text, "mimeType": media or "application/json"}
    return {"request": request, "response": {"status": status, "headers": [], "content": content}}


def visitor(**changes: Any) -> dict[str, Any]:
    """Return a visitor."""
    names = ("externalId", "name", "avatarUrl")
    shown = {"object": "visitor", "id": _NUMBER.format(1), "type": "anonymous"}
    return shown | dict.fromkeys(names) | changes


def conversation(**changes: Any) -> dict[str, Any]:
    """Return a conversation."""
    times = ("createdAt", "updatedAt", "lastInteractionAt")
    empty = ("closedAt", "closeReason", "humanAgent", "title")
    shown: dict[str, Any] = {"object": "conversation", "id": _NUMBER.format(100), "status": "open"}
    shown |= dict.fromkeys(times, _TIME.format(1)) | dict.fromkeys(empty)
    return shown | {"isHumanHandled": False} | changes


def message(number: int, role: str, text: str, **changes: Any) -> dict[str, Any]:
    """Return a message."""
    empty = ("error", "feedback", "feedbackAt", "metadata", "humanAgent", "pageUrl", "pageTitle")
    return {
        **dict.fromkeys((*empty, "textSelection")),
        "object": "message",
        "id": _NUMBER.format(number),
        "createdAt": _TIME.format(number),
        "chatId": _NUMBER.format(100),
        "role": role,
        "parts": [{"type": "text", "text": text}],
        "status": "complete",
        **changes,
    }


def start() -> list[dict[str, Any]]:
    """Return the entries in which a visitor comes and starts a conversation."""
    return [
        entry("GET", "/identity/me", 200, visitor()),
        entry("POST", "/conversations", 201, conversation(messages=[])),
    ]


def read(**changes: Any) -> dict[str, Any]:
    """Return a reading of the conversation."""
    return entry("GET", _CONVERSATION, 200, conversation(messages=[], **changes))


def listed(*messages: dict[str, Any]) -> dict[str, Any]:
    """Return a reading of the messages."""
    return entry("GET", _MESSAGES, 200, {"object": "list", "data": messages})


def send(status: int = 200, answer: Any = _COMPLETION, sent: Any = None) -> dict[str, Any]:
    """Return an entry that sends a message."""
    return entry("POST", _MESSAGES, status, answer, _HELLO if sent is None else sent)


def judge(folder: Path, entries: Sequence[dict[str, Any]], gap: float = 1) -> Result:
    """Judge entries that come one after the other, ``gap`` seconds apart."""
    begun = datetime(2026, 11, 1, 10, tzinfo=UTC)
    timed = [
        {"time": 0, "startedDateTime": (begun + timedelta(seconds=gap * number)).isoformat()} | each
        for number, each in enumerate(entries)
    ]
    path = write(folder / "traffic.har", timed)
    return CliRunner().invoke(check.main, [str(path), "--reports", str(folder / "reports")])


_CLOSED = {"status": "closed", "closedAt": _TIME.format(9), "closeReason": "done"}
_PAIR = (message(11, "user", "hello"), message(12, "assistant", "Hi"))
_OPEN_LIST = {"object": "list", "total": 1, "limit": 10, "offset": 0}


def _cut() -> dict[str, Any]:
    """Return a send whose streamed answer was cut off."""
    body = _HELLO | {"stream": True}
    cut = entry("POST", _MESSAGES, 200, _STREAM[:80], body, "text/event-stream")
    return cut | {"_error": "net::ERR_ABORTED"}


def _empty_stream() -> dict[str, Any]:
    """Return a send whose answer the browser did not keep."""
    found = entry("POST", _MESSAGES, 200, "", _HELLO | {"stream": True}, "text/event-stream")
    found["response"]["content"]["size"] = 1200
    return found


def _without_body() -> dict[str, Any]:
    """Return a send whose body was not recorded."""
    found = send()
    del found["request"]["postData"]
    return found


def _typed(media: str | None) -> dict[str, Any]:
    """Return a refused message with another media type."""
    refused = send(400, _ERROR)
    refused["request"]["headers"].pop()
    if media is not None:
        refused["request"]["headers"].append({"name": "Content-Type", "value": media})
    return refused


def _query(path: str) -> dict[str, Any]:
    return entry("GET", path, 400, _ERROR)


def _init(device: str) -> dict[str, Any]:
    """Return an entry in which a device gets a session of the visitor, whom the website named."""
    named = visitor(type="identified", externalId="7")
    answer = {"sessionToken": f"token-of-{device}", "visitor": named}
    return entry("POST", "/identity/init", 200, answer, {"apiKey": "pk_1", "saVid": device})


_RETRIED = (message(11, "user", "hello", status="error"), message(13, "user", "hello"))
KEPT: dict[str, list[dict[str, Any]]] = {
    "agent closes": [read(), read(**_CLOSED)],
    "agent closes, and a message is refused": [read(), send(400, _ERROR), read(**_CLOSED)],
    "agent closes, in a list": [
        entry("GET", "/conversations", 200, _OPEN_LIST | {"data": [conversation(**_CLOSED)]})
    ],
    "website names the visitor": [
        entry("GET", "/identity/me", 200, visitor(type="identified", name="Ann", externalId="7"))
    ],
    "website names the visitor of two devices": [_init("device-1"), _init("device-2")],
    "other window writes": [
        read(),
        entry("GET", _CONVERSATION, 200, conversation(messages=list(_PAIR))),
    ],
    "cut answer, and a retry": [
        listed(),
        _cut(),
        send(),
        listed(*_RETRIED, message(14, "assistant", "Hi")),
    ],
    "late message of a cut answer": [
        _cut(),
        listed(),
        send(),
        listed(*_RETRIED, message(14, "assistant", "Hi")),
    ],
    "502, and a retry": [
        send(502, _ERROR),
        send(),
        listed(*_RETRIED, message(14, "assistant", "Hi")),
    ],
    "body was not recorded": [_without_body(), listed(message(11, "user", "x"), _PAIR[1])],
    "stream was not recorded": [_empty_stream()],
    **{f"type {media}": [_typed(media), read()] for media in (
        None, "text/plain", "application/vnd.api+json", "application/json; charset=latin-1"
    )},
    **{f"body {body[:14]!r}": [send(400, _ERROR, body), read()] for body in (
        '\ufeff{"content": "a"}', '{"content": "a", "x": NaN}', '{"content": "a", "x": 1e400}',
        '{"content": "a", "content": "b"}',
    )},
    **{f"query {query}": [_query(f"/conversations?{query}")] for query in (
        "limit=", "limit=1&limit=2", "status=open&x=%ff%fe", "x=%zz"
    )},
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_correct_server_is_kept(name: str, tmp_path: Path) -> None:
    """Others may act, broken requests may be stored, and doubtful ones may be refused."""
    result = judge(tmp_path, start() + KEPT[name])
    assert 0 == result.exit_code, result.stdout


BROKEN: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "open again": ("agreement", [read(**_CLOSED), read()]),
    "closed at another time": (
        "agreement",
        [read(**_CLOSED), read(**_CLOSED | {"closedAt": _TIME.format(20)})],
    ),
    "text changes": ("history", [listed(*_PAIR), listed(message(11, "user", "hullo"), _PAIR[1])]),
    "refused though open": ("accepted", [send(400, _ERROR), read()]),
    "answer of a retry is lost": (
        "stored-answer",
        [send(), send(), listed(*_PAIR, message(13, "user", "hello"))],
    ),
    "completion streams": (
        "answer-form",
        [
            entry(
                "POST",
                "/chat/completions",
                200,
                f"{_STREAM}data: [DONE]\n\n",
                {"messages": [{"role": "user", "content": "a"}]},
                "text/event-stream",
            )
        ],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_impossible_change_is_found(name: str, tmp_path: Path) -> None:
    """Nobody can make such a change, so it is a violation."""
    rule, entries = BROKEN[name]
    result = judge(tmp_path, start() + entries)
    assert 1 == result.exit_code, result.stdout
    report = json.loads((tmp_path / "reports" / "summary.json").read_text())
    assert rule in {each["key"].split()[1] for each in report["violations"]}


def test_missing_bodies_are_counted(tmp_path: Path) -> None:
    """A note says how many requests are without their bodies."""
    result = judge(tmp_path, [*start(), _without_body()])
    assert "Note: 1 request has no whole body in the recording" in result.stdout


def test_requests_at_one_instant_have_no_order(tmp_path: Path) -> None:
    """A list that lacks a message of the same instant is no violation."""
    entries = [*start(), listed(), send(), listed()]
    assert 0 == judge(tmp_path, entries, gap=0).exit_code
    assert 1 == judge(tmp_path, entries).exit_code


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """HAR files may begin with one."""
    judge(tmp_path, start())
    path = tmp_path / "traffic.har"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    result = CliRunner().invoke(check.main, [str(path), "--reports", str(tmp_path / "reports")])
    assert 0 == result.exit_code, result.output


@pytest.mark.parametrize(
    ("encode", "words"),
    [
        (lambda text: text.encode("utf-16"), "it is UTF-16, and must be UTF-8"),
        (lambda text: gzip.compress(text.encode()), "it is compressed with gzip"),
        (lambda text: text.replace("name", "\xe9").encode("latin-1"), "UTF"),
        (lambda text: text.replace('"log"', "log"), "lexical error"),
    ],
)
def test_other_file_is_refused_in_plain_words(
    encode: Callable[[str], Any], words: str, tmp_path: Path
) -> None:
    """The sentence shows no bytes as Python writes them."""
    judge(tmp_path, start())
    path = tmp_path / "traffic.har"
    found = encode(path.read_text())
    path.write_bytes(found.encode() if isinstance(found, str) else found)
    result = CliRunner().invoke(check.main, [str(path), "--reports", str(tmp_path / "reports")])
    assert 2 == result.exit_code
    assert words in result.stderr
    assert not any(each in result.stderr for each in ("b'", 'b"', "\\n"))


def test_other_spelling_of_a_time_is_the_same_time(tmp_path: Path) -> None:
    """A time may have another offset or precision in the next answer."""
    other = _TIME.format(1).replace("T10:", "T11:").replace("Z", "000+01:00")
    result = judge(tmp_path, [*start(), read(createdAt=other)])
    assert 0 == result.exit_code, result.output
    begun = conversation(messages=[], createdAt="2026-11-01T10:00:01.500Z")
    entries = [start()[0], entry("POST", "/conversations", 201, begun)]
    coarser = judge(tmp_path, [*entries, read(createdAt="2026-11-01T10:00:01Z")])
    assert 0 == coarser.exit_code, coarser.output
    late = _TIME.format(1).replace("T10:", "T12:")
    assert 1 == judge(tmp_path, [*start(), read(createdAt=late)]).exit_code


def test_answer_from_a_cache_is_not_judged(tmp_path: Path) -> None:
    """A 304 is due if the request has a condition, and its answer is not in the recording."""
    cached = entry("GET", _CONVERSATION, 304, "")
    assert 1 == judge(tmp_path, [*start(), cached]).exit_code
    cached["request"]["headers"].append({"name": "If-None-Match", "value": '"1"'})
    result = judge(tmp_path, [*start(), cached, read()])
    assert 0 == result.exit_code, result.output


def test_text_that_looks_like_a_time_is_a_text(tmp_path: Path) -> None:
    """Another spelling of it in the history is a violation."""
    before, after = (
        [message(11, "user", text), message(12, "assistant", "Hi")]
        for text in (_TIME.format(1), _TIME.format(1).replace("Z", "+00:00"))
    )
    assert 0 == judge(tmp_path, [*start(), listed(*before), listed(*before)]).exit_code
    assert 1 == judge(tmp_path, [*start(), listed(*before), listed(*after)]).exit_code
