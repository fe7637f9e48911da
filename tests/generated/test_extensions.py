"""The extensions of the description determine the behaviour of the client."""

from __future__ import annotations

from pathlib import Path

import pytest

from siteassist_spec import Document, SpecError, read_operations
from tests.generated.checkouts import (
    add,
    check_types,
    copy_repository,
    edited,
    generate_in,
    problem_of,
    python,
)
from tests.generated.description import OPERATIONS
from tests.values import ROOT

pytestmark = pytest.mark.one_interpreter

PAGED = """\
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
    project = "0b9f3c52-7d41-4c8e-9a26-5e8f7a1b2c3d"
    found = list(client.get_qnas(project_id=project, skip=1, limit=1))
assert 2 == len(found), found
assert [{"skip": "1", "limit": "1"}, {"skip": "2", "limit": "1"}] == asked, asked
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client of a description with the changes of all tests below.

    They concern different operations, and each generation takes seconds.
    """
    checkout = copy_repository(tmp_path_factory.mktemp("changed"))
    description = checkout / "openapi.yaml"
    text = description.read_text()
    paged = [one for one in OPERATIONS if one.paging]
    assert len(paged) == text.count("            offset: offset\n")
    text = text.replace("            offset: offset\n", "            offset: skip\n")
    description.write_text(text.replace("name: offset\n", "name: skip\n"))
    add(checkout, paths=MARK, schemas=SECRET + EVENTS)
    edited(checkout, *DESCRIBED_EVENTS, *RENAMED_CREDENTIALS)
    generate_in(checkout)
    return checkout


def test_paging_follows_the_extension(changed: Path) -> None:
    """A method is still paged if its parameter is renamed together with ``x-page``."""
    python(changed, "-c", PAGED)


@pytest.mark.sweep(5)
@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (
            "name: offset\n",
            "name: skip\n",
            "x-page: `offset` is `offset`, which is not a query parameter",
        ),
        (
            "            items: data\n",
            "            items: rows\n",
            "x-page: `items` is `rows`, which is not a property of the response",
        ),
        (
            "            items: data\n",
            "            items: total\n",
            "x-page: `items` is `total`, which is not a required array",
        ),
        (
            "            items: data\n",
            "            item: data\n",
            "x-page: unknown key `item`",
        ),
        ("            items: data\n", "", "`items` is missing"),
        (
            "            parts: MessagePart\n",
            "            parts: Parts\n",
            "x-event-stream: `parts` is `Parts`, which is not a schema",
        ),
        (
            "            usage: TokenUsage\n",
            "            usage: Tokens\n",
            "x-event-stream: `usage` is `Tokens`, which is not a schema",
        ),
        ("          x-page:\n", "          x-pages:\n", "unknown extension `x-pages`"),
        (
            "x-credential: deviceId\n",
            "x-credential: device\n",
            (
                "x-credential must be one of publishableKey, deviceId, sessionToken, secret, "
                "got `device`"
            ),
        ),
        (
            "x-page:\n",
            "x-credential: secret\n          x-page:\n",
            "`x-credential` is allowed only on a schema",
        ),
        (
            "    TokenUsage:\n",
            "    TokenUsage:\n      x-page: {}\n",
            "`x-page` is allowed only on a response",
        ),
        (
            "      operationId: getMe\n",
            "      operationId: getMe\n      x-mine: true\n",
            "unknown extension `x-mine`",
        ),
    ],
)
def test_faulty_extension_is_refused(tmp_path: Path, before: str, after: str, problem: str) -> None:
    """Unknown, misplaced and dangling extensions are refused with file, line and column."""
    path = tmp_path / "openapi.yaml"
    text = (ROOT / "openapi.yaml").read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(SpecError) as caught:
        read_operations(Document.load(path))
    place, found = str(caught.value).split(": ", 1)
    assert problem == found
    name, row, column = place.rsplit(":", 2)
    assert str(path) == name
    assert int(row) > 1
    assert int(column) > 1


STREAMED = """\
import asyncio
import json

import httpx

import siteassist
from siteassist import AsyncSiteAssist, SiteAssist
from siteassist.models import CitationEvent, NoteEvent

EVENTS = [
    {"type": "start"},
    {"type": "citation", "source": "a"},
    {"type": "data-note-1", "words": "b"},
    {"type": "data-x", "data": 1},
    {"type": "finish"},
]
BODY = "".join(f"data: {json.dumps(event)}\\n\\n" for event in EVENTS) + "data: [DONE]\\n\\n"


def answer(request):
    return httpx.Response(200, text=BODY, headers={"content-type": "text/event-stream"})


ID = "0b9f3c52-7d41-4c8e-9a26-5e8f7a1b2c3d"
EXPECTED = [
    siteassist.StartPayload,
    siteassist.CitationEvent,
    siteassist.NoteEvent,
    siteassist.DataPayload,
    siteassist.FinishPayload,
]


async def awaited():
    async with AsyncSiteAssist(token="t", transport=httpx.MockTransport(answer)) as client:
        async with client.send_message_stream(ID, content="x") as stream:
            return [event async for event in stream]


with SiteAssist(token="t", transport=httpx.MockTransport(answer)) as client:
    with client.send_message_stream(ID, content="x") as stream:
        found = list(stream)
assert EXPECTED == [type(event) for event in found], found
assert EXPECTED == [type(event) for event in asyncio.run(awaited())]
assert siteassist.CitationEvent is CitationEvent
assert siteassist.NoteEvent is NoteEvent
assert ("a", "b") == (found[1].source, found[2].words)
"""
EVENTS = """\
    CitationEvent:
      type: object
      description: A source.
      required: [type, source]
      properties:
        type: {type: string, const: citation, description: Names the type.}
        source: {type: string, description: The source.}
    NoteEvent:
      type: object
      description: A note.
      required: [type, words]
      properties:
        type: {type: string, pattern: ^data-note-, description: Names the type.}
        words: {type: string, description: The words.}
"""
MEMBERS = "".join(
    f"        - $ref: '#/components/schemas/{name}'\n" for name in ("CitationEvent", "NoteEvent")
)
FIRST = "        - $ref: '#/components/schemas/StartPayload'\n"


DESCRIBED_EVENTS = (
    (FIRST, FIRST + MEMBERS),
    ("                  - custom\n", "                  - custom\n                  - citation\n"),
)


def test_described_event_has_one_class(changed: Path) -> None:
    """Streams yield the exported class, and that of the more specific prefix of a type."""
    python(changed, "-c", STREAMED)
    check_types(changed)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (
            "        - $ref: '#/components/schemas/OtherPayload'\n",
            "",
            "the union needs a member for all other types",
        ),
        (
            FIRST,
            FIRST + "        - $ref: '#/components/schemas/HumanAgent'\n",
            "HumanAgent is a member of a union and needs a property `type`",
        ),
        (
            FIRST,
            FIRST + "        - {type: object}\n",
            "each member of a union must be a named schema",
        ),
        (
            "          x-credential: sessionToken\n",
            "",
            "exactly one operation must return an `x-credential: sessionToken`, got 0",
        ),
        (
            "          x-credential: deviceId\n",
            "",
            (
                "init starts a session: its body must have properties with the `x-credential`s "
                "publishableKey and deviceId"
            ),
        ),
        (
            "required: [apiKey, saVid]",
            "required: [saVid]",
            "the secret property `apiKey` must be required",
        ),
    ],
    ids=["no-rest", "no-type", "anonymous", "no-session", "no-device", "optional-secret"],
)
@pytest.mark.usefixtures("no_cover")  # measures nothing that ships: the generator
def test_unusable_description_is_refused(
    tmp_path: Path, before: str, after: str, problem: str
) -> None:
    """Unions that cannot be discriminated and incomplete credentials are refused."""
    assert problem == problem_of(edited(tmp_path, (before, after)))[0]


RENAMED = """\
import json

import httpx

from siteassist import SiteAssist
from siteassist.models import InitRequest, ProjectSecret

sent = []


def answer(request):
    body = json.loads(request.content or b"null")
    sent.append((request.url.path, body, dict(request.url.params)))
    token = request.headers.get("authorization")
    if request.url.path == "/v2/identity/init":
        return httpx.Response(200, json={"bearer": "token-token", "visitor": VISITOR})
    return httpx.Response(204) if token == "Bearer token-token" else httpx.Response(401)


VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d", "type": "anonymous",
    "externalId": None, "name": None, "avatarUrl": None,
}
transport = httpx.MockTransport(answer)
with SiteAssist(api_key="the-secret", device_id="d", transport=transport) as client:
    client.mark(key="the-other-secret")
    session = client.init()
    assert ("/v2/identity/init", {"key": "the-secret", "device": "d"}, {}) == sent[0] == sent[2]
    assert ("/v2/mark", None, {"key": "the-other-secret"}) == sent[1]
    client.mark()
    assert ("/v2/mark", None, {"key": "the-secret"}) == sent[3]
assert "token-token" == session.bearer
assert "token-token" not in repr(session)
assert "the-secret" not in repr(InitRequest(key="the-secret", device="d"))
assert "hidden" not in repr(ProjectSecret(word="hidden"))
"""
MARK = """\
  /mark:
    put:
      operationId: mark
      tags: [Identity]
      summary: Mark
      description: Marks.
      security: [{bearerAuth: []}]
      parameters:
        - name: key
          in: query
          required: true
          description: The key.
          schema: {type: string, x-credential: publishableKey}
      responses:
        '204': {description: Done.}
"""
SECRET = """\
    ProjectSecret:
      type: object
      description: A secret.
      required: [word]
      properties:
        word: {type: string, description: The word., x-credential: secret}
"""


RENAMED_CREDENTIALS = (
    ("required: [apiKey, saVid]", "required: [key, device]"),
    ("        apiKey:\n          type", "        key:\n          type"),
    ("        saVid:\n          type", "        device:\n          type"),
    ("required: [sessionToken, visitor]", "required: [bearer, visitor]"),
    ("        sessionToken:\n          type", "        bearer:\n          type"),
)


def test_credentials_follow_the_extension(changed: Path) -> None:
    """Renamed credentials still start sessions, have defaults and are hidden in reprs."""
    python(changed, "-c", RENAMED)
