"""The support desk of `examples/live` works, with both sides in programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from siteassist_mock.testing import mock_server
from tests.commands import run
from tests.e2e.mock_process import wait
from tests.values import API_KEY, ROOT

EXAMPLE = ROOT / "examples" / "live"
ENVIRONMENT = {"SITEASSIST_API_KEY": API_KEY, "PYTHONUTF8": "1"}


@contextmanager
def program(url: str, name: str, *arguments: str) -> Iterator[tuple[IO[str], IO[str]]]:
    """Run a program; yield its input and its output, and require that it ends well."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLE / name), *arguments],
        env={**os.environ, **ENVIRONMENT, "SITEASSIST_BASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield process.stdin, process.stdout
            process.stdin.close()
            assert "" == process.stderr.read()
            assert 0 == process.wait()
        finally:
            process.kill()


def say(side: tuple[IO[str], IO[str]], text: str) -> None:
    """Type a line."""
    side[0].write(f"{text}\n")
    side[0].flush()


def test_visitor_and_agent_talk() -> None:
    """The assistant answers first; after the handover, visitor and agent read each other."""
    with mock_server(strict=True) as mock, program(mock.url, "visitor.py") as visitor:
        conversation_id = visitor[1].readline().split()[1]
        say(visitor, "Hello?")
        assert visitor[1].readline().startswith("assistant: ")
        # The list is read before and after the visitor's program has connected.
        wait(lambda: 2 == sum(one["operationId"] == "getMessages" for one in mock.requests))
        with program(mock.url, "agent.py", conversation_id, "Kim") as agent:
            assert "visitor: Hello?\n" == agent[1].readline()
            assert "A human agent has taken over.\n" == visitor[1].readline()
            say(visitor, "Is anybody there?")
            assert "sent\n" == visitor[1].readline()
            assert "visitor: Is anybody there?\n" == agent[1].readline()
            say(agent, "Kim here.")
            assert "Kim: Kim here.\n" == visitor[1].readline()


def test_agent_needs_a_conversation() -> None:
    """Without a conversation, the program says how it is used."""
    done = run([sys.executable, str(EXAMPLE / "agent.py")])
    assert 2 == done.returncode
    assert done.stderr.startswith("usage: agent.py [-h] conversation [name]\n")
