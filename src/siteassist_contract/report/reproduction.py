"""Reproductions of exchanges as shell commands and as a Python program.

A reproduction has only the last request and the requests that it depends on. Ids and
tokens are variables, which are read from the answers when the reproduction is run.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from siteassist_contract.description import (
    SESSION_TOKEN,
    credential_name,
    handshakes,
    operations,
    session_arguments,
)
from siteassist_contract.http.network import Network
from siteassist_contract.http.recorder import Exchange
from siteassist_spec import JSON
from siteassist_spec.credentials import is_distinct
from siteassist_spec.output import printable
from siteassist_spec.samples import HttpRequest, curl, python
from siteassist_spec.samples.literals import PYTHON

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
"""A placeholder for a token or the key, such as ``{first}``, or for a part: ``{first.left}``."""
KEY_VARIABLE = "SITEASSIST_API_KEY"
KEY_PLACE = "key"
"""The placeholder for the publishable key in an invalid credential."""
_BINARY = "\0"
"""Placeholder for a body that is not text; no other body consists of this character alone."""
_SUCCESS_ENDS = 300
_SHOW = "print(answer.status_code, answer.text)"
VISITORS = ("first", "second")
"""The names of a run's visitors, in reports, as variables and as placeholders for their tokens."""
TOKEN_VARIABLES = {"first": "SITEASSIST_TOKEN", "second": "SITEASSIST_SECOND_TOKEN"}
"""The environment variables with the tokens of visitors that were given."""
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class _Part:
    """A part of a credential, in three languages; ``NAME`` stands for the variable."""

    take: Callable[[str], str]
    shell: str
    python: str


_PARTS = {
    "most": _Part(
        lambda text: text[: len(text) * 3 // 4],
        "${NAME:0:${#NAME} * 3 / 4}",
        "NAME[: len(NAME) * 3 // 4]",
    ),
    "left": _Part(
        lambda text: text[: len(text) // 2],
        "${NAME:0:${#NAME} / 2}",
        "NAME[: len(NAME) // 2]",
    ),
    "right": _Part(
        lambda text: text[len(text) // 2 :],
        "${NAME:${#NAME} / 2}",
        "NAME[len(NAME) // 2 :]",
    ),
    "unsigned": _Part(
        lambda text: text.rpartition(".")[0], "${NAME%.*}", "NAME.rpartition('.')[0]"
    ),
    "signature": _Part(
        lambda text: text.rpartition(".")[2], "${NAME##*.}", "NAME.rpartition('.')[2]"
    ),
    "claims": _Part(
        lambda text: text.split(".")[1] if "." in text else "",
        "$(cut -d. -f2 <<< $NAME)",
        "NAME.split('.')[1]",
    ),
    "upper": _Part(str.upper, "${NAME^^}", "NAME.upper()"),
    "lower": _Part(str.lower, "${NAME,,}", "NAME.lower()"),
}
"""The parts of a credential that a placeholder can name."""


def filled(credential: str, values: Mapping[str, str]) -> str:
    """Return a credential with ``values`` in place of its placeholders."""

    def value(match: re.Match[str]) -> str:
        text = values[match[1]]
        return _PARTS[match[2]].take(text) if match[2] else text

    return _PLACE.sub(value, credential)


def needed_variables(commands: str) -> list[str]:
    """Return the variables of the environment that the shell commands of a reproduction need."""
    return re.findall(r'^: "\$\{(\w+):\?', commands, re.MULTILINE)


@dataclass(frozen=True)
class Renderer:
    """A writer of reproductions, in which variables replace the credentials of a run."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    devices: Mapping[str, str] = field(default_factory=dict)
    """The device of each visitor; a visitor without one has the token of the command line."""
    network: Network = field(default_factory=Network)
    """The way to the server, in which variables replace the values of headers."""

    def __call__(self, exchanges: Sequence[Exchange]) -> tuple[str, str]:
        """Return shell commands and a Python program that repeat the last of ``exchanges``."""
        if not exchanges:
            return "", ""
        steps = shortest(exchanges)
        names = _names(steps)
        base, *commands = self._shell(steps, names)
        needs = list(self._needed("\n".join(commands)))
        shell = [base, *needs, *commands]
        if needs:
            # Only a subshell ends when a variable is missing, and not the terminal's commands.
            shell = ["(", *shell, ")"]
        program = "\n".join(self._python(steps, names))
        needed = list(self._needed_in_python(program))
        python = [*self._imports(steps, needs=bool(needed)), "", *needed, program]
        return "\n".join(shell), "\n".join(python)

    def _visitors(self, steps: Sequence[Exchange]) -> list[str]:
        names = [name for step in steps for name in _visitors_of(step.credential)]
        names = [name for name in names if name != KEY_PLACE]
        return list(dict.fromkeys(names))

    # Shell

    def _variables(self) -> dict[str, str]:
        """Return the variables of the environment that may be needed, with their meanings."""
        wanted = {KEY_VARIABLE: "the publishable key"}
        wanted |= {name: f"the token of visitor {who}" for who, name in TOKEN_VARIABLES.items()}
        headers = (_header_variable(name) for name, _ in self.network.headers)
        return wanted | dict.fromkeys(headers, "the value of this header")

    def _needed(self, shell: str) -> Iterator[str]:
        """Yield a command for each variable of the environment that ends the program without it."""
        for name, meaning in self._variables().items():
            if re.search(rf"\$\{{?{name}\b", shell):
                yield f': "${{{name}:?set it to {meaning}}}"'

    def _shell(self, steps: Sequence[Exchange], names: _Names) -> Iterator[str]:
        yield f"BASE={shlex.quote(self.base_url)}"
        for visitor in self._visitors(steps):
            device = self.devices.get(visitor)
            if device is None:
                yield f'{visitor}="${TOKEN_VARIABLES[visitor]}"'
            else:
                command = self._curl(self._session_request(device), names)
                yield f"{visitor}=$({command} | jq -r {_jq((credential_name(SESSION_TOKEN),))})"
        for number, step in enumerate(steps):
            reads = names.read_from(number)
            last = number == len(steps) - 1
            if step.together:
                yield from self._shell_together(steps, number, names)
                continue
            shown = (last or step.compared) and not reads
            command = self._curl(step, names, option="-sSi" if shown else "-sS")
            if not reads:
                # The answer needs an end of line before the output of the next command.
                yield command if last else f"{command}; echo"
            elif len(reads) == 1 and not step.compared:
                (name, path) = reads[0]
                yield f"{name}=$({command} | jq -r {_jq(path)})"
            else:
                yield f"answer=$({command})"
                if step.compared:
                    yield "printf '%s\\n' \"$answer\""
                for name, path in reads:
                    yield f"{name}=$(printf '%s' \"$answer\" | jq -r {_jq(path)})"

    def _shell_together(
        self, steps: Sequence[Exchange], number: int, names: _Names
    ) -> Iterator[str]:
        """Yield the command of a request that is sent at the same time as others.

        The last of them waits for all, shows their answers, and reads ids from them.
        """
        group = _group(steps, number)
        place = f"answer{number + 1}.json"
        yield f"{self._curl(steps[number], names)} >{place} &"
        if number != group[-1]:
            return
        yield "wait"
        yield "cat " + " ".join(f"answer{each + 1}.json" for each in group)
        for each in group:
            for name, path in names.read_from(each):
                yield f"{name}=$(jq -r {_jq(path)} answer{each + 1}.json)"

    def _curl(self, step: Exchange, names: _Names, *, option: str = "-sS") -> str:
        request = self._request(step)

        def quoted(text: str) -> str:
            if text == request.url:
                return f'"$BASE"{self._in_shell(step.target, names)}'
            if text == f"Authorization: {request.headers.get('Authorization')}":
                replaced = _PLACE.sub(_variable, text)
                return f'"{replaced}"' if replaced != text else shlex.quote(text)
            return self._in_shell(text, names)

        # Without these, curl interprets brackets, braces and dots in a URL.
        as_is = re.search(r"[\[\]{}]|/\.", step.target)
        options = [option, *(("-g", "--path-as-is") if as_is else ()), *self._curl_options()]
        if step.operation in handshakes():
            # curl shows the frames as they come, and would wait for the end of the socket.
            options += ["--http1.1", "--no-buffer", "--max-time 5"]
        text = request.content
        if text != _BINARY:
            return curl.command(request, options=options, quote=quoted, separator=" ")
        without_body = dataclasses.replace(request, content=None)
        command = curl.command(without_body, options=options, quote=quoted, separator=" ")
        octal = "".join(f"\\{byte:03o}" for byte in step.body)
        return f"printf {shlex.quote(octal)} | {command} --data-binary @-"

    def _curl_options(self) -> Iterator[str]:
        for name, _ in self.network.headers:
            yield f'--header {shlex.quote(f"{name}: ")}"${_header_variable(name)}"'
        if self.network.insecure:
            yield "--insecure"
        elif self._own_ca is not None:
            option = "--capath" if pathlib.Path(self._own_ca).is_dir() else "--cacert"
            yield f"{option} {shlex.quote(self._own_ca)}"

    def _in_shell(self, text: str, names: _Names) -> str:
        """Quote ``text`` for the shell, with variables in place of ids and of the key."""
        words = [
            f'"${name}"' if is_name else shlex.quote(name)
            for name, is_name in self._split(text, names)
        ]
        return "".join(words) or "''"

    # Python

    def _needed_in_python(self, program: str) -> Iterator[str]:
        """Yield lines for each variable of the environment that end the program without it."""
        for name, meaning in self._variables().items():
            if re.search(rf"os\.environ\[['\"]{name}['\"]\]", program):
                yield f'if not os.environ.get("{name}"):'
                yield f'    sys.exit("{name}: set it to {meaning}")'

    def _python(self, steps: Sequence[Exchange], names: _Names) -> Iterator[str]:
        visitors = self._visitors(steps)
        reads_json = any(names.read_from(number) for number in range(len(steps)))
        yield f"BASE = {self.base_url!r}"
        way = "".join(f", {argument}" for argument in self._client_arguments())
        yield f"anonymous = Client(BASE{way}).get_httpx_client()"
        for visitor in visitors:
            device = self.devices.get(visitor)
            if device is None:
                yield f'{visitor}_token = os.environ["{TOKEN_VARIABLES[visitor]}"]'
            else:
                call = self._call(self._session_request(device), names)
                yield f'{visitor}_token = {call}.json()["{credential_name(SESSION_TOKEN)}"]'
            yield f"{visitor} = AuthenticatedClient(BASE, {visitor}_token{way}).get_httpx_client()"
        if reads_json:
            yield ""
        for number, step in enumerate(steps):
            if step.together:
                yield from self._python_together(steps, number, names)
            else:
                shown = step.compared or number == len(steps) - 1
                yield from self._python_alone(step, names.read_from(number), names, shown=shown)

    def _imports(self, steps: Sequence[Exchange], *, needs: bool) -> Iterator[str]:
        """Yield the imports of a program, which ``needs`` variables of the environment or not."""
        modules = {
            "import os": needs,
            "import ssl": self._own_ca is not None,
            "import sys": needs,
            "from concurrent.futures import ThreadPoolExecutor": any(s.together for s in steps),
        }
        standard = [line for line, is_used in modules.items() if is_used]
        yield from [*standard, ""] if standard else ()
        yield "from siteassist import AuthenticatedClient, Client"

    def _python_alone(
        self,
        step: Exchange,
        reads: Sequence[tuple[str, Path]],
        names: _Names,
        *,
        shown: bool,
    ) -> Iterator[str]:
        call = self._call(step, names)
        yield f"answer = {call}" if reads or shown else call
        if shown:
            yield _SHOW
        for name, path in reads:
            yield f"{name} = answer.json(){_keys(path)}"

    def _python_together(
        self, steps: Sequence[Exchange], number: int, names: _Names
    ) -> Iterator[str]:
        """Yield the lines that send several requests at the same time, for the last of them."""
        group = _group(steps, number)
        if number != group[-1]:
            return
        yield f"with ThreadPoolExecutor({len(group)}) as pool:"
        yield "    calls = ["
        for each in group:
            lines = self._call(steps[each], names).splitlines()
            lines = [f"pool.submit(lambda: {lines[0]}", *lines[1:]]
            yield from (f"        {line}" for line in lines[:-1])
            yield f"        {lines[-1]}),"
        yield "    ]"
        yield "answers = [call.result() for call in calls]"
        yield "for answer in answers:"
        yield f"    {_SHOW}"
        for index, each in enumerate(group):
            for name, path in names.read_from(each):
                yield f"{name} = answers[{index}].json(){_keys(path)}"

    @property
    def _own_ca(self) -> str | None:
        return None if self.network.insecure else self.network.ca

    def _client_arguments(self) -> Iterator[str]:
        if self.network.headers:
            values = (
                f'{_double_quoted(name)}: os.environ["{_header_variable(name)}"]'
                for name, _ in self.network.headers
            )
            yield f"headers={{{', '.join(values)}}}"
        if self.network.insecure:
            yield "verify_ssl=False"
        elif self._own_ca is not None:
            kind = "capath" if pathlib.Path(self._own_ca).is_dir() else "cafile"
            yield f"verify_ssl=ssl.create_default_context({kind}={_double_quoted(self._own_ca)})"

    def _call(self, step: Exchange, names: _Names) -> str:
        request = self._request(step)
        headers = dict(request.headers)
        client = "anonymous"
        if step.credential in VISITORS:
            # The visitor's client sends the token.
            client = step.credential
            del headers["Authorization"]

        def literal(text: str) -> str:
            if text == _BINARY:
                return repr(step.body)
            if text == headers.get("Authorization"):
                replaced = _PLACE.sub(_expression, text)
                return f"{'f' if replaced != text else ''}{_double_quoted(replaced)}"
            return self._in_python(text, names)

        relative = dataclasses.replace(request, url=step.target, headers=headers)
        return python.call(client, relative, style=dataclasses.replace(PYTHON, text=literal))

    def _in_python(self, text: str, names: _Names) -> str:
        """Write ``text`` as Python, with expressions in place of ids and of the key."""
        pieces = list(self._split(text, names))
        if not any(is_name for _, is_name in pieces):
            return _double_quoted(text)
        if pieces == [(KEY_VARIABLE, True)]:
            return f'os.environ["{KEY_VARIABLE}"]'
        words = (
            (f"{{{_value(piece)}}}" if is_name else piece.replace("{", "{{").replace("}", "}}"))
            for piece, is_name in pieces
        )
        return f"f{_double_quoted(''.join(words))}"

    # Both

    def _session_request(self, device: str) -> Exchange:
        """Return the request that starts the session of a device, as an exchange."""
        body = json.dumps(session_arguments(self.api_key or "", device))
        operation = operations()["init"]
        return Exchange(
            operation="init",
            credential="",
            method=operation.method,
            target=operation.path,
            body=body.encode(),
            content_type=JSON,
            status=0,
            headers={},
            content=b"",
            seconds=0.0,
            first=0.0,
            pieces=0,
        )

    def _request(self, step: Exchange) -> HttpRequest:
        """Return the request of an exchange; `_BINARY` stands for a body that cannot be shown."""
        headers = dict(step.sent_headers)
        if step.credential:
            headers["Authorization"] = _header(step.credential)
        if step.body:
            headers["Content-Type"] = step.content_type
        try:
            content = step.body.decode()
        except UnicodeDecodeError:
            content = _BINARY
        if content != printable(content):
            # Would be shown as an escape, with which the commands send something else.
            content = _BINARY
        url = f"{self.base_url}{step.target}"
        return HttpRequest(step.method, url, headers, content or None)

    def _split(self, text: str, names: _Names) -> Iterator[tuple[str, bool]]:
        """Divide ``text`` at ids and at the key; yield each piece, and whether it is a variable."""
        # Ids are case-insensitive, keys are not.
        forms = [f"(?i:{re.escape(value)})" for value in names.by_value]
        forms += [_key_form(key) for key in self._keys()]
        end = 0
        for match in re.finditer("|".join(forms), text) if forms else ():
            if match.start() > end:
                yield text[end : match.start()], False
            yield names.by_value.get(match[0].lower(), KEY_VARIABLE), True
            end = match.end()
        if end < len(text):
            yield text[end:], False

    def _keys(self) -> set[str]:
        """Return the spellings of the publishable key in bodies and URLs."""
        if not self.api_key:
            return set()
        return {self.api_key, json.dumps(self.api_key)[1:-1], quote(self.api_key, safe="")}


@dataclass(frozen=True)
class _Names:
    """Variables for ids, and the answers from which they are read."""

    by_value: dict[str, str] = field(default_factory=dict)
    sources: dict[str, tuple[int, Path]] = field(default_factory=dict)

    def read_from(self, number: int) -> list[tuple[str, Path]]:
        """Return the variables that are read from the answer of step ``number``."""
        return [(name, path) for name, (n, path) in self.sources.items() if n == number]


def _key_form(key: str) -> str:
    """Return the expression for a key; one that may be a part of other text, as a whole value."""
    form = re.escape(key)
    return form if is_distinct(key) else rf'(?<![^"=]){form}(?![^"&])(?!"\s*:)'


def _group(steps: Sequence[Exchange], number: int) -> list[int]:
    """Return the numbers of the steps that are sent at the same time as step ``number``."""
    together = steps[number].together
    return [n for n, step in enumerate(steps) if step.together == together]


def _keys(path: Path) -> str:
    """Return a path as Python subscripts."""
    return "".join(f"[{part!r}]" for part in path)


def shortest(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Return the exchanges that the last of ``exchanges`` depends on, and the last one.

    Those that a violation compares with the last one are kept, and so are all requests that were
    sent at the same time as a kept one.
    """
    last = exchanges[-1]
    kept = [last]
    needed = _ids(last)
    groups = {last.together} - {0}
    lists = last.operation == "getConversations"
    # A list may show what another visitor has made.
    listed = made_by(last) if lists else set()
    earlier = list(zip(exchanges, _first_made(exchanges), strict=True))[:-1]
    for exchange, made in reversed(earlier):
        changes = exchange.method == "POST" and exchange.operation != "init"
        changes = changes and exchange.status < _SUCCESS_ENDS
        ids = _ids(exchange)
        concerns = bool(ids & needed) or (lists and exchange.credential == last.credential)
        wanted = exchange.compared or exchange.together in groups
        if wanted or (changes and (concerns or made & listed)) or made & needed:
            kept.append(exchange)
            needed |= ids
            groups |= {exchange.together} - {0}
    return kept[::-1]


def _first_made(exchanges: Sequence[Exchange]) -> Iterator[set[str]]:
    """Yield for each exchange the ids that it made, without those of earlier answers."""
    earlier: set[str] = set()
    for exchange in exchanges:
        made = made_by(exchange)
        yield made - earlier
        earlier |= made


def ids_of(text: str) -> set[str]:
    """Return the ids in a text, in lower case."""
    return {value.lower() for value in _UUID.findall(text)}


def made_by(exchange: Exchange) -> set[str]:
    """Return the ids in an answer that are not in its request."""
    return ids_of(exchange.content.decode("utf-8", "replace")) - _ids(exchange)


def _ids(exchange: Exchange) -> set[str]:
    """Return the ids in a request."""
    return ids_of(exchange.target + exchange.body.decode("utf-8", "replace"))


def _names(steps: Sequence[Exchange]) -> _Names:
    """Return variables for the ids in requests that an earlier answer contains."""
    names = _Names()
    wanted = set().union(*(_ids(step) for step in steps))
    for number, step in enumerate(steps[:-1]):
        for value, path in _strings(step.json, ()):
            if value in wanted and value not in names.by_value:
                name = f"id{len(names.by_value) + 1}"
                names.by_value[value] = name
                names.sources[name] = (number, path)
    return names


def _strings(value: Any, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the ids in an answer with their paths; the ``id`` of an object comes first."""
    if isinstance(value, dict):
        for name in sorted(value, key=lambda name: name != "id"):
            yield from _strings(value[name], (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, (*path, number))
    elif isinstance(value, str) and _UUID.fullmatch(value):
        yield value.lower(), path


def _jq(path: Path) -> str:
    """Return a path as a jq filter, quoted for the shell: its names come from the server."""
    steps = [
        f".{part}" if isinstance(part, str) and _NAME.fullmatch(part) else f"[{json.dumps(part)}]"
        for part in path
    ]
    word = shlex.quote("." + "".join(steps).removeprefix("."))
    return word if word.startswith("'") else f"'{word}'"


def _double_quoted(text: str) -> str:
    """Return ``text`` as a Python literal; single quotes are not escaped."""
    return printable(json.dumps(text, ensure_ascii=False))


def _value(name: str) -> str:
    """Return the expression for a variable in an f-string with double quotes."""
    return f"os.environ['{KEY_VARIABLE}']" if name == KEY_VARIABLE else name


def _header_variable(name: str) -> str:
    """Return the environment variable for the value of a header, which is secret."""
    return f"HEADER_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"


def _variable(match: re.Match[str]) -> str:
    name = KEY_VARIABLE if match[1] == KEY_PLACE else match[1]
    if match[2]:
        return _PARTS[match[2]].shell.replace("NAME", name)
    after = match.string[match.end() :][:1]
    return f"${{{name}}}" if after.isalnum() or after == "_" else f"${name}"


def _expression(match: re.Match[str]) -> str:
    name = f"os.environ['{KEY_VARIABLE}']" if match[1] == KEY_PLACE else f"{match[1]}_token"
    return f"{{{_PARTS[match[2]].python.replace('NAME', name) if match[2] else name}}}"


def _header(credential: str) -> str:
    """Return the Authorization header of a credential, with placeholders for tokens."""
    return f"Bearer {{{credential}}}" if credential in VISITORS else credential


def _visitors_of(credential: str) -> list[str]:
    if credential in VISITORS:
        return [credential]
    return [match[1] for match in _PLACE.finditer(credential)]
