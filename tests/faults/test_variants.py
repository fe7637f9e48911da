"""Each tolerated variant differs from the mock, and keeps what openapi.yaml says."""

from __future__ import annotations

import json

import pytest

from tests.faults.faulty import Server
from tests.faults.in_process import in_process
from tests.faults.probes import CHAT
from tests.faults.probing import Api
from tests.faults.variants import VARIANTS, Variant
from tests.values import API_KEY, PROJECT_ID, QNA_ID, UNKNOWN_ID

# What the mock does as well, or what shows in time alone.
ALIKE = {"foreign-404", "qnas-slow", "stream-slow"}
# What openapi.yaml decides otherwise, and docs/evidence.md tolerates (C-01), and
# what now and then has no answer at all.
BESIDES = {"misspelled", "retry-after-header", "retry-after-body"}


def ids(names: set[str]) -> list[Variant]:
    """Return all variants but those with these names."""
    assert names <= set(VARIANTS)
    return [variant for name, variant in VARIANTS.items() if name not in names]


def named(variant: Variant) -> str:
    """Return the id."""
    return variant.id


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_variant_does_what_it_says(variant: Variant) -> None:
    """The difference is there."""
    with in_process(variant.app()) as http:
        variant.shows(Api(http))


@pytest.mark.parametrize("variant", ids(ALIKE), ids=named)
def test_mock_does_otherwise(variant: Variant) -> None:
    """The difference is one."""
    with in_process(Server().app()) as http, pytest.raises(AssertionError):
        variant.shows(Api(http))


@pytest.mark.parametrize("variant", ids(BESIDES), ids=named)
def test_variant_keeps_the_description(variant: Variant) -> None:
    """Every operation answers, and refuses, as openapi.yaml describes it."""
    with in_process(variant.app()) as http:
        walk(Api(http))


def walk(api: Api) -> None:
    """Use every operation in turn, holding each answer to its schema."""
    visitor = api.visitor()
    assert api.session(visitor.device, wanted=200)["sessionToken"]
    visitor.expect("getMe")
    api.refused("getMe", by=(401,))
    conversation = visitor.start()
    visitor.say(conversation, "How long does shipping take?", pageContext=None)
    visitor.expect("sendMessage", conversation, body={"content": "Hi"})
    payloads(visitor.expect("sendMessage", conversation, body={"content": "Hi", "stream": True}))
    visitor.invalid("sendMessage", conversation, body={"content": "", "stream": True})
    stored = visitor.messages(conversation)
    assert 6 == len(stored)
    assert stored == visitor.messages(conversation, limit=6, offset=0)
    visitor.rate(stored[1]["id"], "dislike")
    assert "dislike" == visitor.messages(conversation)[1]["feedback"]
    assert 6 == len(visitor.expect("getConversation", conversation)["messages"])
    visitor.close(conversation, "solved")
    visitor.expect("closeConversation", conversation)
    page = visitor.list(status="closed", orderBy="createdAt", orderDir="asc")
    assert ["closed"] == [item["status"] for item in page["data"]]
    visitor.refused("getConversation", UNKNOWN_ID, by=(404,))
    api.visitor().refused("getConversation", conversation, by=(403, 404))
    visitor.expect("createChatCompletion", body=CHAT)
    for _ in range(3):
        payloads(visitor.expect("createChatCompletion", body={**CHAT, "stream": True}))
    api.expect("getProject", apiKey=API_KEY)
    api.refused("getProject", apiKey="wrong", by=(401,))
    assert 2 == len(api.expect("getQnas", PROJECT_ID, limit="2", offset="1")["data"])
    assert QNA_ID == api.expect("getQna", PROJECT_ID, QNA_ID)["id"]
    assert 1 == len(api.expect("search", q="desk lamp", size="1", apiKey=API_KEY)["results"])
    api.invalid("search", apiKey=API_KEY)


def payloads(raw: str) -> None:
    """Hold each event of a stream to its schema, however it is written."""
    blocks = raw.replace("\r\n", "\n").strip().split("\n\n")
    data = [
        "\n".join(
            line.removeprefix("data:").removeprefix(" ")
            for line in block.split("\n")
            if line.startswith("data:")
        )
        for block in blocks
    ]
    events = [event for event in data if event and event != "[DONE]"]
    types = [Api.payload(json.loads(event))["type"] for event in events]
    assert "start" == types[0]
    assert types[-1] in {"finish", "error"}
