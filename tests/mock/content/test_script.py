"""Scripted answers, and what is said of a file that cannot be used."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.content.script import find_rule, read_script
from siteassist_mock.content.yaml_file import FileError
from tests.mock.test_cli import refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.mock.conftest import Client

SCRIPT = """\
- when: Refund
  answer: "**Refunds** take [five days](https://example.com/help/returns)."
- when: /order\\s+\\d+/
  answer: It is on its way.
  delay: 0.001
- when: broken
  answer: It began
  error: The model is overloaded
- when: silent
  error: Nothing came
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a file and return its path."""

    def make(text: str | bytes) -> Path:
        path = tmp_path / "answers.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


@pytest.fixture
def scripted(make_client: Callable[..., Client], write: Callable[[str], Path]) -> Client:
    """Make a client of a server with the script."""
    return make_client(script=write(SCRIPT))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("my REFUNDS, please", "**Refunds** take [five days](https://example.com/help/returns)."),
        ("where is Order 12?", "It is on its way."),
        ("refund of order 12", "**Refunds** take [five days](https://example.com/help/returns)."),
        ("order s+d+", None),
    ],
)
def test_the_first_rule_that_fits_answers(
    write: Callable[[str], Path], message: str, text: str | None
) -> None:
    """By a text or a regular expression, whatever the case."""
    rule = find_rule(read_script(write(SCRIPT)), message)
    assert text == (rule.text if rule else None)


@pytest.mark.parametrize("message", ["refund", "order 12", "How long does shipping take?"])
def test_the_stored_message_is_the_streamed_one(scripted: Client, message: str) -> None:
    """And the whole one as well; a message without a rule gets the usual answer."""
    path = f"{scripted.conversation()}/messages"
    streamed = scripted.post(path, {"content": message, "stream": True})
    whole = scripted.post(path, {"content": message}).json["steps"][0]
    stored = scripted.get(f"{path}?role=assistant").json["data"]
    assert [(streamed.text, "complete")] * 2 == [
        (each["parts"][0]["text"], each["status"]) for each in stored
    ]
    assert streamed.text == whole["content"][0]["text"]


def test_a_streamed_answer_breaks_off(scripted: Client) -> None:
    """With the text of the rule, in the stream and in the stored message."""
    path = f"{scripted.conversation()}/messages"
    streamed = scripted.post(path, {"content": "broken", "stream": True})
    assert "It began" == streamed.text
    assert {"type": "error", "errorText": "The model is overloaded"} == json.loads(
        streamed.events[-2]
    )
    (stored,) = scripted.get(f"{path}?role=assistant").json["data"]
    assert ("It began", "error", "The model is overloaded") == (
        stored["parts"][0]["text"],
        stored["status"],
        stored["error"],
    )


def test_a_whole_answer_breaks_off(scripted: Client) -> None:
    """As the documented 500, and the stored message says the same."""
    path = f"{scripted.conversation()}/messages"
    reply = scripted.post(path, {"content": "silent"})
    assert (500, "Nothing came") == (reply.status, reply.json["error"]["message"])
    (stored,) = scripted.get(f"{path}?role=assistant").json["data"]
    assert ("", "error", "Nothing came") == (
        stored["parts"][0]["text"],
        stored["status"],
        stored["error"],
    )


@pytest.mark.parametrize("stream", [False, True])
def test_completions_follow_the_script(scripted: Client, *, stream: bool) -> None:
    """Without a conversation, too; also one that comes later."""
    said = [{"role": "user", "content": "order 12"}]
    reply = scripted.post("/chat/completions", {"messages": said, "stream": stream})
    assert 200 == reply.status
    assert 1 == b"".join(reply.chunks).count(b"way")


def test_earlier_messages_count_as_input(client: Client) -> None:
    """The model reads them again, and so a later message has more input."""
    path = f"{client.conversation()}/messages"

    def usage() -> dict[str, Any]:
        said = client.post(path, {"content": "Hello"}).json["steps"][0]["usage"]
        assert said["inputTokens"] + said["outputTokens"] == said["totalTokens"]
        return dict(said)

    first, second = usage(), usage()
    assert (1, 1 + first["totalTokens"]) == (first["inputTokens"], second["inputTokens"])
    assert first["outputTokens"] == second["outputTokens"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- when: [", ":1: expected the node content, but found '<stream end>'"),
        ("- when: a\n  when: b\n", ':2: found duplicate key "when" with value "b" (original'),
        ("", ':1: the file is not of type "array"'),
        ("a: 1", ':1: the file is not of type "array"'),
        ("- when: a\n  answer: b\n- answer: c\n", ":3: 1.when is required"),
        ("- when: a\n", ":1: 0.answer is required unless there is an error"),
        ("- when: a\n  answer: b\n  wait: 3\n", ":3: 0.wait is an unknown key"),
        ("- when: a\n  delay: -1\n", ":2: 0.delay is less than the minimum of 0"),
        ("- when: /(/\n  answer: b\n", ":1: 0.when is not a regular expression: missing )"),
        ("- &a [*a]", ":1: the file has a value that JSON cannot represent"),
        ("- when: .nan", ":1: the file has a value that JSON cannot represent"),
        ('- when: "\\uD800"', ":1: the file has a value that JSON cannot represent"),
        ("- when: 2024-13-45\n  answer: 5\n", ':2: 0.answer is not of type "string"'),
        ("- \0", ": unacceptable character #x0000: special characters are not allowed"),
        (b"- when: \xff", ": not UTF-8 at byte 8"),
    ],
)
def test_a_bad_file_is_one_line(
    write: Callable[[str | bytes], Path], text: str | bytes, problem: str
) -> None:
    """With file, line and problem."""
    path = write(text)
    with pytest.raises(FileError) as caught:
        read_script(path)
    assert str(caught.value).startswith(f"{path}{problem}")
    assert "\n" not in str(caught.value)


def test_the_command_refuses_a_bad_file(tmp_path: Path) -> None:
    """With status 2; here there is no file at all."""
    path = tmp_path / "none.yaml"
    assert f"siteassist-mock: {path}: No such file or directory" == refused("--script", str(path))


def test_a_server_that_stops_does_not_wait_for_a_delayed_answer() -> None:
    """A stream that is cancelled before its first event is settled all the same."""
    from siteassist_mock.http.event_stream import EventStreamResponse

    settled: list[Any] = []

    async def main() -> None:
        async def never() -> Any:
            await asyncio.Event().wait()

        async def send(_message: Any) -> None:
            raise AssertionError

        stream = EventStreamResponse(["a"], wait=60, settle=lambda *end: settled.append(end))
        task = asyncio.ensure_future(stream({"type": "http"}, never, send))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(main())
    assert [("", False)] == settled
