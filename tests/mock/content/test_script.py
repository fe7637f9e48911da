"""Tests for scripted answers and for the errors of an invalid script."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from siteassist_mock.content.assistant import Reply
from siteassist_mock.content.script import ScriptRule, find_rule, read_script
from siteassist_mock.content.streamed_message import StreamedMessage
from siteassist_mock.content.yaml_file import FileError
from siteassist_spec import read_union
from tests.description import DOCUMENT, OPERATIONS
from tests.mock.command import refused
from tests.values import ANSWERS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import Client, MakeClient, WriteYaml

PAYLOADS = DOCUMENT.raw["components"]["schemas"]["StreamPayload"]

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


def read(path: Path) -> tuple[ScriptRule, ...]:
    """Return the rules of a file."""
    (payload, *_) = (one.stream.payload for one in OPERATIONS.values() if one.stream)
    return read_script(path, DOCUMENT, payload)


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
    rule = find_rule(read(write_yaml(SCRIPT)), message)
    assert text == (rule.items[0]["text"] if rule else None)


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
        ("- when: a\n  answer: b\n- answer: c\n", ":3: entry 2: when is required"),
        ("- whne: a\n  answr: b\n", ":1: entry 1: whne is an unknown key, and 2 more"),
        ("- when: a\n", ":1: entry 1: answer is required unless there is an error"),
        (
            "- when: a\n  answer: b\n  events:\n  - text: c",
            ":2: entry 1: answer is not allowed beside",
        ),
        ("- when: a\n  events: []", ":2: entry 1: events has less than 1 item"),
        (
            "- when: a\n  events:\n  - {}",
            ":3: entry 1, events, entry 1 must have exactly one of the keys text,",
        ),
        (
            "- when: a\n  events:\n  - {text: b, tool: c}",
            ":3: entry 1, events, entry 1 must have exactly one",
        ),
        (
            "- when: a\n  events:\n  - text: ''",
            ":3: entry 1, events, entry 1: text is shorter than 1 char",
        ),
        (
            "- when: a\n  events:\n  - text: b\n    paus: 1",
            ":4: entry 1, events, entry 1: paus is an unknown key",
        ),
        (
            "- when: a\n  events:\n  - type: fil",
            ":3: entry 1, events, entry 1: type is an unknown type: 'fil'",
        ),
        (
            "- when: a\n  events:\n  - type: 3",
            ":3: entry 1, events, entry 1: type is an unknown type: '3'",
        ),
        (
            "- when: a\n  events:\n  - type: start",
            ":3: entry 1, events, entry 1: type is sent by the server",
        ),
        ("- when: a\n  events:\n  - type: file", ":3: entry 1, events, entry 1: url is required"),
        (
            "- when: a\n  events:\n  - text: b\n  - {type: error, errorText: c, code: 5}",
            ":4: entry 1, events, entry 2: code is an unknown key",
        ),
        (
            "- when: a\n  events:\n  - {type: reset-step, pause: 4000}",
            ":3: entry 1, events, entry 1: pause is greater than the maximum of 3600",
        ),
        (
            "- when: a\n  events:\n  - tool: b\n    output: 1\n    error: c",
            ":5: entry 1, events, entry 1: error is not allowed beside output",
        ),
        (
            "- when: a\n  events:\n  - text: b\n  - {type: text-end, id: '1'}",
            ":4: entry 1, events, entry 2 cannot be sent: `text-end` comes without a `text-start`",
        ),
        (
            "- when: a\n  events:\n  - {type: text-start, id: '1'}\n  - {type: custom, kind: b}",
            ":4: entry 1, events, entry 2 cannot be sent: `finish-step` comes before the `text-end",
        ),
        (
            "- when: a\n  error: b\n  events:\n  - {type: abort}",
            ":2: entry 1: error cannot be sent: `error` comes after `abort`",
        ),
        ("- when: a\n  answer: b\n  wait: 3\n", ":3: entry 1: wait is an unknown key"),
        ("- when: a\n  delay: -1\n", ":2: entry 1: delay is less than the minimum of 0"),
        ("- when: /(/\n  answer: b\n", ":1: entry 1: when is not a regular expression: missing )"),
        ("- &a [*a]", ": its aliases make it larger than 16777216 bytes"),
        ("- when: .nan", ":1: the file has a value that JSON cannot represent"),
        ('- when: "\\uD800"', ":1: the file has a value that JSON cannot represent"),
        ("- when: 2024-13-45\n  answer: 5\n", ':2: entry 1: answer is not of type "string"'),
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
        read(path)
    assert str(caught.value).startswith(f"{path}{problem}")
    assert "\n" not in str(caught.value)


def test_the_command_refuses_a_missing_script(tmp_path: Path) -> None:
    """The command ends with status 2 if the script does not exist."""
    path = tmp_path / "none.yaml"
    assert f"siteassist-mock: {path}: No such file or directory" == refused("--script", str(path))


QUESTIONS = tuple(rule["when"] for rule in YAML(typ="safe", pure=True).load(ANSWERS))


@pytest.fixture(params=["sqlite", "postgresql"])
def answering(make_client: MakeClient, database: str | None) -> Client:
    """Create a client of a server with the script of the documentation."""
    return make_client(script=ANSWERS, database=database)


def test_documented_rules_can_be_read(write_yaml: WriteYaml) -> None:
    """Each script on the page is valid."""
    page = (ROOT / "docs" / "how-to" / "mock.md").read_text(encoding="utf-8")
    scripts = re.findall(r"^```yaml\n(- when.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert [2, 1] == [len(read(write_yaml(script))) for script in scripts]


def test_parts_may_have_any_character(
    make_client: MakeClient, write_yaml: WriteYaml, database: str | None
) -> None:
    """NUL and characters beyond the basic plane survive in texts, parts and metadata."""
    odd = r"\0\x01\U0001F600"
    script = (
        f'- when: a\n  metadata: {{b: "{odd}"}}\n'
        f'  events:\n  - text: "{odd}"\n  - {{tool: c, input: "{odd}", output: "{odd}"}}\n'
    )
    client = make_client(script=write_yaml(script), database=database)
    path = f"{client.conversation()}/messages"
    client.post(path, {"content": "a", "stream": True})
    (stored,) = client.get(f"{path}?role=assistant").json["data"]
    text, tool = stored["parts"]
    assert ["\0\1\U0001f600"] * 4 == [
        stored["metadata"]["b"],
        text["text"],
        tool["input"],
        tool["output"],
    ]


def test_the_documented_script_has_every_event() -> None:
    """It has each type of event that `openapi.yaml` describes."""
    sent = {
        event.payload["type"] for rule in read(ANSWERS) for event in Reply(rule.items, 0).events()
    }
    union = read_union(DOCUMENT, PAYLOADS)
    assert set(union.exact) == {kind for kind in sent if kind in union.exact}
    assert union.prefixes.keys() == {"data-"}
    assert any(kind.startswith("data-") for kind in sent)


@pytest.mark.parametrize("question", QUESTIONS)
def test_documented_answers_are_stored_in_parts(answering: Client, question: str) -> None:
    """A stream, a whole answer and both stored messages have the same content."""
    path = f"{answering.conversation()}/messages"
    streamed = answering.post(path, {"content": question, "stream": True})
    events = [json.loads(event) for event in streamed.events[:-1]]
    whole = answering.post(path, {"content": question})
    messages = answering.get(f"{path}?role=assistant").json["data"]
    made = StreamedMessage(events)
    assert messages[0]["id"] == events[0]["messageId"]
    assert made.parts == messages[0]["parts"]
    assert [made.metadata] * 2 == [stored["metadata"] for stored in messages]
    if made.error is None:
        assert {"complete"} == {stored["status"] for stored in messages}
        steps = whole.json["steps"]
        assert [part for step in steps for part in step["content"]] == messages[1]["parts"]
        reasons = [step["finishReason"] for step in steps]
        assert ["tool-calls"] * (len(steps) - 1) + [events[-1]["finishReason"]] == reasons
    else:
        assert (500, made.error) == (whole.status, whole.json["error"]["message"])
        assert [("error", made.error)] * 2 == [
            (stored["status"], stored["error"]) for stored in messages
        ]


def test_an_interrupted_answer_is_stored_in_parts(answering: Client) -> None:
    """After a fault in the middle, the message has the parts and pieces that were sent."""
    path = f"{answering.conversation()}/messages"
    asked = {"content": "order", "stream": True}
    answering.post(path, asked, headers={"mock-fault": "stream-error"})
    (stored,) = answering.get(f"{path}?role=assistant").json["data"]
    assert "error" == stored["status"]
    assert ["reasoning", "tool-getOrder", "text"] == [part["type"] for part in stored["parts"]]
    assert {"state": "shipped", "days": 2} == stored["parts"][1]["output"]
    assert "Your " == stored["parts"][2]["text"]
    assert {"model": "example-1"} == stored["metadata"]


def test_tokens_of_reasoning_and_tools_are_counted(answering: Client) -> None:
    """Reasoning and the input of a tool count as output of their step."""
    said = [{"role": "user", "content": "order"}]
    first, second = answering.post("/chat/completions", {"messages": said}).json["steps"]
    assert (19, 12) == (first["usage"]["outputTokens"], first["usage"]["reasoningTokens"])
    assert (16, 0) == (second["usage"]["outputTokens"], second["usage"]["reasoningTokens"])


def test_items_have_pauses_of_their_own(write_yaml: WriteYaml) -> None:
    """A pause replaces the delay of the server after each event of an item."""
    script = "- when: a\n  events:\n  - {text: b c, pause: 0.25}\n  - {type: custom, kind: d}"
    reply = Reply(read(write_yaml(script))[0].items, 0)
    pauses = {event.payload["type"]: event.pause for event in reply.events()}
    texts = dict.fromkeys(("text-start", "text-delta", "text-end"), 0.25)
    steps = dict.fromkeys(("start", "start-step", "custom", "finish-step", "finish"))
    assert {**steps, **texts} == pauses
