"""The published reference of the socket works from a folder, and requests nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from scripts.publish.documents import as_yaml
from scripts.publish.node import MissingToolError
from scripts.publish.packages import PublishError
from scripts.publish.socket_reference import as_folder
from siteassist_spec.transform import to_asyncapi
from tests.browser import on_a_phone, overflow
from tests.description import DOCUMENT, WEBSOCKETS

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.one_interpreter

TITLE = "SiteAssist & others"


def made(asyncapi: bytes) -> dict[str, bytes]:
    """Return the files of the reference; skip the test if the tools are not installed."""
    try:
        return as_folder(asyncapi, TITLE)
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the reference to a folder."""
    path = tmp_path_factory.mktemp("socket-reference")
    for name, content in made(as_yaml(to_asyncapi(DOCUMENT))).items():
        (path / name).write_bytes(content)
    return path


def open_reference(page: Page, folder: Path) -> list[str]:
    """Open the reference, and return the addresses that it requests."""
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto((folder / "index.html").as_uri())
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    return requested


def test_page_shows_the_socket(page: Page, folder: Path) -> None:
    """It has the path, every message in both directions, and loads the files of the folder only."""
    requested = open_reference(page, folder)
    assert f"{TITLE}: reference of the WebSocket" == page.title()
    (handshake,) = WEBSOCKETS.values()
    text = page.inner_text("body")
    assert handshake.path in text
    messages = to_asyncapi(DOCUMENT)["components"]["messages"]
    assert [] == [name for name in messages if name not in text]
    names = {Path(address).name for address in requested if not address.startswith("data:")}
    assert {"index.html", "reference.js", "without-parser.js", "default.min.css"} == names
    assert [] == [one for one in requested if not one.startswith((folder.as_uri(), "data:"))]


@on_a_phone
def test_page_fits_a_phone(page: Page, folder: Path) -> None:
    """The page does not scroll sideways on a phone."""
    open_reference(page, folder)
    assert 0 == overflow(page)


def test_document_that_the_parser_refuses_is_an_error() -> None:
    """The build ends with the reason."""
    broken = {**to_asyncapi(DOCUMENT), "operations": {"x": {"action": "shout"}}}
    made(as_yaml(to_asyncapi(DOCUMENT)))
    with pytest.raises(PublishError, match=r"asyncapi.yaml cannot be read: .*operations\.x"):
        as_folder(as_yaml(broken), TITLE)
