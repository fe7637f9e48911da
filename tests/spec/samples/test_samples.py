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

from siteassist_mock.content.seed import PRIVATE_KEY
from siteassist_mock.testing import mock_server
from siteassist_spec import Document, load_spec, read_operations
from siteassist_spec.samples import Sample, code_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC = load_spec()
DOCUMENT = Document(SPEC)
OPERATIONS = read_operations(DOCUMENT)
STREAMING = ["createChatCompletion", "sendMessage"]
SAMPLES = code_samples(DOCUMENT)


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


def source(name: str, label: str, url: str, ids: dict[str, str]) -> str:
    """Return one sample, for the server at ``url`` and what is there."""
    samples = code_samples(DOCUMENT, base_url=url, token=PRIVATE_KEY)[name]
    (text,) = [sample.source for sample in samples if sample.label == label]
    for example, actual in ids.items():
        text = text.replace(example, actual)
    return text


def labelled(language: str) -> list[Any]:
    """Return the samples in one language, as parameters."""
    return [
        pytest.param(name, sample.label, id=f"{name}-{sample.label}")
        for name, samples in SAMPLES.items()
        for sample in samples
        if sample.label.startswith(language)
    ]


def answers_with_body(name: str) -> bool:
    """Return whether a success of the operation has a body to print."""
    return any(response.media for response in read_operations(Document.load())[name].successes)


@pytest.mark.parametrize(("name", "label"), labelled("Python"))
def test_python_sample_works(url: str, ready: dict[str, str], name: str, label: str) -> None:
    """It runs as it is and prints what came."""
    program = source(name, label, url, ready)
    with redirect_stdout(StringIO()) as printed:
        exec(compile(program, label, "exec"), {})
    assert bool(printed.getvalue().strip()) == answers_with_body(name)


@pytest.mark.parametrize(("name", "label"), labelled("curl"))
def test_curl_sample_works(url: str, ready: dict[str, str], name: str, label: str) -> None:
    """A shell takes it as it is, and the server answers with a success."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    strict = 'curl() { command curl --silent --show-error --fail "$@"; }\n'
    done = subprocess.run(
        ["sh", "-c", strict + source(name, label, url, ready)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    start = "data: " if label.endswith("stream") else "{"
    assert done.stdout.startswith(start if answers_with_body(name) else "")


@pytest.mark.parametrize(("name", "label"), labelled("TypeScript"))
def test_typescript_sample_works(url: str, ready: dict[str, str], name: str, label: str) -> None:
    """It has no types to be taken away, so that Node.js runs it as it is."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js on this machine")
    done = subprocess.run(
        [node, "--input-type=module", "--eval", source(name, label, url, ready)],
        capture_output=True,
        text=True,
        check=False,
        # Without what this machine may have Node.js do besides.
        env={"PATH": os.environ["PATH"]},
    )
    assert (0, "") == (done.returncode, done.stderr)
    # Without a body it prints the status.
    assert done.stdout.strip()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_all_languages(name: str) -> None:
    """Once, and where an answer can be streamed once more."""
    labels = [sample.label for sample in SAMPLES[name]]
    languages = ["Python", "curl", "TypeScript"]
    streamed = [f"{language} stream" for language in languages]
    assert languages + (streamed if name in STREAMING else []) == labels


def test_samples_read_well() -> None:
    """The service's own address is the client's default; the token is that of the examples."""
    samples = SAMPLES["closeConversation"]
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
    python, curl, _ = SAMPLES["getConversations"]
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


def samples_of(spec: dict[str, Any], name: str) -> list[Sample]:
    """Return the samples of one operation of another description."""
    return code_samples(Document(spec))[name]


def changed(path: str, method: str, **keys: Any) -> dict[str, Any]:
    """Return a copy of the description in which an operation is another one."""
    spec = copy.deepcopy(SPEC)
    spec["paths"][path][method] |= keys
    return spec


def test_a_method_that_is_not_implied_is_named() -> None:
    """A POST without a body would be a GET otherwise."""
    spec = changed("/identity/init", "post")
    del spec["paths"]["/identity/init"]["post"]["requestBody"]
    _, curl, script = samples_of(spec, "init")
    assert "curl https://api.siteassist.io/v2/identity/init \\\n  --request POST\n" == curl.source
    assert 'fetch(url, {\n  method: "POST",\n})' in script.source


def test_values_of_all_kinds_are_written() -> None:
    """In the words of each language."""
    value: dict[str, Any] = {"a": None, "b": [True, False, 1.5], "c": {}, "d": [], "e-f": "x"}
    body = {"content": {"application/json": {"schema": {}, "examples": {"x": {"value": value}}}}}
    spec = changed("/identity/init", "post", requestBody=body)
    python, _, script = samples_of(spec, "init")
    for argument in ("a=None", "b=[True, False, 1.5]", "c={}", "d=[]"):
        assert f"        {argument},\n" in python.source
    for row in ("a: null", "b: [true, false, 1.5]", "c: {}", "d: []", '"e-f": "x"'):
        assert f"    {row},\n" in script.source


def test_an_example_that_is_missing_is_named() -> None:
    """Of a parameter that is required, of a body, of a session."""
    parameter = {"name": "x", "in": "query", "required": True, "schema": {}}
    with pytest.raises(LookupError, match="the parameter x of search has no example"):
        code_samples(Document(changed("/search", "get", parameters=[parameter])))
    body = {"required": True, "content": {"application/json": {"schema": {}}}}
    with pytest.raises(LookupError, match="the body of init has no example"):
        code_samples(Document(changed("/identity/init", "post", requestBody=body)))
    spec = copy.deepcopy(SPEC)
    for response in spec["paths"]["/identity/init"]["post"]["responses"].values():
        response.pop("content", None)
    with pytest.raises(LookupError, match="there is no example of a session token"):
        samples_of(spec, "getMe")


def test_an_optional_parameter_needs_no_example() -> None:
    """It is left out."""
    parameter = {"name": "x", "in": "query", "schema": {}}
    spec = changed("/search", "get", parameters=[parameter])
    _, curl, _ = samples_of(spec, "search")
    assert "curl https://api.siteassist.io/v2/search\n" == curl.source
