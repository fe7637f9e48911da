"""The code samples are made from the examples, and do what they say."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.seed import PRIVATE_KEY
from siteassist_mock.testing import mock_server
from siteassist_spec import load_spec
from siteassist_spec.reference.samples import METHODS, code_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = load_spec()
OPERATIONS = [
    (path, method) for path, item in SPEC["paths"].items() for method in METHODS if method in item
]
STREAMING = ["createChatCompletion", "sendMessage"]
SAMPLES = [
    (path, method, sample.label)
    for path, method in OPERATIONS
    for sample in code_samples(SPEC, path, method)
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a mock that has to keep the contract."""
    with mock_server(strict=True) as base_url:
        yield base_url


@pytest.fixture
def ready(url: str) -> dict[str, str]:
    """Make a conversation with an answer; return their ids by those of the examples."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {PRIVATE_KEY}"}) as client:
        conversation = client.post("/conversations").json()["id"]
        path = f"/conversations/{conversation}/messages"
        client.post(path, json={"content": "How long does shipping take?"}).raise_for_status()
        answer = client.get(path).json()["data"][1]["id"]
    components = SPEC["components"]["parameters"]
    return {
        components["ConversationId"]["examples"]["conversation"]["value"]: conversation,
        components["MessageId"]["examples"]["answer"]["value"]: answer,
    }


def source(path: str, method: str, label: str, url: str, ids: dict[str, str]) -> str:
    """Return one sample, for the server at ``url`` and what is there."""
    samples = code_samples(SPEC, path, method, base_url=url, token=PRIVATE_KEY)
    (text,) = [sample.source for sample in samples if sample.label == label]
    for example, actual in ids.items():
        text = text.replace(example, actual)
    return text


def labelled(language: str) -> list[Any]:
    """Return the samples in one language, as parameters."""
    return [
        pytest.param(
            path, method, label, id=f"{SPEC['paths'][path][method]['operationId']}-{label}"
        )
        for path, method, label in SAMPLES
        if label.startswith(language)
    ]


@pytest.mark.parametrize(("path", "method", "label"), labelled("Python"))
def test_python_sample_works(
    url: str, ready: dict[str, str], path: str, method: str, label: str
) -> None:
    """It runs as it is and prints what came."""
    program = source(path, method, label, url, ready)
    with redirect_stdout(StringIO()) as printed:
        exec(compile(program, label, "exec"), {})  # noqa: S102 - the program is ours
    assert printed.getvalue().strip()


@pytest.mark.parametrize(("path", "method", "label"), labelled("curl"))
def test_curl_sample_works(
    url: str, ready: dict[str, str], path: str, method: str, label: str
) -> None:
    """A shell takes it as it is, and the server answers with a success."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    strict = 'curl() { command curl --silent --show-error --fail "$@"; }\n'
    done = subprocess.run(
        ["sh", "-c", strict + source(path, method, label, url, ready)],  # noqa: S607 - any will do
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("data: " if label.endswith("stream") else "{")


@pytest.mark.parametrize(("path", "method", "label"), labelled("TypeScript"))
def test_typescript_sample_works(
    url: str, ready: dict[str, str], path: str, method: str, label: str
) -> None:
    """It has no types to be taken away, so that Node.js runs it as it is."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js on this machine")
    done = subprocess.run(
        [node, "--input-type=module", "--eval", source(path, method, label, url, ready)],
        capture_output=True,
        text=True,
        check=False,
        # Without what this machine may have Node.js do besides.
        env={"PATH": os.environ["PATH"]},
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.strip()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_has_all_languages(path: str, method: str) -> None:
    """Once, and where an answer can be streamed once more."""
    labels = [sample.label for sample in code_samples(SPEC, path, method)]
    languages = ["Python", "curl", "TypeScript"]
    streamed = [f"{language} stream" for language in languages]
    operation_id = SPEC["paths"][path][method]["operationId"]
    assert languages + (streamed if operation_id in STREAMING else []) == labels


def test_samples_read_well() -> None:
    """The service's own address is the client's default; the token is that of the examples."""
    samples = code_samples(SPEC, "/conversations/{conversationId}/close", "post")
    assert [
        """\
from siteassist import SiteAssist

with SiteAssist(token="session-token-example") as client:
    result = client.close_conversation(
        "123e4567-e89b-12d3-a456-426614174000",
        close_reason="Issue resolved",
    )
    print(result)
""",
        """\
curl https://api.siteassist.io/v2/conversations/123e4567-e89b-12d3-a456-426614174000/close \\
  --header 'Authorization: Bearer session-token-example' \\
  --header 'Content-Type: application/json' \\
  --data '{
  "closeReason": "Issue resolved"
}'
""",
        """\
const url = "https://api.siteassist.io/v2/conversations/123e4567-e89b-12d3-a456-426614174000/close";
const response = await fetch(url, {
  method: "POST",
  headers: {
    Authorization: "Bearer session-token-example",
    "Content-Type": "application/json",
  },
  body: JSON.stringify({ closeReason: "Issue resolved" }),
});
if (!response.ok) {
  throw new Error(`${response.status}: ${await response.text()}`);
}
console.log(await response.json());
""",
    ] == [sample.source for sample in samples]


def test_a_list_is_read_to_its_end() -> None:
    """What is read by page is iterated over; what equals a default is left out."""
    python, curl, _ = code_samples(SPEC, "/conversations", "get")
    assert (
        """\
    for item in client.get_conversations(
        status="open",
        order_by="createdAt",
    ):
        print(item)
"""
        in python.source
    )
    assert "/conversations?status=open&orderBy=createdAt'" in curl.source


def changed(path: str, method: str, **keys: Any) -> dict[str, Any]:
    """Return a copy of the description in which an operation is another one."""
    spec = copy.deepcopy(SPEC)
    spec["paths"][path][method] |= keys
    return spec


def test_a_method_that_is_not_implied_is_named() -> None:
    """A POST without a body would be a GET otherwise."""
    spec = changed("/identity/init", "post")
    del spec["paths"]["/identity/init"]["post"]["requestBody"]
    _, curl, script = code_samples(spec, "/identity/init", "post")
    assert "curl https://api.siteassist.io/v2/identity/init \\\n  --request POST\n" == curl.source
    assert 'fetch(url, {\n  method: "POST",\n})' in script.source


def test_values_of_all_kinds_are_written() -> None:
    """In the words of each language."""
    value: dict[str, Any] = {"a": None, "b": [True, False, 1.5], "c": {}, "d": [], "e-f": "x"}
    body = {"content": {"application/json": {"examples": {"x": {"value": value}}}}}
    spec = changed("/identity/init", "post", requestBody=body)
    python, _, script = code_samples(spec, "/identity/init", "post")
    for argument in ("a=None", "b=[True, False, 1.5]", "c={}", "d=[]"):
        assert f"        {argument},\n" in python.source
    for row in ("a: null", "b: [true, false, 1.5]", "c: {}", "d: []", '"e-f": "x"'):
        assert f"    {row},\n" in script.source


def test_an_example_that_is_missing_is_named() -> None:
    """Of a parameter that is required, of a body, of a session."""
    parameter = {"name": "x", "in": "query", "required": True, "schema": {}}
    with pytest.raises(LookupError, match="the parameter x of search has no example"):
        code_samples(changed("/search", "get", parameters=[parameter]), "/search", "get")
    body: dict[str, Any] = {"content": {"application/json": {}}}
    with pytest.raises(LookupError, match="the body of init has no example"):
        code_samples(changed("/identity/init", "post", requestBody=body), "/identity/init", "post")
    spec = copy.deepcopy(SPEC)
    spec["components"]["examples"] = {"Other": {"value": {"sessionToken": 1}}}
    with pytest.raises(LookupError, match="there is no example of a session token"):
        code_samples(spec, "/identity/me", "get")


def test_an_optional_parameter_needs_no_example() -> None:
    """It is left out."""
    parameter = {"name": "x", "in": "query", "schema": {}}
    spec = changed("/search", "get", parameters=[parameter])
    _, curl, _ = code_samples(spec, "/search", "get")
    assert "curl https://api.siteassist.io/v2/search\n" == curl.source
