"""Tests for scripted answers and for the errors of an invalid script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.content.script import find_rule, read_script
from siteassist_mock.content.yaml_file import FileError
from tests.mock.command import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import Client, MakeClient, WriteYaml

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
def scripted(make_client: MakeClient, write_yaml: WriteYaml) -> Client:
    """Create a client of a server with the script."""
    return make_client(script=write_yaml(SCRIPT))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("my REFUNDS, please", "**Refunds** take [five days](https://example.com/help/returns)."),
        ("where is Order 12?", "It is on its way."),
        ("refund of order 12", "**Refunds** take [five days](https://example.com/help/returns)."),
        ("order s+d+", None),
    ],
)
def test_the_first_matching_rule_applies(
    write_yaml: WriteYaml, message: str, text: str | None
) -> None:
    """A rule matches a substring or a regular expression, ignoring case."""
    rule = find_rule(read_script(write_yaml(SCRIPT)), message)
    assert text == (rule.text if rule else None)


@pytest.mark.parametrize("message", ["refund", "order 12", "How long does shipping take?"])
def test_streamed_whole_and_stored_answers_are_equal(scripted: Client, message: str) -> None:
    """The streamed, whole and stored texts are the same, with and without a matching rule."""
    path = f"{scripted.conversation()}/messages"
    streamed = scripted.post(path, {"content": message, "stream": True})
    whole = scripted.post(path, {"content": message}).json["steps"][0]
    stored = scripted.get(f"{path}?role=assistant").json["data"]
    assert [(streamed.text, "complete")] * 2 == [
        (each["parts"][0]["text"], each["status"]) for each in stored
    ]
    assert streamed.text == whole["content"][0]["text"]


def test_a_scripted_error_ends_a_stream(scripted: Client) -> None:
    """The stream and the stored message contain the rule's text and its error."""
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


def test_a_scripted_error_is_a_500(scripted: Client) -> None:
    """Without a stream, a rule's error is a 500, and the stored message has the error."""
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
    """Completions outside a conversation use the script as well, including its delays."""
    said = [{"role": "user", "content": "order 12"}]
    reply = scripted.post("/chat/completions", {"messages": said, "stream": stream})
    assert 200 == reply.status
    assert 1 == b"".join(reply.chunks).count(b"way")


def test_earlier_messages_count_as_input(client: Client) -> None:
    """Earlier messages of a conversation count as input of a later one."""
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
        ("- &a [*a]", ": its aliases make it larger than 16777216 bytes"),
        ("- when: .nan", ":1: the file has a value that JSON cannot represent"),
        ('- when: "\\uD800"', ":1: the file has a value that JSON cannot represent"),
        ("- when: 2024-13-45\n  answer: 5\n", ':2: 0.answer is not of type "string"'),
        ("- \0", ": unacceptable character #x0000: special characters are not allowed"),
        (b"- when: \xff", ": not UTF-8 at byte 8"),
    ],
)
def test_an_invalid_script_is_one_line(
    write_yaml: WriteYaml, text: str | bytes, problem: str
) -> None:
    """The error names the file, the line and the problem."""
    path = write_yaml(text)
    with pytest.raises(FileError) as caught:
        read_script(path)
    assert str(caught.value).startswith(f"{path}{problem}")
    assert "\n" not in str(caught.value)


def test_the_command_refuses_a_missing_script(tmp_path: Path) -> None:
    """The command ends with status 2 if the script does not exist."""
    path = tmp_path / "none.yaml"
    assert f"siteassist-mock: {path}: No such file or directory" == refused("--script", str(path))
