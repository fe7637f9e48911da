"""What the description says with its extensions decides what the client does."""

from __future__ import annotations

from pathlib import Path

import pytest

from siteassist_spec import Document, SpecError, read_operations
from tests.generated.checkouts import edited, python, run

PAGED = '''\
from uuid import UUID

import httpx

from siteassist import SiteAssist
from siteassist_spec import Document

asked = []


def answer(request):
    asked.append(dict(request.url.params))
    skip = int(request.url.params.get("skip", 0))
    page = Document.load().raw["components"]["examples"]["OneQna"]["value"]
    items = [page["data"][0] | {"id": str(UUID(int=skip))}]
    return httpx.Response(200, json=page | {"data": items, "total": 3})


with SiteAssist(token="t", transport=httpx.MockTransport(answer)) as client:
    found = list(client.get_qnas(project_id="0b9f3c52-7d41-4c8e-9a26-5e8f7a1b2c3d", skip=1, limit=1))
assert 2 == len(found), found
assert [{"skip": "1", "limit": "1"}, {"skip": "2", "limit": "1"}] == asked, asked
'''


def test_paging_follows_the_extension(checkout: Path) -> None:
    """A parameter that is renamed together with ``x-page`` still gives a paged method."""
    description = checkout / "openapi.yaml"
    text = description.read_text()
    assert 3 == text.count("            offset: offset\n")
    text = text.replace("            offset: offset\n", "            offset: skip\n")
    description.write_text(text.replace("name: offset\n", "name: skip\n"))
    done = run(checkout)
    assert 0 == done.returncode, done.stderr
    python(checkout, "-c", PAGED)


SESSION = "        '201':\n          description: The device is new; a visitor was created for it.\n"
PAGE = "          x-page:\n            items: data\n            offset: offset\n            limit: limit\n"


@pytest.mark.parametrize(
    ("edits", "problem"),
    [
        (
            [("name: offset\n", "name: skip\n")],
            "x-page: `offset` is `offset`, which is not a query parameter",
        ),
        (
            [("            items: data\n", "            items: rows\n")],
            "x-page: `items` is `rows`, which is not a property of the response",
        ),
        (
            [("            items: data\n", "            items: total\n")],
            "x-page: `items` is `total`, which is not a required array",
        ),
        (
            [("            items: data\n", "            item: data\n")],
            "x-page: unknown key `item`",
        ),
        ([("            items: data\n", "")], "`items` is missing"),
        ([("          x-page:\n", "          x-pages:\n")], "unknown extension `x-pages`"),
        (
            [("    TokenUsage:\n", "    TokenUsage:\n      x-page: {}\n")],
            "`x-page` must stand on a response",
        ),
        (
            [("      operationId: getMe\n", "      operationId: getMe\n      x-mine: true\n")],
            "unknown extension `x-mine`",
        ),
    ],
)
def test_faulty_extension_is_one_sentence(
    tmp_path: Path, edits: list[tuple[str, str]], problem: str
) -> None:
    """Unknown, misplaced and dangling ones are refused with file, line and column."""
    path = tmp_path / "openapi.yaml"
    text = Document.load().path
    assert text is not None
    path.write_text(text.read_text())
    for before, after in edits:
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(SpecError) as caught:
        read_operations(Document.load(path))
    place, found = str(caught.value).split(": ", 1)
    assert problem == found
    name, row, column = place.rsplit(":", 2)
    assert str(path) == name
    assert int(row) > 1
    assert int(column) > 1
