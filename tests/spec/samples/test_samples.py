"""The code samples are built from the examples and can be run."""

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

from siteassist_mock.testing import mock_server
from siteassist_spec import Document
from siteassist_spec.samples import Sample, code_samples
from tests.description import DOCUMENT, OPERATIONS, SPEC
from tests.values import BEARER, PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = code_samples(DOCUMENT)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a mock that checks its requests and responses."""
    with mock_server(strict=True) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def samples(url: str) -> dict[str, list[Sample]]:
    """Return the samples for the mock."""
    return code_samples(DOCUMENT, base_url=url, token=PRIVATE_KEY)


@pytest.fixture
def ids(url: str) -> dict[str, str]:
    """Create a conversation with an answer; map the ids in the examples to the real ones."""
    with httpx.Client(base_url=url, headers=BEARER) as client:
        conversation = client.post("/conversations").json()["id"]
        path = f"/conversations/{conversation}/messages"
        client.post(path, json={"content": "How long does shipping take?"}).raise_for_status()
        answer = client.get(path).json()["data"][1]["id"]
    components = SPEC["components"]["parameters"]
    return {
        components["ConversationId"]["examples"]["question"]["value"]: conversation,
        components["MessageId"]["examples"]["like"]["value"]: answer,
    }


@pytest.fixture
def source(name: str, label: str, samples: dict[str, list[Sample]], ids: dict[str, str]) -> str:
    """Return the sample ``label`` of the operation ``name``, with real ids."""
    (text,) = [sample.source for sample in samples[name] if sample.label == label]
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
    """Return whether a success of the operation has a body."""
    return any(response.media for response in OPERATIONS[name].successes)


@pytest.mark.parametrize(("name", "label"), labelled("Python"))
def test_python_sample_runs(name: str, label: str, source: str) -> None:
    """The Python sample runs unchanged and prints the result, if there is one."""
    with redirect_stdout(StringIO()) as printed:
        exec(compile(source, label, "exec"), {})
    assert bool(printed.getvalue().strip()) == answers_with_body(name)


@pytest.mark.parametrize(("name", "label"), labelled("curl"))
def test_curl_sample_runs(name: str, label: str, source: str) -> None:
    """The curl sample runs unchanged in a shell and gets a success."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    strict = 'curl() { command curl --silent --show-error --fail "$@"; }\n'
    done = subprocess.run(
        ["sh", "-c", strict + source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    start = "data: " if label.endswith("stream") else "{"
    assert done.stdout.startswith(start if answers_with_body(name) else "")


@pytest.mark.parametrize(("name", "label"), labelled("TypeScript"))
def test_typescript_sample_runs(name: str, label: str, source: str) -> None:
    """The TypeScript sample has no type annotations, so that Node.js runs it unchanged."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js on this machine")
    done = subprocess.run(
        [node, "--input-type=module", "--eval", source],
        capture_output=True,
        text=True,
        check=False,
        # Exclude settings for Node.js from the environment of the tests.
        env={"PATH": os.environ["PATH"]},
    )
    assert (0, "") == (done.returncode, done.stderr)
    # Without a body, the sample prints the status.
    assert done.stdout.strip(), (name, label)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_all_languages(name: str) -> None:
    """Each operation has one sample per language, and one more if it can stream."""
    labels = [sample.label for sample in SAMPLES[name]]
    languages = ["Python", "curl", "TypeScript"]
    streamed = [f"{language} stream" for language in languages]
    assert languages + (streamed if OPERATIONS[name].stream else []) == labels


def test_samples_omit_defaults() -> None:
    """The Python sample omits the default URL; the token is that of the examples."""
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


def test_paged_list_is_iterated_in_python() -> None:
    """The Python sample iterates over all pages, and arguments equal to a default are omitted."""
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
    """Return the samples of one operation of ``spec``."""
    return code_samples(Document(spec))[name]


def changed(path: str, method: str, **keys: Any) -> dict[str, Any]:
    """Return a copy of the description with changed keys of one operation."""
    spec = copy.deepcopy(SPEC)
    spec["paths"][path][method] |= keys
    return spec


def test_method_is_explicit_unless_implied() -> None:
    """A POST without a body names its method, since the default would be GET."""
    spec = changed("/identity/init", "post")
    del spec["paths"]["/identity/init"]["post"]["requestBody"]
    _, curl, script = samples_of(spec, "init")
    assert "curl https://api.siteassist.io/v2/identity/init \\\n  --request POST\n" == curl.source
    assert 'fetch(url, {\n  method: "POST",\n})' in script.source


def test_values_of_all_kinds_are_written() -> None:
    """Null, booleans, numbers and empty containers are literals of each language."""
    value: dict[str, Any] = {"a": None, "b": [True, False, 1.5], "c": {}, "d": [], "e-f": "x"}
    body = {"content": {"application/json": {"schema": {}, "examples": {"x": {"value": value}}}}}
    spec = changed("/identity/init", "post", requestBody=body)
    python, _, script = samples_of(spec, "init")
    for argument in ("a=None", "b=[True, False, 1.5]", "c={}", "d=[]"):
        assert f"        {argument},\n" in python.source
    for row in ("a: null", "b: [true, false, 1.5]", "c: {}", "d: []", '"e-f": "x"'):
        assert f"    {row},\n" in script.source


def test_missing_example_is_an_error() -> None:
    """The error names the required parameter, the body or the session token."""
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


def test_optional_parameter_without_example_is_omitted() -> None:
    """An optional parameter without an example does not appear in the sample."""
    parameter = {"name": "x", "in": "query", "schema": {}}
    spec = changed("/search", "get", parameters=[parameter])
    _, curl, _ = samples_of(spec, "search")
    assert "curl https://api.siteassist.io/v2/search\n" == curl.source
