"""The reference is complete in itself, and says all that the description says."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import siteassist_spec
from siteassist_spec import Document, load_spec, read_operations
from siteassist_spec.reference import ORIGIN, PAGE, StandIn, build_reference

if TYPE_CHECKING:
    from tests.conftest import Browser

SPEC = load_spec()
VENDOR = Path(siteassist_spec.__file__).parent / "reference" / "vendor"
STAND_IN = StandIn(path="/v9", name="A & B", notice="**Not the service.**", token="sk_x")


def shown(page: bytes) -> dict[str, Any]:
    """Return the description that is in a page, as a browser finds it."""
    found = re.search(r'<script id="openapi"[^>]*>(.*?)</script>', page.decode(), re.DOTALL)
    assert found is not None
    description: dict[str, Any] = json.loads(found[1])
    return description


@pytest.mark.parametrize("assets", ["", "docs/"])
def test_page_finds_its_files(assets: str) -> None:
    """All that it loads is among the files, where it was told that they are."""
    files = build_reference(SPEC, assets=assets)
    page = files[PAGE].content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    scripts = sorted(name for name in files if name.endswith((".js", ".css")))
    assert [f"{assets}{name}" for name in scripts] == sorted(
        address for address in loaded if not address.startswith("data:")
    )
    assert "{{" not in page.partition('<script id="openapi"')[0]


def test_files_say_what_they_are() -> None:
    """Only the one whose name follows from its content may be kept for ever."""
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


def test_vendored_files_are_those_that_are_pinned() -> None:
    """Nobody has edited them, and the bundle names neither source map nor picture elsewhere."""
    pin = json.loads((VENDOR / "redoc.json").read_text())
    names = {path.name for path in VENDOR.iterdir()} - {"redoc.json"}
    actual = {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in names}
    assert pin["sha256"] == actual
    assert pin["integrity"].startswith("sha512-")
    bundle = (VENDOR / "redoc.standalone.js").read_bytes()
    assert [] == re.findall(rb"sourceMappingURL=[\w.]+\.map|cdn\.redoc\.ly|fonts\.g\w+", bundle)


def test_page_is_about_the_service() -> None:
    """Without a stand-in: its title and its server, and nothing for the browser to put in."""
    page = build_reference(SPEC)[PAGE].content
    assert b"<title>SiteAssist API: reference</title>" in page
    description = shown(page)
    assert SPEC["servers"] == description["servers"]
    assert SPEC["info"] == description["info"]
    assert ORIGIN not in json.dumps(description)


def test_page_is_about_a_stand_in() -> None:
    """Its notice comes first, and so does its server; the samples are for it."""
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
    """At least one for each language."""
    description = shown(build_reference(SPEC)[PAGE].content)
    counts = [
        len(operation["x-codeSamples"])
        for item in description["paths"].values()
        for operation in item.values()
    ]
    assert len(read_operations(Document(SPEC))) == len(counts)
    assert {3, 6} == set(counts)


def test_every_schema_has_a_section() -> None:
    """With its description, which Redoc leaves out of objects and unions."""
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


def test_stream_is_shown_as_it_is_sent() -> None:
    """Events, not the objects that stand for them; and what their text contains is named."""
    description = shown(build_reference(SPEC)[PAGE].content)
    answer = description["paths"]["/chat/completions"]["post"]["responses"]["200"]
    examples = answer["content"]["text/event-stream"]["examples"]
    assert "data: [DONE]\n\n" == examples["terminator"]["value"]
    assert examples["delta"]["value"].startswith('data: {"type":"text-delta"')
    event = description["components"]["schemas"]["StreamEvent"]
    payload = event["properties"]["data"]["anyOf"][1]
    assert "StreamPayload as JSON" == payload["title"]
    assert (
        "A [StreamPayload](#tag/Schemas/StreamPayload), written as JSON."
        == (payload["description"])
    )


def test_nothing_in_the_description_ends_its_element() -> None:
    """A text such as `</script>` stays a text, and comes back as it was."""
    spec = copy.deepcopy(SPEC)
    spec["info"]["description"] = hostile = "</script><script>alert(1)</script>{{ assets }}"
    page = build_reference(spec)[PAGE].content
    assert 3 == page.count(b"</script>")
    assert hostile == shown(page)["info"]["description"]


def test_description_stays_as_it_was() -> None:
    """What the page shows besides is in a copy."""
    spec = copy.deepcopy(SPEC)
    build_reference(spec, stand_in=STAND_IN)
    assert SPEC == spec


def test_other_keys_of_a_path_are_no_operations() -> None:
    """They stay as they are."""
    spec = copy.deepcopy(SPEC)
    spec["paths"]["/search"]["summary"] = "Search"
    paths = shown(build_reference(spec)[PAGE].content)["paths"]
    assert "Search" == paths["/search"]["summary"]


def test_folder_can_be_opened_as_it_is(browser: Browser, tmp_path: Path) -> None:
    """Without any server: the page is drawn, and its search finds a schema."""
    for name, file in build_reference(SPEC).items():
        (tmp_path / name).write_bytes(file.content)
    with browser.opened((tmp_path / PAGE).as_uri()) as page:
        count = len(read_operations(Document(SPEC)))
        page.wait(f"document.querySelectorAll('[id^=\"operation/\"]').length === {count}")
        page.evaluate("document.querySelector('input[type=text]').focus()")
        page.type("terminator")
        found = '[data-role="search:results"] [data-item-id="tag/Schemas/StreamTerminator"]'
        page.wait(f"document.querySelector({json.dumps(found)})")
        folder = tmp_path.as_uri()
        loaded = [address for address in page.requested if not address.startswith("blob:")]
        assert [] == [address for address in loaded if not address.startswith((folder, "data:"))]


def test_reference_is_loaded_by_nobody_else() -> None:
    """Neither the description nor the mock's start pays for it."""
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
