"""Each tolerated variant differs from the mock, and conforms to openapi.yaml."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.faults.faulty import Server
from tests.faults.probes import CHAT
from tests.faults.probing import Api, calling
from tests.faults.variant import Variant
from tests.faults.variants import VARIANTS
from tests.values import API_KEY, PROJECT_ID, QNA_ID, UNKNOWN_ID

# Variants that behave like the mock, or differ only in time.
ALIKE = {"foreign-404", "qnas-slow", "stream-slow"}
# Variants that contradict openapi.yaml but are tolerated by docs/evidence.md (C-01), or
# that refuse some requests with 429.
NOT_CONFORMING = {"misspelled", "retry-after-header", "retry-after-body"}


def all_but(excluded: set[str]) -> list[Any]:
    """Return all variants but those with the ids ``excluded``, as parameters."""
    assert excluded <= set(VARIANTS)
    return [
        pytest.param(variant, id=name) for name, variant in VARIANTS.items() if name not in excluded
    ]


@pytest.mark.parametrize("variant", all_but(set()))
def test_variant_has_its_difference(variant: Variant) -> None:
    """The server of the variant shows the difference."""
    with calling(variant.app(), socket=variant.socket) as api:
        variant.shows(api)


@pytest.mark.parametrize("variant", all_but(ALIKE))
def test_mock_lacks_the_difference(variant: Variant) -> None:
    """The mock does not show the difference."""
    with calling(Server().app(), socket=variant.socket) as api, pytest.raises(AssertionError):
        variant.shows(api)


@pytest.mark.parametrize("variant", all_but(NOT_CONFORMING))
def test_variant_conforms_to_the_description(variant: Variant) -> None:
    """The responses of every operation, errors included, conform to openapi.yaml."""
    with calling(variant.app(), socket=variant.socket) as api:
        use_all_operations(api)


def use_all_operations(api: Api) -> None:
    """Use every operation in turn, and check each response against its schema."""
    visitor = api.visitor()
    assert api.session(visitor.device, wanted=200)["sessionToken"]
    visitor.expect("getMe")
    api.refused("getMe", by=(401,))
    conversation = visitor.start()
    greetings = len(visitor.messages(conversation))
    visitor.say(conversation, "How long does shipping take?", pageContext=None)
    visitor.expect("sendMessage", conversation, body={"content": "Hi"})
    check_events(
        visitor.expect("sendMessage", conversation, body={"content": "Hi", "stream": True})
    )
    visitor.invalid("sendMessage", conversation, body={"content": "", "stream": True})
    stored = visitor.messages(conversation)
    assert greetings + 6 == len(stored)
    assert stored == visitor.messages(conversation, limit=len(stored), offset=0)
    visitor.rate(stored[-1]["id"], "dislike")
    assert "dislike" == visitor.messages(conversation)[-1]["feedback"]
    assert len(stored) == len(visitor.expect("getConversation", conversation)["messages"])
    visitor.close(conversation, "solved")
    visitor.expect("closeConversation", conversation)
    page = visitor.list(status="closed", orderBy="createdAt", orderDir="asc")
    assert ["closed"] == [item["status"] for item in page["data"]]
    visitor.refused("getConversation", UNKNOWN_ID, by=(404,))
    api.visitor().refused("getConversation", conversation, by=(403, 404))
    visitor.expect("createChatCompletion", body=CHAT)
    for _ in range(3):
        check_events(visitor.expect("createChatCompletion", body={**CHAT, "stream": True}))
    api.expect("getProject", apiKey=API_KEY)
    api.refused("getProject", apiKey="wrong", by=(401,))
    assert 2 == len(api.expect("getQnas", PROJECT_ID, limit="2", offset="1")["data"])
    assert QNA_ID == api.expect("getQna", PROJECT_ID, QNA_ID)["id"]
    assert 1 == len(api.expect("search", q="desk lamp", size="1", apiKey=API_KEY)["results"])
    api.invalid("search", apiKey=API_KEY)


def check_events(raw: str) -> None:
    """Check each event of a stream against its schema, in any valid encoding."""
    lines = re.sub(r"\r\n?", "\n", raw.removeprefix("\ufeff"))
    data = [
        "\n".join(
            line.removeprefix("data:").removeprefix(" ")
            for line in block.split("\n")
            if line.startswith("data:")
        )
        for block in lines.split("\n\n")
    ]
    events = [event for event in data if event and event != "[DONE]"]
    types = [Api.payload(json.loads(event))["type"] for event in events]
    assert "start" == types[0]
    assert types[-1] in {"finish", "error"}
