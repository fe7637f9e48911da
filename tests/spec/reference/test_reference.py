"""The reference is self-contained and shows the whole description."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import siteassist_spec
from siteassist_spec.reference import ORIGIN, PAGE, StandIn, build_reference
from tests.description import OPERATIONS, SPEC, WEBSOCKETS

VENDOR = Path(siteassist_spec.__file__).parent / "reference" / "vendor"
STAND_IN = StandIn(path="/v9", name="A & B", notice="**Not the service.**", token="sk_x")


def shown(page: bytes) -> dict[str, Any]:
    """Return the description that is embedded in a page."""
    found = re.search(r'<script id="openapi"[^>]*>(.*?)</script>', page.decode(), re.DOTALL)
    assert found is not None
    description: dict[str, Any] = json.loads(found[1])
    return description


@pytest.mark.parametrize("assets", ["", "docs/"])
def test_page_finds_its_files(assets: str) -> None:
    """The page loads exactly the scripts and styles of the reference, below ``assets``."""
    files = build_reference(SPEC, assets=assets)
    page = files[PAGE].content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    scripts = sorted(name for name in files if name.endswith((".js", ".css")))
    assert [f"{assets}{name}" for name in scripts] == sorted(
        address for address in loaded if not address.startswith("data:")
    )
    assert "{{" not in page.partition('<script id="openapi"')[0]


def test_files_have_media_types_and_caching() -> None:
    """Each file has its media type; only the bundle, named by its digest, is immutable."""
    files = build_reference(SPEC)
    assert {
        "index.html": "text/html; charset=utf-8",
        "reference.css": "text/css; charset=utf-8",
        "reference.js": "text/javascript; charset=utf-8",
        "redoc-LICENSE.txt": "text/plain; charset=utf-8",
    } == {name: file.media_type for name, file in files.items() if not file.immutable}
    ((name, bundle),) = [(name, file) for name, file in files.items() if file.immutable]
    digest = hashlib.sha256(bundle.content).hexdigest()[:8]
    assert f"redoc-2.5.4-{digest}.js" == name
    assert b"The MIT License (MIT)" in files["redoc-LICENSE.txt"].content


def test_vendored_files_match_their_digests() -> None:
    """The vendored files are unmodified, and the bundle refers to no external files."""
    pin = json.loads((VENDOR / "redoc.json").read_text())
    names = {path.name for path in VENDOR.iterdir()} - {"redoc.json"}
    actual = {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in names}
    assert pin["sha256"] == actual
    assert pin["integrity"].startswith("sha512-")
    bundle = (VENDOR / "redoc.standalone.js").read_bytes()
    assert [] == re.findall(rb"sourceMappingURL=[\w.]+\.map|cdn\.redoc\.ly|fonts\.g\w+", bundle)


def test_page_describes_the_service_by_default() -> None:
    """Without a stand-in, the page has the server of the description and no placeholder."""
    page = build_reference(SPEC)[PAGE].content
    assert b"<title>SiteAssist API: reference</title>" in page
    description = shown(page)
    assert SPEC["servers"] == description["servers"]
    assert SPEC["info"] == description["info"]
    assert ORIGIN not in json.dumps(description)


def test_page_describes_a_stand_in() -> None:
    """The notice and the server of the stand-in come first, and the samples use it."""
    page = build_reference(SPEC, stand_in=STAND_IN)[PAGE].content
    assert b"<title>A &amp; B: reference</title>" in page
    description = shown(page)
    assert "A & B" == description["info"]["title"]
    assert description["info"]["description"].startswith("**Not the service.**\n\nA website")
    assert [{"url": "/v9", "description": "A & B"}, *SPEC["servers"]] == description["servers"]
    sample = description["paths"]["/identity/me"]["get"]["x-codeSamples"][0]
    assert {"lang": "Python", "label": "Python"}.items() <= sample.items()
    assert f'token="sk_x", base_url="{ORIGIN}/v9"' in " ".join(sample["source"].split())


def test_every_operation_has_samples() -> None:
    """Each operation has three samples, or six if its answer can be streamed; a socket has none."""
    description = shown(build_reference(SPEC)[PAGE].content)
    counts = {
        operation["operationId"]: len(operation.get("x-codeSamples", ()))
        for item in description["paths"].values()
        for operation in item.values()
    }
    assert {*OPERATIONS, *WEBSOCKETS} == set(counts)
    assert {3, 6} == {counts[name] for name in OPERATIONS}
    assert {0} == {counts[name] for name in WEBSOCKETS}


def test_every_schema_has_a_section() -> None:
    """The section of each schema has its description, which Redoc omits for some types."""
    *tags, chapter = shown(build_reference(SPEC)[PAGE].content)["tags"]
    assert SPEC["tags"] == tags
    _, *sections = re.split(r"^# (\w+)$", chapter["description"], flags=re.MULTILINE)
    schemas = SPEC["components"]["schemas"]
    texts = dict(zip(sections[::2], sections[1::2], strict=True))
    assert list(schemas) == list(texts)
    element = '<SchemaDefinition schemaRef="#/components/schemas/{}" />'
    assert [] == [name for name, text in texts.items() if element.format(name) not in text]
    assert texts["Visitor"].startswith("\n\nA person, or a device, that visits the website.\n\n<")
    assert texts["StreamPayload"].startswith("\n\nWhat one event says.")
    assert texts["Feedback"].startswith("\n\n<")


def test_stream_examples_are_encoded_events() -> None:
    """The examples of streams are encoded events, and the schema of their payload is named."""
    description = shown(build_reference(SPEC)[PAGE].content)
    answer = description["paths"]["/chat/completions"]["post"]["responses"]["200"]
    examples = answer["content"]["text/event-stream"]["examples"]
    (example,) = examples.values()
    assert {"$ref": "#/components/examples/StreamedShippingAnswer"} == example
    event = description["components"]["schemas"]["StreamEvent"]
    payload = event["properties"]["data"]["anyOf"][1]
    assert "StreamPayload as JSON" == payload["title"]
    assert (
        "A [StreamPayload](#tag/Schemas/StreamPayload), written as JSON."
        == (payload["description"])
    )


def test_description_is_escaped_in_the_page() -> None:
    """A text such as `</script>` does not end the element, and is read back unchanged."""
    spec = copy.deepcopy(SPEC)
    spec["info"]["description"] = hostile = "</script><script>alert(1)</script>{{ assets }}"
    page = build_reference(spec)[PAGE].content
    assert 3 == page.count(b"</script>")
    assert hostile == shown(page)["info"]["description"]


def test_description_is_not_modified() -> None:
    """Additions for the page are made to a copy of the description."""
    spec = copy.deepcopy(SPEC)
    build_reference(spec, stand_in=STAND_IN)
    assert SPEC == spec


def test_other_keys_of_a_path_are_unchanged() -> None:
    """A key of a path that is not an operation is left as it is."""
    spec = copy.deepcopy(SPEC)
    spec["paths"]["/search"]["summary"] = "Search"
    paths = shown(build_reference(spec)[PAGE].content)["paths"]
    assert "Search" == paths["/search"]["summary"]


def test_reference_is_imported_on_demand() -> None:
    """Importing the description and starting the mock do not import the reference."""
    program = (
        "import sys, siteassist_spec, siteassist_mock.app, siteassist_mock.http.server\n"
        "siteassist_mock.app.create_app()\n"
        "parts = ('reference', 'samples', 'transform')\n"
        "print([part for part in parts if f'siteassist_spec.{part}' in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "[]\n" == done.stdout
