"""The writers express any request, with variables in place of identifiers."""

from __future__ import annotations

import dataclasses
import json

import httpx

from siteassist_spec.samples import HttpRequest, curl, python, typescript
from siteassist_spec.samples.literals import PYTHON, SCRIPT

JSON_TYPE = {"Content-Type": "application/json"}
PUT = HttpRequest("PUT", "https://host/v2/x/id-1", JSON_TYPE, '{"id": "id-1", "a": null}')


def in_python(text: str) -> str:
    """Return a Python literal, with a variable in place of the identifier."""
    return f"f{text.replace('id-1', '{id1}')!r}" if "id-1" in text else repr(text)


def test_curl_uses_the_given_quoting() -> None:
    """A custom quoting function can insert shell variables, and the command can be one line."""

    def quote(text: str) -> str:
        return f'"{text}"'.replace("id-1", "$id1").replace('"{', "'{").replace('}"', "}'")

    assert (
        'curl -sS "https://host/v2/x/$id1" --request PUT --header "Content-Type: application/json"'
        ' --data \'{"id": "$id1", "a": null}\''
    ) == curl.command(PUT, options=["-sS"], quote=quote, separator=" ")


def test_curl_sends_no_file() -> None:
    """A body that begins with @ is sent as it is, not read from a file."""
    command = curl.command(HttpRequest("POST", "https://host", {}, "@x"), separator=" ")
    assert "curl https://host --data-raw @x" == command


def test_python_call_sends_the_request() -> None:
    """The written call sends the request through HTTPX, with the values of its variables."""
    style = dataclasses.replace(PYTHON, text=in_python)
    written = python.call("client", PUT, style=style)
    assert "f'https://host/v2/x/{id1}'" in written
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    eval(written, {"client": client, "id1": "id-2"})
    (request,) = sent
    assert ("PUT", "https://host/v2/x/id-2") == (request.method, str(request.url))
    assert {"id": "id-2", "a": None} == json.loads(request.content)
    assert "application/json" == request.headers["Content-Type"]


def test_malformed_json_is_sent_as_text() -> None:
    """A body that is not valid JSON is sent unchanged, since it is malformed on purpose."""
    broken = HttpRequest("POST", "https://host", JSON_TYPE, "{")
    assert 'content="{"' in python.call("client", broken)
    assert '"Content-Type": "application/json"' in python.call("client", broken)
    assert '  body: "{",' in "\n".join(typescript.call(broken, style=SCRIPT))
    for text in ("null", "[NaN]", '"\\ud800"', "[" * 100_000):
        assert not HttpRequest("POST", "https://host", JSON_TYPE, text).is_json


def test_python_names_match_the_generator() -> None:
    """Names of operations, parameters and headers are in snake case; keywords get an underscore."""
    names = ("sendMessage", "saVid", "If-Match", "X-Request-Id", "from")
    expected = ["send_message", "sa_vid", "if_match", "x_request_id", "from_"]
    assert expected == [python.python_name(name) for name in names]
