"""The log of the client's work: ``SITEASSIST_LOG`` and the logger ``siteassist``."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, NotFoundError, SiteAssist, SiteAssistError
from siteassist_runtime import log
from siteassist_runtime.redaction import KeyFilter
from tests.runtime.helpers import (
    BASE_URL,
    COMPLETION,
    CONVERSATION,
    Run,
    Service,
    chat,
    me,
    never,
    visitor,
)


@pytest.fixture
def run(run_steps: Run) -> Run:
    """Return a function that runs one step with a client of either kind."""
    return lambda handler, step: run_steps(handler, step, token="sk_live_abcdefgh")[0]


def busy_once() -> Service:
    """Return a service that answers 429 once, then 200."""
    busy = {"error": {"message": "Busy."}}
    return Service(httpx.Response(429, json=busy, headers={"Retry-After": "0"}), visitor())


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[int], list[str]]:
    """Return a function that lists the lines logged at a level or above, without durations."""
    caplog.set_level(logging.DEBUG, logger="siteassist")

    def lines(level: int) -> list[str]:
        return [
            re.sub(r"\d+\.\d+ s", "# s", record.getMessage())
            for record in caplog.records
            if record.name == "siteassist" and record.levelno >= level
        ]

    return lines


def test_info_logs_each_response_and_each_retry(
    run: Run, lines: Callable[[int], list[str]]
) -> None:
    """At INFO each response and each retry is logged, which explains a slow call."""
    run(busy_once(), me)
    expected = [
        "getMe: 429 Too Many Requests after # s",
        "getMe: retry in # s after: getMe: 429 Too Many Requests: Busy. (retry after 0 s)",
        "getMe: 200 OK after # s",
    ]
    assert expected == lines(logging.INFO)


def test_info_logs_a_retry_after_a_failed_connection(
    run: Run, lines: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At INFO a retry after a failed connection is logged with its reason."""
    monkeypatch.setattr("siteassist_runtime.retry.FIRST_WAIT", 0.001)
    run(Service(httpx.ConnectError("refused"), visitor()), me)
    expected = [
        f"getMe: retry in # s after: getMe: cannot reach {BASE_URL}: refused",
        "getMe: 200 OK after # s",
    ]
    assert expected == lines(logging.INFO)


def test_debug_logs_headers_and_bodies(run: Run, lines: Callable[[int], list[str]]) -> None:
    """At DEBUG headers and bodies are logged, with the credential redacted."""
    run(
        lambda _: httpx.Response(200, json=COMPLETION, headers={"X-Note": "kept"}),
        lambda client: client.send_message(CONVERSATION, content="Hi ☺"),
    )
    request, status, response = lines(logging.DEBUG)
    assert request.startswith(
        f"sendMessage: POST {BASE_URL}/conversations/{CONVERSATION}/messages, headers ["
    )
    assert "('authorization', '[redacted]')" in request.lower()
    assert "('accept', 'application/json')" in request.lower()
    assert request.endswith(', body {"content":"Hi ☺","stream":false}')
    assert "sendMessage: 200 OK after # s" == status
    assert response.startswith("sendMessage: headers [")
    assert "('x-note', 'kept')" in response
    assert '"text":"Hello."' in response


def test_debug_logs_a_missing_body_as_none(run: Run, lines: Callable[[int], list[str]]) -> None:
    """At DEBUG a missing body is logged as "none"."""
    with pytest.raises(NotFoundError):
        run(lambda _: httpx.Response(404), me)
    request, _, response = lines(logging.DEBUG)
    assert request.endswith(", body none")
    assert response.endswith(", body none")


def test_debug_truncates_long_bodies(run: Run, lines: Callable[[int], list[str]]) -> None:
    """At DEBUG long bodies are truncated."""
    with pytest.raises(SiteAssistError):
        run(
            lambda _: httpx.Response(404, text="x" * 100_000),
            lambda client: client.get_me(extra_headers={"X-Note": "y"}),
        )
    assert [True] * 3 == [len(line) < 3000 for line in lines(logging.DEBUG)]
    assert "x" * 2000 in lines(logging.DEBUG)[2]


def test_debug_does_not_read_a_stream(run: Run, lines: Callable[[int], list[str]]) -> None:
    """Logging does not read a stream, which would delay its first event until its end."""
    content = b'data: {"type":"start"}\n\ndata: [DONE]\n\n'
    headers = {"Content-Type": "text/event-stream"}

    class Slow(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            assert "body (a stream)" in lines(logging.DEBUG)[-1]
            yield content

        async def __aiter__(self) -> Any:
            assert "body (a stream)" in lines(logging.DEBUG)[-1]
            yield content

    stream, _ = run(lambda _: httpx.Response(200, headers=headers, stream=Slow()), chat)
    assert stream.done


def test_disabled_level_formats_nothing(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is decoded or redacted if the level is disabled."""
    caplog.set_level(logging.WARNING, logger="siteassist")
    monkeypatch.setattr(log, "redact", never)
    monkeypatch.setattr(log, "redact_headers", never)
    run(busy_once(), me)
    assert [] == [record for record in caplog.records if record.name == "siteassist"]


# The environment


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Replace the runtime's logger with an isolated one."""
    logger = logging.Logger("siteassist")  # noqa: LOG001  # not registered, so isolated
    monkeypatch.setattr(log, "logger", logger)
    return logger


@pytest.mark.parametrize(
    ("value", "level"),
    [("debug", logging.DEBUG), ("INFO", logging.INFO), ("Debug", logging.DEBUG)],
)
def test_environment_sets_the_level(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, value: str, level: int
) -> None:
    """The variable sets the level and adds one handler, regardless of the number of clients."""
    monkeypatch.setenv("SITEASSIST_LOG", value)
    SiteAssist(token="t")
    AsyncSiteAssist(token="t")
    assert (1, level) == (len(logger.handlers), logger.level)


@pytest.mark.parametrize("value", ["", "off", "warning", "1"])
def test_other_values_have_no_effect(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Values other than "info" and "debug" have no effect."""
    monkeypatch.setenv("SITEASSIST_LOG", value)
    SiteAssist(token="t")
    assert ([], logging.NOTSET) == (logger.handlers, logger.level)


def test_configured_logger_is_left_unchanged(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logger that the program has configured is left unchanged."""
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.ERROR)
    monkeypatch.setenv("SITEASSIST_LOG", "debug")
    SiteAssist(token="t")
    assert (1, logging.ERROR) == (len(logger.handlers), logger.level)


def test_httpx_gets_one_filter() -> None:
    """The logger of httpx gets one filter, regardless of the number of clients."""
    theirs = logging.getLogger(httpx.__name__)
    for old in [found for found in theirs.filters if isinstance(found, KeyFilter)]:
        theirs.removeFilter(old)
    SiteAssist(token="t")
    SiteAssist(token="t")
    assert 1 == sum(isinstance(found, KeyFilter) for found in theirs.filters)


PROGRAM = """
import httpx
from siteassist import SiteAssist

answers = [
    httpx.Response(429, json={"error": {"message": "Busy."}}, headers={"Retry-After": "0"}),
    httpx.Response(200, json={"id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d", "type": "anonymous",
                              "sessionToken": "tok_other_abcdefgh"}),
]
transport = httpx.MockTransport(lambda request: answers.pop(0))
print(SiteAssist(token="tok_live_abcdefgh", transport=transport).get_me().id)
"""


def stderr_of(value: str) -> list[str]:
    """Run the program with ``SITEASSIST_LOG`` and return its lines on standard error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={**os.environ, "SITEASSIST_LOG": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d\n" == done.stdout
    return done.stderr.splitlines()


def test_program_prints_three_lines_with_info() -> None:
    """With "info" each response and each retry is one line with time, logger and level."""
    lines = stderr_of("info")
    assert 3 == len(lines)
    for line, words in zip(
        lines, ("429 Too Many Requests after", "retry in", "200 OK after"), strict=True
    ):
        assert re.match(rf"[\d-]+ [\d:,]+ siteassist INFO getMe: {words} ", line)


def test_program_prints_messages_without_secrets_with_debug() -> None:
    """With "debug" requests and responses go to standard error, without secrets."""
    whole = "\n".join(stderr_of("debug"))
    assert "tok_live" not in whole
    assert "tok_other" not in whole
    for words in (
        "siteassist DEBUG getMe: GET https://",
        "/identity/me, headers [",
        "[redacted]",
        "body none",
        "siteassist INFO getMe: 429 Too Many Requests after",
        '"message":"Busy."',
        "siteassist INFO getMe: retry in",
        "siteassist INFO getMe: 200 OK after",
        '"type":"anonymous"',
    ):
        assert words in whole


def test_program_prints_nothing_by_default() -> None:
    """Without the variable nothing is printed."""
    assert [] == stderr_of("")


def test_lines_have_no_control_character(run: Run, lines: Callable[[int], list[str]]) -> None:
    """A server cannot forge a line or send a command to a terminal."""
    answer = httpx.Response(
        404,
        content=b'{"error": {"message": "a"}}\n\x1b[2J\r\n2030-01-01 forged',
        headers={"X-Note": "\x1b"},
        extensions={"reason_phrase": b"Not\x1bFound"},
    )
    with pytest.raises(SiteAssistError):
        run(lambda _: answer, lambda client: client.get_me(extra_headers={"X-Note": "y"}))
    found = lines(logging.DEBUG)
    assert any("forged" in line for line in found)
    assert all(line.isprintable() for line in found)
