"""The AsyncAPI document says of the socket what the description says."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from siteassist_spec import Document, read_union
from siteassist_spec.transform import UnknownConstructError, to_asyncapi
from tests.description import DOCUMENT, OPERATIONS, SPEC, WEBSOCKETS

ASYNCAPI = to_asyncapi(DOCUMENT)
(SOCKET,) = WEBSOCKETS.values()
assert SOCKET.websocket is not None
WEBSOCKET = SOCKET.websocket
(CHANNEL,) = ASYNCAPI["channels"].values()
MESSAGES = ASYNCAPI["components"]["messages"]
UNION = read_union(DOCUMENT, WEBSOCKET.messages)


def validator(name: str) -> Any:
    """Return an independent validator of a message, by the published schemas."""
    schema = {**MESSAGES[name]["payload"], "components": ASYNCAPI["components"]}
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


def test_server_is_that_of_the_description() -> None:
    """The address of a conversation's socket is that of the handshake."""
    (server,) = ASYNCAPI["servers"].values()
    https = f"{server['protocol'].replace('ws', 'http')}://{server['host']}{server['pathname']}"
    assert SPEC["servers"][0]["url"] == https
    assert SOCKET.path == CHANNEL["address"]
    assert {one.name for one in SOCKET.places("path")} == set(CHANNEL["parameters"])


def test_handshake_has_its_query() -> None:
    """The binding has the method and the query parameters, and the key is a credential."""
    binding = CHANNEL["bindings"]["ws"]
    names = [one.name for one in SOCKET.places("query")]
    assert SOCKET.method == binding["method"]
    assert names == list(binding["query"]["properties"]) == binding["query"]["required"]
    assert names == list(ASYNCAPI["components"]["securitySchemes"])


def test_messages_go_in_both_directions() -> None:
    """The service sends each event and the pong, and receives the ping and nothing else."""
    sent, received = (
        [reference["$ref"].rpartition("/")[2] for reference in one["messages"]]
        for one in ASYNCAPI["operations"].values()
    )
    assert ["send", "receive"] == [one["action"] for one in ASYNCAPI["operations"].values()]
    assert [*UNION.exact.values(), UNION.other, "SocketPong"] == sent
    assert ["SocketPing"] == received
    assert {*sent, *received} == set(CHANNEL["messages"])


def test_keep_alive_is_in_words() -> None:
    """The description of the channel has the times, the texts and where to read what was missed."""
    words = CHANNEL["description"]
    for number in (
        WEBSOCKET.ping_interval,
        WEBSOCKET.idle_limit,
        WEBSOCKET.first_delay,
        WEBSOCKET.longest_delay,
    ):
        assert f" {number} second" in words.replace("\n", " ")
    missed = OPERATIONS[WEBSOCKET.missed.operation_id]
    assert f"`{missed.method} {missed.path}?role=human_agent`" in words


def test_schemas_are_unchanged_and_complete() -> None:
    """The schemas are those of the description: all that a message needs, and no others."""
    schemas = ASYNCAPI["components"]["schemas"]
    assert {name: SPEC["components"]["schemas"][name] for name in schemas} == schemas
    named = json.dumps(ASYNCAPI)
    assert all(f'"#/components/schemas/{name}"' in named for name in schemas)


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_are_valid(name: str) -> None:
    """Each message of a known type has an example, which its schema accepts."""
    examples = MESSAGES[name].get("examples", [])
    assert bool(examples) is (name != UNION.other)
    for example in examples:
        validator(name).validate(example["payload"])
        assert MESSAGES[name]["name"] == example["name"]


@pytest.mark.parametrize(
    "change",
    [
        {"type": "human_assigned"},
        {"chatId": 1},
        {"message": {}},
        {"message": None},
        {"type": None},
    ],
)
def test_wrong_messages_are_refused(change: dict[str, Any]) -> None:
    """The schema of an event refuses another type and incomplete content."""
    (example,) = MESSAGES["SocketNewMessage"]["examples"]
    assert validator("SocketNewMessage").is_valid(example["payload"])
    assert not validator("SocketNewMessage").is_valid({**example["payload"], **change})


def test_schema_of_a_later_draft_stops_the_build() -> None:
    """A keyword that has no meaning in draft 7 is named, with its place."""
    raw = copy.deepcopy(dict(SPEC))
    field = {"type": "string", "contentSchema": {}}
    raw["components"]["schemas"]["SocketNewMessage"]["properties"]["more"] = field
    with pytest.raises(UnknownConstructError, match="draft 7 does not support `contentSchema`"):
        to_asyncapi(Document(raw))
