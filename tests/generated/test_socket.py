"""The client's methods for a socket follow from the description."""

from __future__ import annotations

from pathlib import Path

import pytest

import siteassist.client
import siteassist.models
from scripts import generate
from siteassist_spec import Document, read_union
from tests.description import DOCUMENT, WEBSOCKETS
from tests.generated.checkouts import edited, problem_of

(SOCKET,) = WEBSOCKETS.values()
assert SOCKET.websocket is not None
WEBSOCKET = SOCKET.websocket
LISTED = "              operationId: getMessages\n              parameters:\n"
REQUIRED = "      required: [type, chatId, message]\n"


def test_client_has_the_facts_of_the_socket() -> None:
    """The texts, the times, the events and the missed messages are those of the description."""
    form = siteassist.client._connect_conversation_format()
    assert SOCKET.operation_id == form.operation.name
    assert SOCKET.method == form.operation.method
    assert tuple(SOCKET.credentials) == form.operation.secrets
    assert (WEBSOCKET.ping, WEBSOCKET.pong) == (form.ping, form.pong)
    assert (WEBSOCKET.ping_interval, WEBSOCKET.idle_limit) == (form.ping_interval, form.idle_limit)
    assert (WEBSOCKET.first_delay, WEBSOCKET.longest_delay) == (
        form.first_delay,
        form.longest_delay,
    )
    union = read_union(DOCUMENT, WEBSOCKET.messages)
    classes = {kind: getattr(siteassist.models, name) for kind, name in union.exact.items()}
    assert {kind: cls.from_dict for kind, cls in classes.items()} == dict(form.events)
    assert getattr(siteassist.models, union.other).from_dict == form.events["unknown"]
    assert WEBSOCKET.missed.operation_id == form.missed.operation.name
    assert WEBSOCKET.missed.parameters == form.missed.parameters == form.missed.attributes


def test_changed_description_reaches_the_templates(tmp_path: Path) -> None:
    """The data of the templates have the changed times and the changed operation's name."""
    description = edited(
        tmp_path,
        ("            pingInterval: 30\n", "            pingInterval: 25\n"),
        ("      operationId: connectConversation\n", "      operationId: joinConversation\n"),
        ("      const: ping\n", "      const: alive?\n"),
    )
    prepared = generate.prepare(Document.load(description))
    listing = prepared["paths"]["/conversations/{conversationId}/messages"]["get"]
    facts = listing["responses"]["200"]["x-socket"]
    assert ("joinConversation", "alive?", 25) == (
        facts["name"],
        facts["ping"],
        facts["times"]["ping_interval"],
    )
    assert "sendMessage" == facts["sending"]


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (
            LISTED,
            LISTED.replace("getMessages", "getMe"),
            (
                "missed: `operationId` must name an operation with `x-page` and the path parameter "
                "of connectConversation, got `getMe`"
            ),
        ),
        (
            LISTED,
            LISTED.replace("getMessages", "getQnas"),
            (
                "missed: `operationId` must name an operation with `x-page` and the path parameter "
                "of connectConversation, got `getQnas`"
            ),
        ),
        (
            "                role: human_agent\n",
            "                limit: 5\n",
            (
                "missed: `limit` must be a query parameter of getMessages and a property of its "
                "items"
            ),
        ),
        (
            REQUIRED,
            REQUIRED.replace("message]", "message, more]"),
            (
                "missed: a member of `messages` must carry `Message` in a property, and need no "
                "other property than `type` and the path parameter"
            ),
        ),
        (
            "            missed:\n",
            "            lost:\n",
            "x-websocket: unknown key `lost`",
        ),
        (
            LISTED,
            LISTED.replace("operationId", "operation"),
            "missed: unknown key `operation`",
        ),
    ],
)
def test_socket_that_cannot_be_listened_to_is_refused(
    tmp_path: Path, before: str, after: str, problem: str
) -> None:
    """A handshake without a list of missed messages is refused, with its place."""
    found, row, _ = problem_of(edited(tmp_path, (before, after)))
    assert problem == found
    assert row > 1
