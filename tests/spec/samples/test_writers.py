"""The writers express any request, with variables where a report needs them."""

from __future__ import annotations

import dataclasses
import json

import httpx

from siteassist_spec.samples import HttpRequest, curl, python, typescript
from siteassist_spec.samples.literals import PYTHON, SCRIPT

JSON_TYPE = {"Content-Type": "application/json"}
PUT = HttpRequest("PUT", "https://host/v2/x/id-1", JSON_TYPE, '{"id": "id-1", "a": null}')


def in_python(text: str) -> str:
    """Write a text as Python, with a variable in place of an identifier."""
    return f"f{text.replace('id-1', '{id1}')!r}" if "id-1" in text else repr(text)


def test_curl_takes_a_function_that_quotes() -> None:
    """A report puts variables of the shell in place of identifiers, and uses one line."""

    def quote(text: str) -> str:
        return f'"{text}"'.replace("id-1", "$id1").replace('"{', "'{").replace('}"', "}'")

    assert (
        'curl -sS "https://host/v2/x/$id1" --request PUT --header "Content-Type: application/json"'
        ' --data \'{"id": "$id1", "a": null}\''
    ) == curl.command(PUT, options=["-sS"], quote=quote, separator=" ")


def test_curl_sends_no_file() -> None:
    """A body that begins with @ is a body, not the name of a file."""
    command = curl.command(HttpRequest("POST", "https://host", {}, "@x"), separator=" ")
    assert "curl https://host --data-raw @x" == command


def test_python_call_sends_the_request() -> None:
    """With the values of the variables, httpx sends what was to be written."""
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


def test_bodies_that_are_not_json_stay_texts() -> None:
    """They are malformed on purpose, and must be sent as they are."""
    broken = HttpRequest("POST", "https://host", JSON_TYPE, "{")
    assert 'content="{"' in python.call("client", broken)
    assert '"Content-Type": "application/json"' in python.call("client", broken)
    assert '  body: "{",' in "\n".join(typescript.call(broken, style=SCRIPT))
    for text in ("null", "[NaN]", '"\\ud800"', "[" * 100_000):
        assert not HttpRequest("POST", "https://host", JSON_TYPE, text).is_json


def test_python_names_are_those_of_the_generator() -> None:
    """Of operations, of parameters and of headers; keywords get an underscore."""
    names = ("sendMessage", "saVid", "If-Match", "X-Request-Id", "from")
    expected = ["send_message", "sa_vid", "if_match", "x_request_id", "from_"]
    assert expected == [python.python_name(name) for name in names]
