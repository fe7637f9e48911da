"""Turns exchanges into what a person can run: shell commands, and a Python program.

Of all that was sent, only what leads to the last answer is kept. Ids and tokens
become variables that are read from the answers of the run they are tried in.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from siteassist_contract.http.recorder import Exchange

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE = re.compile(r"\{(\w+)\}")
KEY_VARIABLE = "SITEASSIST_API_KEY"
KEY_PLACE = "key"
"""What stands for the publishable key in a bad credential, as a visitor's name for a token."""
TOKEN_VARIABLE = "SITEASSIST_TOKEN"  # noqa: S105  # its name
_SUCCESS_ENDS = 300
VISITORS = ("first", "second")
"""What the visitors of a run are called, in reports and as variables."""
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Renderer:
    """Knows what the credentials of a run are called."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    devices: Mapping[str, str] = field(default_factory=dict)
    """The device of each visitor that has one; the others have the token that was lent."""

    def __call__(self, exchanges: Sequence[Exchange]) -> tuple[str, str]:
        """Return shell commands and a Python program that lead to the last of ``exchanges``."""
        if not exchanges:
            return "", ""
        steps = shortest(exchanges)
        names = _names(steps)
        return "\n".join(self._shell(steps, names)), "\n".join(self._python(steps, names))

    def _visitors(self, steps: Sequence[Exchange]) -> list[str]:
        said = [name for step in steps for name in _visitors_of(step.credential)]
        said = [name for name in said if name != KEY_PLACE]
        return list(dict.fromkeys(said))

    # Shell

    def _shell(self, steps: Sequence[Exchange], names: _Names) -> Iterator[str]:
        yield f"BASE={shlex.quote(self.base_url)}"
        for visitor in self._visitors(steps):
            device = self.devices.get(visitor)
            if device is None:
                yield f'{visitor}="${TOKEN_VARIABLE}"'
                continue
            body = f'{{"apiKey":"\'"${KEY_VARIABLE}"\'","saVid":{json.dumps(device)}}}'
            yield (
                f"{visitor}=$(curl -sS \"$BASE/identity/init\" -H 'Content-Type: application/json'"
                f" -d '{body}' | jq -r .sessionToken)"
            )
        for number, step in enumerate(steps):
            command = self._curl(step, names)
            reads = names.read_from(number)
            if number == len(steps) - 1:
                yield command.replace("curl -sS", "curl -sSi", 1)
            elif not reads:
                yield command
            elif len(reads) == 1:
                (name, path) = reads[0]
                yield f"{name}=$({command} | jq -r {_jq(path)})"
            else:
                yield f"answer=$({command})"
                for name, path in reads:
                    yield f"{name}=$(printf '%s' \"$answer\" | jq -r {_jq(path)})"

    def _curl(self, step: Exchange, names: _Names) -> str:
        target = self._in_shell(step.target, names)
        words = ["curl -sS"]
        if re.search(r"[\[\]{}]|/\.", step.target):
            # Brackets, braces and dots in an address are what they are.
            words.append("-g --path-as-is")
        if step.method not in ("GET", "POST") or (step.method == "POST" and not step.body):
            words.append(f"-X {step.method}")
        words.append(f'"$BASE"{target}')
        if step.credential:
            header = f"Authorization: {_header(step.credential)}"
            said = _PLACE.sub(_variable, header)
            words.append(f'-H "{said}"' if said != header else f"-H {shlex.quote(header)}")
        if step.body:
            words.append(f"-H {shlex.quote('Content-Type: ' + step.content_type)}")
            try:
                words.append(f"--data-raw {self._in_shell(step.body.decode(), names)}")
            except UnicodeDecodeError:
                octal = "".join(f"\\{byte:03o}" for byte in step.body)
                return f"printf {shlex.quote(octal)} | {' '.join(words)} --data-binary @-"
        return " ".join(words)

    def _in_shell(self, text: str, names: _Names) -> str:
        """Quote ``text`` for the shell, with variables in place of ids and of the key."""
        values = {value: f"${name}" for value, name in names.by_value.items()}
        # Ids are the same in either case, a key is not.
        forms = [f"(?i:{re.escape(value)})" for value in values]
        for key in self._keys():
            values[key] = f"${KEY_VARIABLE}"
            forms.append(re.escape(key))
        if not forms:
            return shlex.quote(text)
        words = []
        end = 0
        for match in re.finditer("|".join(forms), text):
            words.append(shlex.quote(text[end : match.start()]))
            found = values.get(match[0]) or values[match[0].lower()]
            words.append(f'"{found}"')
            end = match.end()
        words.append(shlex.quote(text[end:]))
        return "".join(word for word in words if word != "''") or "''"

    def _keys(self) -> set[str]:
        """Return how the publishable key may be written."""
        return {self.api_key, quote(self.api_key, safe="")} if self.api_key else set()

    # Python

    def _python(self, steps: Sequence[Exchange], names: _Names) -> Iterator[str]:
        visitors = self._visitors(steps)
        reads_json = any(names.read_from(number) for number in range(len(steps)))
        yield "import os"
        yield ""
        yield "from siteassist import AuthenticatedClient, Client"
        yield ""
        yield f"BASE = {self.base_url!r}"
        yield "nobody = Client(BASE).get_httpx_client()"
        for visitor in visitors:
            device = self.devices.get(visitor)
            if device is None:
                yield f'{visitor}_token = os.environ["{TOKEN_VARIABLE}"]'
            else:
                yield (
                    f'{visitor}_token = nobody.post("/identity/init", json={{"apiKey":'
                    f' os.environ["{KEY_VARIABLE}"], "saVid": {device!r}}}).json()["sessionToken"]'
                )
            yield f"{visitor} = AuthenticatedClient(BASE, {visitor}_token).get_httpx_client()"
        if reads_json:
            yield ""
        for number, step in enumerate(steps):
            reads = names.read_from(number)
            last = number == len(steps) - 1
            yield f"{'answer = ' if reads or last else ''}{self._call(step, names)}"
            for name, path in [] if last else reads:
                yield f"{name} = answer.json(){''.join(f'[{part!r}]' for part in path)}"
        yield "print(answer.status_code, answer.text)"

    def _call(self, step: Exchange, names: _Names) -> str:
        parts = urlsplit(step.target)
        arguments = [repr(step.method), self._in_python(parts.path, names)]
        query = parse_qsl(parts.query, keep_blank_values=True)
        if query:
            said = ", ".join(f"({n!r}, {self._in_python(v, names)})" for n, v in query)
            arguments.append(f"params=[{said}]")
        who = step.credential if step.credential in VISITORS else "nobody"
        headers = {}
        if step.credential and who == "nobody":
            value = _PLACE.sub(_expression, _header(step.credential))
            # The expressions in it have single quotes.
            headers["Authorization"] = ("f" if value != step.credential else "") + _double(value)
        if step.body and _is_plain(step):
            arguments.append(f"json={self._value(step.sent, names)}")
        elif step.body:
            arguments.append(f"content={self._bytes(step.body, names)}")
            headers["Content-Type"] = repr(step.content_type)
        if headers:
            said = ", ".join(f"{name!r}: {value}" for name, value in headers.items())
            arguments.append(f"headers={{{said}}}")
        return f"{who}.request({', '.join(arguments)})"

    def _bytes(self, body: bytes, names: _Names) -> str:
        """Write a body as it was sent, with variables in place of ids and of the key."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            # No variables: what is no text is about neither ids nor keys.
            return repr(body)
        if self.api_key and self.api_key in text:
            place = f'os.environ["{KEY_VARIABLE}"]'
            return (
                "("
                + f" + {place} + ".join(
                    self._in_python(part, names) for part in text.split(self.api_key)
                )
                + ").encode()"
            )
        return f"{self._in_python(text, names)}.encode()"

    def _value(self, value: Any, names: _Names) -> str:
        """Write a JSON value as Python, with variables in place of ids and of the key."""
        if isinstance(value, dict):
            items = (f"{n!r}: {self._value(v, names)}" for n, v in value.items())
            return f"{{{', '.join(items)}}}"
        if isinstance(value, list):
            return f"[{', '.join(self._value(v, names) for v in value)}]"
        return self._in_python(value, names) if isinstance(value, str) else repr(value)

    def _in_python(self, text: str, names: _Names) -> str:
        if self.api_key and text == self.api_key:
            return f'os.environ["{KEY_VARIABLE}"]'
        replaced = text.replace("{", "{{").replace("}", "}}")
        for value, name in names.by_value.items():
            replaced = re.sub(re.escape(value), f"{{{name}}}", replaced, flags=re.IGNORECASE)
        braces = text.replace("{", "{{").replace("}", "}}")
        return repr(text) if replaced == braces else f"f{replaced!r}"


@dataclass(frozen=True)
class _Names:
    """Which ids are variables, and which answer each is read from."""

    by_value: dict[str, str] = field(default_factory=dict)
    sources: dict[str, tuple[int, Path]] = field(default_factory=dict)

    def read_from(self, number: int) -> list[tuple[str, Path]]:
        """Return the variables that are read from the answer of step ``number``."""
        return [(name, path) for name, (n, path) in self.sources.items() if n == number]


def shortest(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Leave out what does not lead to the last of ``exchanges``."""
    last = exchanges[-1]
    kept = [last]
    needed = _ids(last)
    lists = last.operation == "getConversations"
    for exchange in reversed(exchanges[:-1]):
        made = {value for value in _made(exchange) if value in needed}
        changes = exchange.method == "POST" and exchange.operation != "init"
        changes = changes and exchange.status < _SUCCESS_ENDS
        concerns = bool(_ids(exchange) & needed) or (
            lists and exchange.credential == last.credential
        )
        if (changes and concerns) or (made and not _already(made, exchanges, exchange)):
            kept.append(exchange)
            needed |= _ids(exchange)
    return kept[::-1]


def _already(made: set[str], exchanges: Sequence[Exchange], exchange: Exchange) -> bool:
    """Whether an earlier answer shows all of ``made`` already."""
    earlier: set[str] = set()
    for other in exchanges:
        if other is exchange:
            break
        earlier |= _made(other)
    return made <= earlier


def _ids(exchange: Exchange) -> set[str]:
    """Return the ids that a request names."""
    text = exchange.target + exchange.body.decode("utf-8", "replace")
    return {value.lower() for value in _UUID.findall(text)}


def _made(exchange: Exchange) -> set[str]:
    """Return the ids that an answer shows and its request does not name."""
    text = exchange.content.decode("utf-8", "replace")
    return {value.lower() for value in _UUID.findall(text)} - _ids(exchange)


def _names(steps: Sequence[Exchange]) -> _Names:
    """Name the ids that a later step needs and an earlier answer shows."""
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
    """Yield the ids in an answer, with where they are; an object's own id first."""
    if isinstance(value, dict):
        for name in sorted(value, key=lambda name: name != "id"):
            yield from _strings(value[name], (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, (*path, number))
    elif isinstance(value, str) and _UUID.fullmatch(value):
        yield value.lower(), path


def _is_plain(step: Exchange) -> bool:
    """Whether the client would write the body as it was sent."""
    if step.content_type != "application/json" or not isinstance(step.sent, dict | list):
        return False
    try:
        json.dumps(step.sent, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return False
    return True


def _jq(path: Path) -> str:
    """Return a path as a word for the shell; its names are the server's, and may be anything."""
    steps = [
        f".{part}" if isinstance(part, str) and _NAME.fullmatch(part) else f"[{json.dumps(part)}]"
        for part in path
    ]
    word = shlex.quote("." + "".join(steps).removeprefix("."))
    return word if word.startswith("'") else f"'{word}'"


def _double(text: str) -> str:
    """Return ``text`` as a Python literal in double quotes, single ones as they are."""
    return json.dumps(text, ensure_ascii=False)


def _variable(match: re.Match[str]) -> str:
    name = KEY_VARIABLE if match[1] == KEY_PLACE else match[1]
    after = match.string[match.end() :][:1]
    return f"${{{name}}}" if after.isalnum() or after == "_" else f"${name}"


def _expression(match: re.Match[str]) -> str:
    if match[1] == KEY_PLACE:
        return f"{{os.environ['{KEY_VARIABLE}']}}"
    return f"{{{match[1]}_token}}"


def _header(credential: str) -> str:
    """Return the header of a credential: a visitor's name stands for its token."""
    return f"Bearer {{{credential}}}" if credential in VISITORS else credential


def _visitors_of(credential: str) -> list[str]:
    return [credential] if credential in VISITORS else _PLACE.findall(credential)
