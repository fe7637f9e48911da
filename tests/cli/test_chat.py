"""The command ``siteassist chat``: answers, failures and ends, on a mock."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from siteassist import SiteAssist
from siteassist_cli import cli
from siteassist_cli.chat import ABORTED, QUEUED, shown
from siteassist_mock.cli import main as mock_command
from siteassist_mock.testing import MockServer, mock_server
from tests.values import API_KEY, PRIVATE_KEY, UNKNOWN_ID

EVIL = "\x1b[2J red \x07\u202e\x9b1m\ttab\nline"
RULES = [
    {"when": "nasty", "answer": EVIL},
    {"when": "aborts", "events": [{"text": "Part"}, {"type": "abort"}]},
    {"when": "fails", "answer": "Half of it", "error": "the model is overloaded"},
    {"when": "ends", "answer": "whole\n"},
    {"when": "waits", "events": [{"text": "Wait"}, {"text": "over", "pause": 60}]},
    {"when": "/./", "answer": "Good day."},
]


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    """Run a mock with scripted answers."""
    path = tmp_path_factory.mktemp("chat") / "script.yaml"
    # JSON is YAML.
    path.write_text(json.dumps(RULES))
    with mock_server(script=path) as server:
        yield server


def run(*words: str, typed: str | bytes | None = None, **environment: str) -> Result:
    """Run the command with only the given variables of the client."""
    names = ("SITEASSIST_API_KEY", "SITEASSIST_TOKEN", "SITEASSIST_BASE_URL")
    variables = {**dict.fromkeys(names), **environment}
    return CliRunner().invoke(
        cli.main, ["chat", *words], input=typed, env=variables, prog_name="siteassist"
    )


def ask(mock: MockServer, question: str, *words: str) -> Result:
    """Ask one question with the publishable key of the mock."""
    return run("--base-url", str(mock), "--api-key", API_KEY, "--once", question, *words)


def test_once_prints_only_the_answer(mock: MockServer) -> None:
    """The answer ends with one line break, and there is nothing else."""
    for question, answer in (("Hello", "Good day.\n"), ("ends", "whole\n")):
        result = ask(mock, question)
        assert (0, answer, "") == (result.exit_code, result.stdout, result.stderr)


def test_settings_come_from_the_environment(mock: MockServer) -> None:
    """A key or a token in the environment is enough, with the address."""
    for credential in ({"SITEASSIST_API_KEY": API_KEY}, {"SITEASSIST_TOKEN": PRIVATE_KEY}):
        result = run("--once", "Hello", SITEASSIST_BASE_URL=str(mock), **credential)
        assert (0, "Good day.\n") == (result.exit_code, result.stdout)


def test_question_can_come_from_standard_input(mock: MockServer) -> None:
    """`--once -` reads one question of several lines; bytes that are not UTF-8 do no harm."""
    words = ("--base-url", str(mock), "--api-key", API_KEY)
    result = run(*words, "--once", "-", typed=b"one\ntwo \xff\n")
    assert (0, "Good day.\n") == (result.exit_code, result.stdout)
    (message,) = [each for each in mock.requests if "two" in str(each["body"])]
    assert "one\ntwo \ufffd" == message["body"]["content"]
    for empty in ("", " \n"):
        refused = run(*words, "--once", "-", typed=empty)
        assert (2, "") == (refused.exit_code, refused.stdout)
        assert "the question is empty" in refused.stderr


def test_each_line_of_standard_input_is_a_message(mock: MockServer) -> None:
    """Without a terminal there is no prompt; empty lines are skipped."""
    result = run("--base-url", str(mock), "--api-key", API_KEY, typed="one\n\n  two \n")
    assert (0, "Good day.\n" * 2, "") == (result.exit_code, result.stdout, result.stderr)


def test_json_is_one_object_a_line(mock: MockServer) -> None:
    """An object has the keys that the help documents, and continues the conversation."""
    first = ask(mock, "Hello", "--json")
    found = json.loads(first.stdout)
    assert 1 == first.stdout.count("\n")
    section = cli.HELP.partition("one line with one object:\n")[2].partition("\n\n")[0]
    keys = [key for line in section.splitlines() for key in line[2:24].split(", ")]
    assert [key.strip() for key in keys] == list(found)
    assert ("Good day.", True, False, None) == (
        *(found["text"], found["complete"], found["queued"], found["error"]),
    )
    options = ("--conversation", found["conversation"], "--device-id", found["device"])
    second = json.loads(ask(mock, "Hello", "--json", *options).stdout)
    assert found["conversation"] == second["conversation"]
    assert found["message"] != second["message"]


def test_control_characters_of_the_server_are_escaped(mock: MockServer) -> None:
    """Line breaks and tabs are kept, joined emoji are not torn, and JSON has only ASCII."""
    result = ask(mock, "nasty")
    assert "\\x1b[2J red \\x07\\u202e\\x9b1m\ttab\nline\n" == result.stdout
    assert "👩\u200d💻" == shown("👩\u200d💻")
    text = ask(mock, "nasty", "--json").stdout
    assert text.isascii()
    assert EVIL == json.loads(text)["text"]


@pytest.mark.parametrize("as_json", [False, True])
def test_answer_that_fails(mock: MockServer, as_json: bool) -> None:
    """What has arrived is printed, the reason is one line, and the exit status is 1."""
    result = ask(mock, "fails", *(["--json"] if as_json else []))
    assert (1, 1) == (result.exit_code, result.stderr.count("\n"))
    assert "siteassist: sendMessage: the answer failed: the model is overloaded" in result.stderr
    if as_json:
        found = json.loads(result.stdout)
        assert (False, "Half of it") == (found["complete"], found["text"])
        assert "the model is overloaded" in found["error"]
    else:
        assert "Half of it\n" == result.stdout


def test_answer_that_the_service_aborts(mock: MockServer) -> None:
    """An aborted answer is printed with a remark; later messages are sent, and the status is 1."""
    result = ask(mock, "aborts")
    assert (1, "Part\n", f"{ABORTED}\n") == (result.exit_code, result.stdout, result.stderr)
    result = ask(mock, "aborts", "--json")
    assert (1, False) == (result.exit_code, json.loads(result.stdout)["complete"])
    words = ("--base-url", str(mock), "--api-key", API_KEY)
    result = run(*words, typed="aborts\nHello\n")
    assert (1, "Part\nGood day.\n") == (result.exit_code, result.stdout)


def test_human_agent(mock: MockServer) -> None:
    """A queued message is one sentence, and `queued` in JSON."""
    found = json.loads(ask(mock, "Hello", "--json").stdout)
    mock.hand_over(found["conversation"])
    options = ("--conversation", found["conversation"], "--device-id", found["device"])
    result = ask(mock, "Hello", *options)
    assert (0, "", f"{QUEUED}\n") == (result.exit_code, result.stdout, result.stderr)
    queued = json.loads(ask(mock, "Hello", "--json", *options).stdout)
    assert (True, "") == (queued["queued"], queued["text"])


def fails_to_start(result: Result) -> str:
    """Check that the conversation could not start, and return the reason from its only line."""
    assert (2, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith("siteassist: ")
    return result.stderr.removeprefix("siteassist: ").rstrip("\n")


def test_missing_credential() -> None:
    """Without a credential, the message says how to get one."""
    reason = fails_to_start(run("--once", "x"))
    assert "set SITEASSIST_API_KEY" in reason
    assert "--mock" in reason


def test_missing_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing listens on this machine, the message says what to start."""
    monkeypatch.setattr(cli, "MOCK_URL", "http://127.0.0.1:1/v2")
    key = ("--api-key", API_KEY)
    for words in (("--mock",), ("--base-url", "http://localhost:1/v2", *key)):
        assert "siteassist-mock starts a mock server" in fails_to_start(run("--once", "x", *words))
    elsewhere = fails_to_start(run("--once", "x", "--base-url", "http://[::]:1/v2", *key))
    assert "siteassist-mock" not in elsewhere


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("--api-key", "pk_wrong_1234567890"), "--api-key takes a publishable key (pk_...)"),
        (("--api-key", PRIVATE_KEY), "this looks like a private key, which --token takes"),
        (("--token", "wrong_1234567890"), "--token takes a session token or a private key"),
        (("--token", API_KEY), "this looks like a publishable key, which --api-key takes"),
    ],
)
@pytest.mark.parametrize("given", ["option", "environment"])
def test_refused_credential(
    words: tuple[str, str], remedy: str, given: str, mock: MockServer
) -> None:
    """A wrong credential is one sentence, with the remedy and without the credential."""
    name, value = words
    variable = {"--api-key": "SITEASSIST_API_KEY", "--token": "SITEASSIST_TOKEN"}[name]
    if given == "option":
        result = run("--base-url", str(mock), "--once", "x", *words)
    else:
        result = run("--base-url", str(mock), "--once", "x", **{variable: value})
    reason = fails_to_start(result)
    assert re.search(rf": 401 [^;]+\(UNAUTHORIZED\); {re.escape(remedy)}", reason), reason
    assert value not in reason


def test_forgotten_version_in_the_address(mock: MockServer) -> None:
    """An address without a path is the usual reason for a 404."""
    base = str(mock).removesuffix("/v2")
    reason = fails_to_start(run("--base-url", base, "--api-key", API_KEY, "--once", "x"))
    assert "404" in reason
    assert reason.endswith("; expected a base URL like https://host/v2")
    reason = fails_to_start(run("--base-url", f"{base}/v3", "--api-key", API_KEY, "--once", "x"))
    assert "404" in reason
    assert "expected" not in reason


def test_conversation_that_cannot_be_continued(mock: MockServer) -> None:
    """An unknown and a closed conversation are one sentence each."""
    assert "404" in fails_to_start(ask(mock, "x", "--conversation", UNKNOWN_ID))
    found = json.loads(ask(mock, "Hello", "--json").stdout)
    options = {"base_url": str(mock), "api_key": API_KEY, "device_id": found["device"]}
    with SiteAssist(**options) as client:
        client.close_conversation(found["conversation"])
    words = ("--conversation", found["conversation"], "--device-id", found["device"])
    reason = f"conversation {found['conversation']} is closed"
    assert reason == fails_to_start(ask(mock, "x", *words))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--mock", "--api-key", "x"), "--mock has its own base URL and key"),
        (("--conversation", "x"), "not a valid UUID"),
        (("--once", ""), "the question is empty"),
    ],
)
def test_wrong_options(words: tuple[str, ...], reason: str) -> None:
    """Options that contradict each other or are malformed are usage errors."""
    result = run(*words)
    assert (2, True) == (result.exit_code, reason in result.stderr)


def test_mock_has_its_own_settings(mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--mock` uses the address and the key that the mock has by default, and no variables."""
    defaults = {each.name: each.default for each in mock_command.params}
    assert f"http://{defaults['host']}:{defaults['port']}/v2" == cli.MOCK_URL
    assert defaults["api_key"] == cli.MOCK_KEY
    monkeypatch.setattr(cli, "MOCK_URL", str(mock))
    others = {"SITEASSIST_TOKEN": "sk_other", "SITEASSIST_BASE_URL": "http://127.0.0.1:1/v2"}
    assert 0 == run("--mock", "--once", "Hello", **others).exit_code


def test_full_disk_is_one_line(mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output that cannot be written ends the command with one sentence."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("siteassist_cli.chat.click.echo", full)
    monkeypatch.setattr(cli, "note", lambda text, **_: sys.stderr.write(f"{text}\n"))
    result = ask(mock, "Hello")
    expected = "siteassist: cannot print the answer: No space left on device\n"
    assert (1, expected) == (result.exit_code, result.stderr)


def test_output_that_is_closed_early(mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is gone ends the command without a message."""

    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("siteassist_cli.chat.click.echo", gone)
    result = ask(mock, "Hello")
    assert (1, "") == (result.exit_code, result.output)


@pytest.mark.parametrize("words", [["--version"], ["chat", "-h"], ["-h"]])
def test_version_and_help(words: list[str]) -> None:
    """Each line has at most 80 columns."""
    result = CliRunner().invoke(cli.main, words, prog_name="siteassist")
    assert 0 == result.exit_code
    assert max(map(len, result.stdout.splitlines())) <= 80
    if words == ["--version"]:
        assert re.fullmatch(r"siteassist \d+\.\d+\.\d+ \(Python 3\.\d+\.\d+\)\n", result.stdout)


@pytest.mark.parametrize(
    ("variables", "color"), [({}, None), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_can_be_refused(variables: dict[str, str], color: bool | None) -> None:
    """`NO_COLOR` and a dumb terminal get no colours; pipes never do."""
    seen: list[Any] = []
    command = click.Command("look", callback=lambda: seen.append(click.get_current_context().color))
    cli.main.add_command(command)
    try:
        CliRunner().invoke(cli.main, ["look"], env={"NO_COLOR": None, "TERM": "xterm", **variables})
    finally:
        del cli.main.commands["look"]
    assert [color] == seen


# On a terminal


@contextmanager
def terminal(*words: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run the command on a terminal of its own; yield the other side of it, and the process."""
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "siteassist_cli", "chat", *words]
    environment = {**os.environ, "TERM": "xterm", "SITEASSIST_API_KEY": API_KEY}
    environment.pop("NO_COLOR", None)
    try:
        with subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
        ) as process:
            os.close(inner)
            try:
                yield outer, process
            finally:
                process.kill()
    finally:
        os.close(outer)


def read(terminal: int, until: str) -> str:
    """Read from a terminal until a pattern matches."""
    found = b""
    while not re.search(until, found.decode("utf-8", "replace"), re.DOTALL):
        assert select.select([terminal], [], [], 30)[0], found
        found += os.read(terminal, 1000)
    return found.decode("utf-8", "replace").replace("\r\n", "\n")


def rest(terminal: int) -> str:
    """Read from a terminal to the end of its program."""
    found = b""
    while True:
        assert select.select([terminal], [], [], 60)[0], found
        try:
            piece = os.read(terminal, 1000)
        except OSError:  # the end, on Linux
            piece = b""
        if not piece:
            return found.decode().replace("\r\n", "\n")
        found += piece


@pytest.mark.usefixtures("measured_children")
def test_conversation_on_a_terminal(mock: MockServer) -> None:
    """Failures do not end a conversation; Ctrl-D does, and its last line continues it."""
    with terminal("--base-url", str(mock)) as (outer, process):
        assert f"This is a conversation with {mock}. Ctrl-D ends it." in read(outer, "> ")
        os.write(outer, b"Hello\n\nfails\n")
        assert "Good day." in (text := read(outer, "overloaded.*> "))
        assert "\x1b[31msiteassist: " not in text
        assert "\x1b[31msendMessage: the answer failed" in text
        os.write(outer, b"\x04")
        last = rest(outer)
        assert 0 == process.wait()
    (line,) = re.findall(r"Continue with: siteassist (.*?)(?:\x1b\[0m)?\n", last)
    result = run(*shlex.split(line)[1:], "--once", "Hello", SITEASSIST_API_KEY=API_KEY)
    assert (0, "Good day.\n") == (result.exit_code, result.stdout)


@pytest.mark.usefixtures("measured_children")
@pytest.mark.parametrize("answering", [False, True])
def test_interrupt_on_a_terminal(mock: MockServer, answering: bool) -> None:
    """Ctrl-C ends the command at the prompt and in an answer, without a traceback."""
    with terminal("--base-url", str(mock)) as (outer, process):
        read(outer, "> ")
        if answering:
            os.write(outer, b"waits\n")
            read(outer, "Wait")
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            # Python's readline loses a signal that arrives just before it waits for a key.
            if select.select([outer], [], [], 10)[0]:
                break
        last = rest(outer)
        assert 130 == process.wait()
    assert "Traceback" not in last
    assert "Continue with: siteassist chat" in last
