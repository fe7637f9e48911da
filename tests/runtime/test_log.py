"""What ``SITEASSIST_LOG`` and the logger ``siteassist`` tell of the client's work."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, NotFoundError, SiteAssist
from siteassist_runtime import log
from siteassist_runtime.redaction import KeyFilter

BASE_URL = "http://127.0.0.1/v2"
CONVERSATION = "7f3e2d1c-0b9a-4887-a6f5-e4d3c2b1a098"
VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}
COMPLETION = {
    "object": "chat.completion",
    "model": "m",
    "steps": [{"content": [{"type": "text", "text": "Hello."}], "usage": {}}],
}
Run = Callable[..., Any]
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Take a step with a client of either kind."""

    def run(handler: Handler, step: Callable[[Any], Any], **settings: Any) -> Any:
        settings = {"token": "sk_live_abcdefgh", "base_url": BASE_URL, **settings}
        transport = httpx.MockTransport(handler)
        if request.param == "sync":
            with SiteAssist(transport=transport, **settings) as client:
                return step(client)

        async def main() -> Any:
            async with AsyncSiteAssist(transport=transport, **settings) as client:
                return await step(client)

        return asyncio.run(main())

    return run


def me(client: Any) -> Any:
    """Make a call without a body."""
    return client.get_me()


def send(client: Any) -> Any:
    """Make a call with a body."""
    return client.send_message(CONVERSATION, content="Hi ☺")


async def _read(stream: Any) -> Any:
    async with stream:
        return await stream.until_done()


def chat(client: Any) -> Any:
    """Read an answer as it comes."""
    stream = client.send_message_stream(CONVERSATION, content="Hi")
    if isinstance(client, AsyncSiteAssist):
        return _read(stream)
    with stream:
        return stream.until_done()


def busy_once() -> Handler:
    """Return a service that is busy at first."""
    answers = [
        httpx.Response(429, json={"error": {"message": "Busy."}}, headers={"Retry-After": "0"}),
        httpx.Response(200, json=VISITOR, headers={"X-Note": "told"}),
    ]
    return lambda _: answers.pop(0)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[int], list[str]]:
    """Return what is logged from a level up, with times left out."""
    caplog.set_level(logging.DEBUG, logger="siteassist")

    def lines(level: int) -> list[str]:
        return [
            re.sub(r"\d+\.\d+ s", "# s", record.getMessage())
            for record in caplog.records
            if record.name == "siteassist" and record.levelno >= level
        ]

    return lines


def test_info_has_a_line_for_each_answer_and_each_retry(
    run: Run, lines: Callable[[int], list[str]]
) -> None:
    """Enough to see what a slow call was waiting for."""
    run(busy_once(), me)
    expected = [
        "getMe: 429 Too Many Requests after # s",
        "getMe: retry in # s after: getMe: 429 Too Many Requests: Busy. (retry after 0 s)",
        "getMe: 200 OK after # s",
    ]
    assert expected == lines(logging.INFO)


def test_info_has_a_line_for_a_retry_after_a_broken_connection(
    run: Run, lines: Callable[[int], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no answer to tell of, but the reason."""
    monkeypatch.setattr("siteassist_runtime.retry.FIRST_WAIT", 0.001)
    answers: list[httpx.Response | Exception] = [
        httpx.ConnectError("refused"),
        httpx.Response(200, json=VISITOR),
    ]

    def handler(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    run(handler, me)
    expected = [
        f"getMe: retry in # s after: getMe: cannot reach {BASE_URL}: refused",
        "getMe: 200 OK after # s",
    ]
    assert expected == lines(logging.INFO)


def test_debug_has_headers_and_bodies(run: Run, lines: Callable[[int], list[str]]) -> None:
    """All that went to and fro, but for the credential."""
    run(lambda _: httpx.Response(200, json=COMPLETION, headers={"X-Note": "told"}), send)
    asked, answered, told = lines(logging.DEBUG)
    assert asked.startswith(
        f"sendMessage: POST {BASE_URL}/conversations/{CONVERSATION}/messages, headers ["
    )
    assert "('authorization', '[redacted]')" in asked.lower()
    assert "('accept', 'application/json')" in asked.lower()
    assert asked.endswith(', body {"content":"Hi ☺","stream":false}')
    assert "sendMessage: 200 OK after # s" == answered
    assert told.startswith("sendMessage: headers [")
    assert "('x-note', 'told')" in told
    assert '"text":"Hello."' in told


def test_debug_says_none_where_there_is_no_body(
    run: Run, lines: Callable[[int], list[str]]
) -> None:
    """Rather than end in nothing."""
    with pytest.raises(NotFoundError):
        run(lambda _: httpx.Response(404), me)
    asked, _, told = lines(logging.DEBUG)
    assert asked.endswith(", body none")
    assert told.endswith(", body none")


def test_debug_cuts_long_bodies(run: Run, lines: Callable[[int], list[str]]) -> None:
    """A log is no archive."""
    with pytest.raises(NotFoundError):
        run(
            lambda _: httpx.Response(404, text="x" * 100_000),
            lambda client: client.get_me(headers={"X-Note": "y"}),
        )
    assert [True] * 3 == [len(line) < 3000 for line in lines(logging.DEBUG)]
    assert "x" * 2000 in lines(logging.DEBUG)[2]


def test_debug_does_not_read_a_stream(run: Run, lines: Callable[[int], list[str]]) -> None:
    """It would wait for the end of it."""
    content = b'data: {"type":"start"}\n\ndata: [DONE]\n\n'
    headers = {"Content-Type": "text/event-stream"}

    class Slow(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            assert "body (a stream)" in lines(logging.DEBUG)[-1]
            yield content

        async def __aiter__(self) -> Any:
            assert "body (a stream)" in lines(logging.DEBUG)[-1]
            yield content

    assert run(lambda _: httpx.Response(200, headers=headers, stream=Slow()), chat).done


def test_nothing_is_written_down_for_nobody(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a listener, no body is decoded and no header searched."""

    def never(*_: object, **__: object) -> str:
        raise AssertionError

    caplog.set_level(logging.WARNING, logger="siteassist")
    monkeypatch.setattr(log, "redact", never)
    monkeypatch.setattr(log, "redact_headers", never)
    run(busy_once(), me)
    assert [] == [record for record in caplog.records if record.name == "siteassist"]


# The environment


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Give the runtime a logger that nothing is known of."""
    logger = logging.Logger("siteassist")  # noqa: LOG001  # known to nobody else
    monkeypatch.setattr(log, "logger", logger)
    return logger


@pytest.mark.parametrize(
    ("value", "level"),
    [("debug", logging.DEBUG), ("INFO", logging.INFO), ("Debug", logging.DEBUG)],
)
def test_environment_turns_lines_on(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, value: str, level: int
) -> None:
    """One handler, however many clients there are."""
    monkeypatch.setenv("SITEASSIST_LOG", value)
    SiteAssist(token="t")
    AsyncSiteAssist(token="t")
    assert (1, level) == (len(logger.handlers), logger.level)


@pytest.mark.parametrize("value", ["", "off", "warning", "1"])
def test_other_values_turn_nothing_on(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Only the two words do."""
    monkeypatch.setenv("SITEASSIST_LOG", value)
    SiteAssist(token="t")
    assert ([], logging.NOTSET) == (logger.handlers, logger.level)


def test_handlers_of_the_program_are_left_alone(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who configures the logger has the last word."""
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.ERROR)
    monkeypatch.setenv("SITEASSIST_LOG", "debug")
    SiteAssist(token="t")
    assert (1, logging.ERROR) == (len(logger.handlers), logger.level)


def test_httpx_gets_one_filter() -> None:
    """However many clients there are."""
    theirs = logging.getLogger("httpx")
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
    """Run the program with ``SITEASSIST_LOG``, and return its lines on standard error."""
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
    """An answer, a retry, an answer; each with time, logger and level."""
    lines = stderr_of("info")
    assert 3 == len(lines)
    for line, words in zip(
        lines, ("429 Too Many Requests after", "retry in", "200 OK after"), strict=True
    ):
        assert re.match(rf"[\d-]+ [\d:,]+ siteassist INFO getMe: {words} ", line)


def test_program_prints_useful_lines_without_secrets_with_debug() -> None:
    """Requests and answers, headers and bodies, on standard error only."""
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


def test_program_prints_nothing_unless_it_is_asked_to() -> None:
    """A library is silent."""
    assert [] == stderr_of("")
