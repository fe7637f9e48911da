"""Reproductions as shell commands and as Python programs, which are executed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from siteassist_contract.http.network import Network
from siteassist_contract.http.recorder import Exchange, Recorder
from siteassist_contract.http.session import Session
from siteassist_contract.report import reproduction
from siteassist_contract.report.reproduction import Renderer, filled, shortest
from siteassist_mock.testing import mock_server
from siteassist_spec.output import printable
from tests.values import API_KEY as KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Serve

DEVICE = "siteassist-contract-rendering-1"
FIRST, SECOND, THIRD = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(1, 4))
NASTY = 'it\'s "quoted" $HOME ${X} `id` $(id) \\ \\n %s {id1} {{x}} [a] é🎉\n\r\t!~*?#;|<>\u2028 '

SHELL = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("bash", "curl", "jq")),
    reason="runs shell commands: needs bash, curl and jq",
)


def exchange(
    operation: str,
    method: str = "GET",
    target: str = "/x",
    *,
    answer: Any = None,
    body: Any = None,
    status: int = 200,
    credential: str = "first",
    content_type: str = "application/json",
) -> Exchange:
    """Create an exchange with defaults."""
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Exchange(
        operation=operation,
        credential=credential,
        method=method,
        target=target,
        body=sent,
        content_type=content_type if sent else "",
        status=status,
        headers={"content-type": "application/json"},
        content=b"" if answer is None else json.dumps(answer).encode(),
        seconds=0.1,
        first=0.1,
        pieces=1,
    )


def started(name: str, **rest: Any) -> Exchange:
    """Create the exchange that starts a conversation."""
    answer = {"object": "conversation", "id": name}
    return exchange(
        "startConversation", "POST", "/conversations", answer=answer, status=201, **rest
    )


def sent(name: str, **rest: Any) -> Exchange:
    """Create the exchange that sends a message."""
    target = f"/conversations/{name}/messages"
    return exchange("sendMessage", "POST", target, body={"content": "Hi"}, answer={}, **rest)


def listed(name: str, message: str) -> Exchange:
    """Create the exchange that lists a message."""
    answer = {"data": [{"chatId": name, "id": message}]}
    return exchange("getMessages", "GET", f"/conversations/{name}/messages", answer=answer)


# Which exchanges are kept


def test_reproduction_without_exchanges_is_empty() -> None:
    """Without an exchange there are no commands and no program."""
    assert ("", "") == Renderer("http://127.0.0.1/v2")([])


def test_last_exchange_without_ids_stands_alone() -> None:
    """An exchange that names no id depends on nothing before it."""
    last = exchange("getMe", target="/identity/me")
    assert [last] == shortest([started(FIRST), sent(FIRST), last])


def test_creation_of_an_id_is_kept_without_its_reads() -> None:
    """The start of a conversation is kept, and reads in between are left out."""
    start, last = started(FIRST), exchange("getConversation", target=f"/conversations/{FIRST}")
    read = exchange("getConversation", target=f"/conversations/{FIRST}", answer={"id": FIRST})
    page = exchange("getConversations", target="/conversations", answer={"data": [{"id": FIRST}]})
    assert [start, last] == shortest([start, read, page, last])


def test_changes_of_an_object_are_kept_in_order() -> None:
    """Each message to the conversation and its closing are kept."""
    start, one, two = started(FIRST), sent(FIRST), sent(FIRST)
    close = exchange("closeConversation", "POST", f"/conversations/{FIRST}/close", answer={})
    last = exchange("getConversation", target=f"/conversations/{FIRST}")
    assert [start, one, two, close, last] == shortest([start, one, two, close, last])


def test_other_objects_are_left_out() -> None:
    """Another conversation and its messages are left out."""
    start, last = started(FIRST), exchange("getConversation", target=f"/conversations/{FIRST}")
    others = [started(SECOND), sent(SECOND), listed(SECOND, THIRD)]
    assert [start, last] == shortest([others[0], start, *others[1:], last])


def test_refused_requests_are_left_out() -> None:
    """A refused message changed nothing."""
    start, last = started(FIRST), exchange("getConversation", target=f"/conversations/{FIRST}")
    assert [start, last] == shortest(
        [start, sent(FIRST, status=400), sent(FIRST, status=300), last]
    )


def test_source_of_an_id_is_kept_with_its_dependencies() -> None:
    """The list that shows a message is kept, and so is the start of its conversation."""
    start, send, read = started(FIRST), sent(FIRST), listed(FIRST, SECOND)
    rate = exchange(
        "sendMessageFeedback", "POST", f"/messages/{SECOND}/feedback", body={"feedback": "like"}
    )
    again = listed(FIRST, SECOND)
    assert [start, send, read, rate] == shortest([start, send, read, again, rate])


def test_ids_are_found_in_bodies_and_in_capitals() -> None:
    """Ids are compared without case, wherever they are."""
    start = started(FIRST.upper().replace("0000", "abcd", 1))
    name = FIRST.replace("0000", "ABCD", 1)
    last = exchange("createChatCompletion", "POST", "/chat/completions", body={"assistantId": name})
    assert [start, last] == shortest([start, last])


def test_list_depends_on_each_change_of_its_visitor() -> None:
    """All changes of the visitor are kept before a list, and other visitors' are left out."""
    mine = [started(FIRST), sent(FIRST), started(SECOND)]
    session = exchange("init", "POST", "/identity/init", body={"saVid": "d"})
    other = [started(THIRD, credential="second"), sent(THIRD, credential="second")]
    last = exchange("getConversations", target="/conversations")
    assert [*mine, last] == shortest([session, *mine[:2], *other, mine[2], last])


def test_unknown_ids_are_kept_verbatim() -> None:
    """A generated id is part of the request, not a variable."""
    last = exchange("getConversation", target=f"/conversations/{FIRST}")
    shell, program = Renderer("http://127.0.0.1/v2")([started(SECOND), last])
    assert FIRST in shell
    assert FIRST in program
    assert "id1" not in shell + program


# The text of a reproduction


def test_commands_are_short() -> None:
    """Ids, tokens and keys are variables; only the last response is shown with its headers."""
    render = Renderer("http://127.0.0.1/v2", KEY, {"first": DEVICE})
    last = exchange("getMessages", target=f"/conversations/{FIRST}/m")
    steps = [started(FIRST), sent(FIRST), last]
    shell, program = render(steps)
    assert [
        "(",
        "BASE=http://127.0.0.1/v2",
        ': "${SITEASSIST_API_KEY:?set it to the publishable key}"',
        (
            "first=$(curl -sS \"$BASE\"/identity/init --header 'Content-Type: application/json'"
            ' --data \'{"apiKey": "\'"$SITEASSIST_API_KEY"\'", '
            f'"saVid": "{DEVICE}"}}\' | jq -r \'.sessionToken\')'
        ),
        (
            'id1=$(curl -sS "$BASE"/conversations --request POST '
            '--header "Authorization: Bearer $first" '
            "| jq -r '.id')"
        ),
        (
            'curl -sS "$BASE"/conversations/"$id1"/messages '
            '--header "Authorization: Bearer $first" '
            "--header 'Content-Type: application/json' --data '{\"content\": \"Hi\"}'; echo"
        ),
        'curl -sSi "$BASE"/conversations/"$id1"/m --header "Authorization: Bearer $first"',
        ")",
    ] == shell.splitlines()
    assert [
        "import os",
        "import sys",
        "",
        "from siteassist import AuthenticatedClient, Client",
        "",
        'if not os.environ.get("SITEASSIST_API_KEY"):',
        '    sys.exit("SITEASSIST_API_KEY: set it to the publishable key")',
        "BASE = 'http://127.0.0.1/v2'",
        "anonymous = Client(BASE).get_httpx_client()",
        "first_token = anonymous.request(",
        '    "POST",',
        '    "/identity/init",',
        "    json={",
        '        "apiKey": os.environ["SITEASSIST_API_KEY"],',
        f'        "saVid": "{DEVICE}",',
        "    },",
        ').json()["sessionToken"]',
        "first = AuthenticatedClient(BASE, first_token).get_httpx_client()",
        "",
        'answer = first.request("POST", "/conversations")',
        "id1 = answer.json()['id']",
        "first.request(",
        '    "POST",',
        '    f"/conversations/{id1}/messages",',
        '    json={"content": "Hi"},',
        ")",
        'answer = first.request("GET", f"/conversations/{id1}/m")',
        "print(answer.status_code, answer.text)",
    ] == program.splitlines()


def test_given_token_is_read_from_the_environment() -> None:
    """A visitor without a device uses the given token."""
    shell, program = Renderer("http://127.0.0.1/v2")([exchange("getMe")])
    assert 'first="$SITEASSIST_TOKEN"' in shell.splitlines()
    assert 'first_token = os.environ["SITEASSIST_TOKEN"]' in program.splitlines()
    assert "SITEASSIST_API_KEY" not in shell + program


@pytest.mark.parametrize("language", [pytest.param("shell", marks=SHELL), "python"])
def test_missing_variable_ends_the_reproduction(language: str) -> None:
    """Without a variable, one line names it and nothing is sent; an empty one is missing, too."""
    command = ["bash"] if language == "shell" else [sys.executable, "-"]
    network = Network((("x-gateway", "secret"),))
    steps = [exchange("getMe", credential="first"), exchange("getMe", credential="second")]
    for render, step, missing in (
        (Renderer("http://127.0.0.1:1/v2", KEY, {"first": DEVICE}), steps[0], "SITEASSIST_API_KEY"),
        (Renderer("http://127.0.0.1:1/v2"), steps[0], "SITEASSIST_TOKEN"),
        (Renderer("http://127.0.0.1:1/v2"), steps[1], "SITEASSIST_SECOND_TOKEN"),
        (Renderer("http://127.0.0.1:1/v2", network=network), steps[0], "HEADER_X_GATEWAY"),
    ):
        shell, program = render([step])
        names = {"SITEASSIST_API_KEY", "SITEASSIST_TOKEN", "SITEASSIST_SECOND_TOKEN"} - {missing}
        environment = {"PATH": os.environ["PATH"], missing: "", **dict.fromkeys(names, "x")}
        done = subprocess.run(
            command,
            input=shell if language == "shell" else program,
            env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "" == done.stdout
        (line,) = done.stderr.splitlines()
        assert f"{missing}: set it to the " in line


def test_session_is_opened_for_each_needed_visitor() -> None:
    """The owner of the object and the visitor without access get a session each."""
    steps = [started(FIRST), exchange("getConversation", target=f"/conversations/{FIRST}")]
    steps[1] = exchange("getConversation", target=f"/conversations/{FIRST}", credential="second")
    render = Renderer("http://127.0.0.1/v2", KEY, {"first": "d1", "second": "d2"})
    shell, program = render(steps)
    lines = shell.splitlines()
    assert ["first=", "second=", "id1="] == [line[: line.index("=") + 1] for line in lines[3:6]]
    assert 'answer = second.request("GET", f"/conversations/{id1}")' in program


def test_program_imports_what_it_needs() -> None:
    """A program without a variable of the environment starts with the client."""
    _, program = Renderer("http://127.0.0.1/v2")([exchange("getMe", credential="")])
    assert program.startswith("from siteassist import ")
    assert "os." not in program


def test_request_without_credential_opens_no_session() -> None:
    """Without a credential there is no header and no token."""
    search = exchange("search", target=f"/search?q=a&apiKey={KEY}", credential="")
    shell, program = Renderer("http://127.0.0.1/v2", KEY, {"first": DEVICE})([search])
    assert "Authorization" not in shell + program
    assert DEVICE not in shell + program


@pytest.mark.parametrize("key", [KEY, "k+/=?& $key'"])
def test_key_is_never_shown(key: str) -> None:
    """The key is a variable in queries and bodies, percent-encoded or not."""
    render = Renderer("http://127.0.0.1/v2", key, {"first": DEVICE})
    quoted = quote(key, safe="")
    for step in (
        exchange("search", target=f"/search?q=a&apiKey={quoted}", credential=""),
        exchange(
            "init", "POST", "/identity/init", body={"apiKey": key, "saVid": "d"}, credential=""
        ),
    ):
        shell, program = render([step])
        text = shell + program
        assert key not in text
        assert quoted not in text
        assert text.count("SITEASSIST_API_KEY") == 5
    assert KEY not in repr(Renderer("http://127.0.0.1/v2", KEY))


# The execution of a reproduction


@dataclass
class Received:
    """A request as the server received it."""

    method: str
    target: str
    authorization: str | None
    content_type: str | None
    body: bytes


@dataclass
class RecordingServer:
    """The requests of a server that responds to each with a session token."""

    url: str = ""
    received: list[Received] = field(default_factory=list)


@contextmanager
def recording() -> Iterator[RecordingServer]:
    """Run a server that records its requests."""
    recorder = RecordingServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content_type = self.headers.get("Content-Type")
            recorder.received.append(
                Received(
                    self.command,
                    self.path.removeprefix("/v2"),
                    self.headers.get("Authorization"),
                    content_type if body else None,
                    body,
                )
            )
            answer = b"{}"
            if self.path == "/v2/identity/init":
                token = f"token-{json.loads(body)['saVid']}"
                answer = json.dumps({"sessionToken": token}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET  # noqa: N815  # the base class's form

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # likewise
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{httpd.server_port}/v2"
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield recorder
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def run(command: Sequence[str], text: str, **environment: str) -> str:
    """Run a program with ``text`` as its input and return its output."""
    names = ("PATH", "PYTHONPATH", "HOME", "LANG", "SYSTEMROOT")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    done = subprocess.run(
        command,
        input=text,
        env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def in_shell(text: str, **environment: str) -> str:
    """Run shell commands, and stop at the first error."""
    return run(["bash", "-euo", "pipefail"], text, **environment)


def in_python(text: str, **environment: str) -> str:
    """Run a Python program."""
    return run([sys.executable, "-"], text, **environment)


def test_missing_variable_ends_pasted_commands() -> None:
    """In an interactive shell, which a missing variable does not end, nothing is sent."""
    last = exchange("getMe", target="/identity/me")
    shell, _ = Renderer("http://127.0.0.1:1/v2", KEY, {"first": DEVICE})([last])
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-i"],
        input=f"{shell}\necho still here\n",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "still here" in done.stdout
    assert "SITEASSIST_API_KEY: set it to the publishable key" in done.stderr
    assert "curl: " not in done.stderr


STRANGE = [
    exchange("sendMessage", "POST", "/conversations/c/messages", body={"content": NASTY}),
    exchange(
        "sendMessage",
        "POST",
        "/conversations/c/messages",
        body=json.dumps({"content": NASTY, "pageContext": None}, ensure_ascii=False).encode(),
        credential="",
    ),
    exchange("startConversation", "POST", "/conversations"),
    exchange(
        "createChatCompletion", "POST", "/chat/completions", body=[True, None, 1.5, {"a": []}]
    ),
    exchange("startConversation", "POST", "/conversations", body={}),
    exchange("startConversation", "POST", "/conversations", body=b"@/etc/hosts"),
    exchange("startConversation", "POST", "/conversations", body=b'{"content": '),
    exchange("startConversation", "POST", "/conversations", body=b"7"),
    exchange(
        "startConversation", "POST", "/conversations", body=b"a=b&c", content_type="text/plain"
    ),
    exchange("startConversation", "POST", "/conversations", body=b'{"a": "\x1b[2J\x7f\0\\"}'),
    exchange("startConversation", "POST", "/conversations", body="\u202e\x85\ufeff".encode()),
    exchange("startConversation", "PUT", "/conversations", body={"a": "-X"}),
    exchange("search", target="/search?q=it%27s+%22%24HOME%22%20%60id%60%0A%F0%9F%8E%89&size=1"),
    exchange("search", target="/search?q=&size="),
    exchange("getConversation", target="/conversations/not%20a%2Fuuid%27%22"),
    exchange("getMe", target="/identity/me", credential=""),
    exchange("getMe", target="/identity/me", credential="Bearer"),
    exchange("getMe", target="/identity/me", credential="Basic {first}"),
    exchange("getMe", target="/identity/me", credential="Bearer {key}"),
    exchange("getMe", target="/identity/me", credential="Bearer $HOME `id` \"q\" 'z' \\ %s !"),
    exchange("getMe", target="/identity/me", credential="second"),
]


def expected(step: Exchange) -> Received:
    """Return the request that an exchange stands for."""
    header = step.credential
    if header in ("first", "second"):
        header = f"Bearer {{{header}}}"
    for name in ("first", "second"):
        header = header.replace(f"{{{name}}}", f"token-{name}")
    header = header.replace("{key}", KEY)
    content_type = step.content_type or None
    return Received(step.method, step.target, header or None, content_type, step.body)


def without_sessions(received: Sequence[Received]) -> list[Received]:
    """Leave out the requests that open sessions."""
    return [each for each in received if each.target != "/identity/init"]


DEVICES = {"first": "first", "second": "second"}


def test_reproductions_are_text() -> None:
    """No command and no program has a character that a terminal would obey."""
    texts = [text for step in STRANGE for text in Renderer("http://h/v2", KEY, DEVICES)([step])]
    assert [printable(text) for text in texts] == texts


@SHELL
def test_commands_repeat_each_request() -> None:
    """Method, target, credential, media type and each byte of the body are the same."""
    with recording() as recorder:
        render = Renderer(recorder.url, KEY, DEVICES)
        in_shell("\n".join(render([step])[0] for step in STRANGE), SITEASSIST_API_KEY=KEY)
    assert [expected(step) for step in STRANGE] == without_sessions(recorder.received)


def test_program_repeats_each_request() -> None:
    """The program sends the same requests, though its JSON may be formatted differently."""
    with recording() as recorder:
        render = Renderer(recorder.url, KEY, DEVICES)
        in_python("\n".join(render([step])[1] for step in STRANGE), SITEASSIST_API_KEY=KEY)
    wanted = [expected(step) for step in STRANGE]
    found = without_sessions(recorder.received)
    assert len(wanted) == len(found)
    for one, other in zip(wanted, found, strict=True):
        assert _normalized(one) == _normalized(other)


def _normalized(request: Received) -> tuple[Any, ...]:
    """Return the parts of a request that must be the same in any spelling."""
    path, _, query = request.target.partition("?")
    try:
        body: Any = json.loads(request.body)
    except ValueError:
        body = request.body
    spelled = query.replace("%20", "+").replace("%27", "'")
    return request.method, path, spelled, request.authorization, request.content_type, body


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """Run a mock."""
    with mock_server() as url:
        yield url


@pytest.fixture(scope="module")
def journey(mock: str) -> list[Exchange]:
    """Send the requests of several conversations, messages and a rating."""
    with contextlib.closing(Recorder()) as recorder:
        return _journey(mock, recorder)


def _journey(mock: str, recorder: Recorder) -> list[Exchange]:
    anonymous = Session(mock, recorder, "", None)
    token = anonymous.call("init", body={"apiKey": KEY, "saVid": DEVICE}).document["sessionToken"]
    visitor = Session(mock, recorder, "first", token)
    visitor.call("getMe")
    there = {"context": {"pageUrl": "https://example.com/?a='$x'"}}
    name = visitor.call("startConversation", body=there).document["id"]
    other = visitor.call("startConversation").document["id"]
    visitor.call("sendMessage", path={"conversationId": other}, body={"content": "Elsewhere"})
    path = {"conversationId": name}
    nasty = f"{NASTY} {name} {{{name}}} {name.upper()} {KEY}"
    visitor.call("sendMessage", path=path, body={"content": nasty})
    message = visitor.call("getMessages", path=path).document["data"][1]["id"]
    body = {"feedback": "like", "about": [name, message]}
    visitor.raw("sendMessageFeedback", "POST", f"/messages/{message}/feedback", body=body)
    visitor.call("getConversation", path=path)
    return recorder.history


@SHELL
def test_commands_lead_to_the_same_response(mock: str, journey: list[Exchange]) -> None:
    """The commands create objects of their own and return an equivalent conversation."""
    shell, _ = Renderer(mock, KEY, {"first": DEVICE})(journey)
    head, _, body = in_shell(shell, SITEASSIST_API_KEY=KEY).rpartition("\n\n")
    answer = json.loads(body.rpartition("\r\n")[2] or body)
    assert "HTTP/1.1 200 OK" in head + body
    _assert_equivalent(answer, journey[-1].document)
    assert "Elsewhere" not in shell
    assert KEY not in shell


def test_program_leads_to_the_same_response(mock: str, journey: list[Exchange]) -> None:
    """The program returns an equivalent conversation."""
    _, program = Renderer(mock, KEY, {"first": DEVICE})(journey)
    status, _, body = in_python(program, SITEASSIST_API_KEY=KEY).partition(" ")
    assert "200" == status
    _assert_equivalent(json.loads(body), journey[-1].document)
    assert "Elsewhere" not in program


def _assert_equivalent(answer: dict[str, Any], before: dict[str, Any]) -> None:
    """Compare the texts of two conversations with different ids."""
    assert answer["id"] != before["id"]
    question, rated = answer["messages"]
    asked = before["messages"][0]["parts"][0]["text"].replace(before["id"], answer["id"])
    # The id in capitals is replaced by the new id in its own spelling.
    asked = asked.replace(before["id"].upper(), answer["id"])
    assert asked == question["parts"][0]["text"]
    assert "like" == rated["feedback"]


def test_several_ids_are_read_from_one_response() -> None:
    """The conversation's id comes first, then the nested ones."""
    answer = {"messages": [{"chatId": FIRST, "id": SECOND}], "id": FIRST, "x": "no id", "n": None}
    read = exchange("startConversation", "POST", "/conversations", answer=answer, status=201)
    last = exchange("getMe", target=f"/{FIRST}/{SECOND}")
    shell, program = Renderer("http://127.0.0.1/v2")([read, last])
    assert [
        (
            'answer=$(curl -sS "$BASE"/conversations --request POST '
            '--header "Authorization: Bearer $first")'
        ),
        "id1=$(printf '%s' \"$answer\" | jq -r '.id')",
        "id2=$(printf '%s' \"$answer\" | jq -r '.messages[0].id')",
        'curl -sSi "$BASE"/"$id1"/"$id2" --header "Authorization: Bearer $first"',
    ] == shell.splitlines()[4:-1]
    assert "id2 = answer.json()['messages'][0]['id']" in program.splitlines()


def test_output_of_each_command_ends_its_line() -> None:
    """The answer to the last command ends the output; the others have a line of their own."""
    render = Renderer("http://127.0.0.1/v2", KEY, {"first": DEVICE})
    compared = replace(exchange("getMe", target="/identity/me"), compared=True)
    shell, _ = render([compared, exchange("getMe")])
    commands = [line for line in shell.splitlines() if line.startswith("curl")]
    assert [True, False] == [line.endswith("; echo") for line in commands]


@pytest.fixture(params=["file", "folder", "insecure"])
def network(request: pytest.FixtureRequest, ca_file: Path, tmp_path: Path) -> Network:
    """Return a way to a server with a gateway and a certificate of its own."""
    headers = (("X-Gateway", "pass 1"), ("Path$`'", "pass 2"))
    if request.param == "insecure":
        return Network(headers, insecure=True)
    if request.param == "file":
        return Network(headers, str(ca_file))
    # OpenSSL finds certificates in a folder by their hashes.
    command = ["openssl", "x509", "-noout", "-hash", "-in", str(ca_file)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_text(ca_file.read_text())
    return Network(headers, str(tmp_path))


@SHELL
@pytest.mark.parametrize("how", [in_shell, in_python])
def test_reproduction_goes_the_same_way(
    how: Callable[..., str], network: Network, loopback: Serve
) -> None:
    """Each request has the headers, whose values are variables, and trusts the certificate."""
    seen: list[list[str]] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append([request.headers.get(name, "") for name, _ in network.headers])
        return httpx.Response(200, json={"sessionToken": "t"})

    url = loopback(gateway, tls=True).url
    texts = Renderer(url, KEY, {"first": DEVICE}, network)([exchange("getMe", target="/x")])
    text = texts[0] if how is in_shell else texts[1]
    assert "pass" not in text
    how(text, SITEASSIST_API_KEY=KEY, HEADER_X_GATEWAY="pass 1", HEADER_PATH___="pass 2")
    assert 2 * [["pass 1", "pass 2"]] == seen


def test_second_token_is_read_from_the_environment() -> None:
    """A visitor of a second token has a variable of its own."""
    shell, program = Renderer("http://127.0.0.1/v2")([exchange("getMe", credential="second")])
    assert 'second="$SITEASSIST_SECOND_TOKEN"' in shell.splitlines()
    assert 'second_token = os.environ["SITEASSIST_SECOND_TOKEN"]' in program.splitlines()


@pytest.mark.parametrize("part", ["most", "left", "right", "unsigned", "signature", "claims"])
def test_part_of_a_token_is_the_same_in_each_language(part: str) -> None:
    """A placeholder for a part of a token means the same in requests, commands and programs."""
    token, place = "aGVhZA.Y2xhaW1z.c2lnbmVk", f"Bearer {{first.{part}}}"
    sent = filled(place, {"first": token})
    assert sent.startswith("Bearer ")
    assert sent != f"Bearer {token}"
    replaced = reproduction._PLACE.sub(reproduction._variable, place)
    command = ["bash", "-c", f'first={token}; printf %s "{replaced}"']
    assert sent == subprocess.run(command, capture_output=True, text=True, check=True).stdout
    program = reproduction._PLACE.sub(reproduction._expression, place)
    assert sent == eval(f'f"{program}"', {"first_token": token})  # our own text


def test_case_of_a_token_is_changed_in_each_language() -> None:
    """A token in upper or lower case is one in commands and programs, too."""
    for part, expected in (("upper", "ABC"), ("lower", "abc")):
        place = f"{{first.{part}}}"
        assert expected == filled(place, {"first": "aBc"})
        replaced = reproduction._PLACE.sub(reproduction._variable, place)
        command = ["bash", "-c", f'first=aBc; printf %s "{replaced}"']
        assert (
            expected == subprocess.run(command, capture_output=True, text=True, check=True).stdout
        )
