"""Probes that several mutants share: one use of one operation, with a valid answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.faults.faulty import operations
from tests.faults.probing import Api, read_stream, text_of
from tests.values import API_KEY, PROJECT_ID, QNA_ID, UNKNOWN_ID

if TYPE_CHECKING:
    from tests.faults.mutant import Probe

CHAT = {"messages": [{"role": "user", "content": "How long does shipping take?"}]}


def init(api: Api) -> None:
    """A device is new, then known."""
    visitor = api.visitor()
    again = api.session(visitor.device, wanted=200)
    assert visitor.id == again["visitor"]["id"]


def me(api: Api) -> None:
    """A visitor reads about itself."""
    visitor = api.visitor()
    found = visitor.expect("getMe")
    assert visitor.id == found["id"]


def started(api: Api) -> None:
    """A conversation is started."""
    api.visitor().start()


def read(api: Api) -> None:
    """A conversation with an exchange is read."""
    visitor = api.visitor()
    visitor.read(visitor.talk())


def listed(api: Api) -> None:
    """Three conversations are listed."""
    visitor = api.visitor()
    for _ in range(3):
        visitor.talk()
    visitor.list()


def messages(api: Api) -> None:
    """The messages of an exchange are listed."""
    visitor = api.visitor()
    visitor.messages(visitor.talk())


def rated(api: Api) -> None:
    """An answer is liked, and shown so in all three places."""
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.rate(visitor.messages(conversation)[-1]["id"], "like")
    for message in (
        visitor.messages(conversation)[-1],
        visitor.read(conversation)["messages"][-1],
        visitor.list()["data"][0]["lastMessage"],
    ):
        assert "like" == message["feedback"]
        assert message["feedbackAt"]


def closed(api: Api) -> None:
    """A conversation is closed with a reason, and shown so in both places."""
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation, "solved")
    for shown in (visitor.read(conversation), visitor.list()["data"][0]):
        assert ("closed", "solved") == (shown["status"], shown["closeReason"])
        assert shown["closedAt"]


def closed_again(api: Api) -> None:
    """Closing what is closed is no error (C-23)."""
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation)
    visitor.close(conversation)


def sent(api: Api) -> None:
    """A message is answered as JSON."""
    api.visitor().talk()


def streamed(api: Api) -> None:
    """A message is answered as a stream, and what is stored is what was streamed."""
    streams(api, "How long does shipping take?")


def streams(api: Api, *contents: str) -> None:
    """Each message is answered as a stream, and what is stored is what was streamed."""
    visitor = api.visitor()
    conversation = visitor.start()
    for content in contents:
        text = visitor.stream(conversation, content)
        assert text
        last = visitor.messages(conversation)[-1]
        assert ("assistant", "complete") == (last["role"], last["status"])
        assert text == visitor.texts(conversation)[-1]


def chatted(api: Api) -> None:
    """A completion comes as JSON."""
    visitor = api.visitor()
    assert text_of(visitor.expect("createChatCompletion", body=CHAT))
    assert text_of(visitor.expect("createChatCompletion", body={**CHAT, "stream": False}))


def chat_streamed(api: Api) -> None:
    """A completion comes as a stream, with the text that it has as JSON."""
    visitor = api.visitor()
    text = read_stream(visitor.expect("createChatCompletion", body={**CHAT, "stream": True}))
    assert text_of(visitor.expect("createChatCompletion", body=CHAT)) == text


def project(api: Api) -> None:
    """The project is read."""
    assert PROJECT_ID == api.expect("getProject", apiKey=API_KEY)["id"]


def qnas(api: Api) -> None:
    """The Q&As are listed, on two pages."""
    for offset in (0, 2):
        api.expect("getQnas", PROJECT_ID, limit=2, offset=offset)


def qna(api: Api) -> None:
    """One of the Q&As is read."""
    assert QNA_ID == api.expect("getQna", PROJECT_ID, QNA_ID)["id"]


def found(api: Api) -> None:
    """Pages and products are searched for."""
    for words in ("shipping", "desk"):
        assert api.expect("search", q=words, apiKey=API_KEY)["results"]


def found_nothing(api: Api) -> None:
    """A search, and a list, may have nothing in it."""
    assert [] == api.expect("search", q="xyzzyx", apiKey=API_KEY)["results"]
    assert [] == api.expect("getQnas", PROJECT_ID, query="xyzzyx")["data"]
    visitor = api.visitor()
    assert [] == visitor.ids()
    visitor.start()
    assert [] == visitor.ids(offset=50)
    assert [] == api.expect("getQnas", PROJECT_ID, offset=90)["data"]


def stored(*contents: str) -> Probe:
    """Return a probe: what a visitor says is stored as it was said."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.talk(*contents)
        assert [*contents] == visitor.texts(conversation)[::2]

    return probe


def exchanged(number: int) -> Probe:
    """Return a probe: after so many exchanges, each of them is there, oldest first."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        said = [f"Hi {index}" for index in range(number)]
        conversation = visitor.start()
        expected = []
        for content in said:
            expected += [content, visitor.say(conversation, content)]
        stored = visitor.messages(conversation)
        assert ["user", "assistant"] * number == [message["role"] for message in stored]
        assert expected == visitor.texts(conversation)
        assert stored == visitor.read(conversation)["messages"]
        assert [conversation] * 2 * number == [message["chatId"] for message in stored]
        assert 2 * number == len({message["id"] for message in stored})
        assert stored[-1] == visitor.list()["data"][0]["lastMessage"]

    return probe


def closed_and_kept(api: Api) -> None:
    """What was said and rated stays when a conversation is closed, and so does its place."""
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.rate(visitor.messages(conversation)[-1]["id"], "like")
    before = visitor.messages(conversation)
    visitor.close(conversation)
    assert before == visitor.messages(conversation)
    assert before == visitor.read(conversation)["messages"]
    assert [conversation] == visitor.ids()
    assert [conversation] == visitor.ids(status="closed")


def refused(operation: str, *path: str, **query: Any) -> Probe:
    """Return a probe: a query is refused."""

    def probe(api: Api) -> None:
        caller(api, operation).invalid(operation, *path, **query)

    return probe


def taken(operation: str, *path: str, **query: Any) -> Probe:
    """Return a probe: a query is answered."""

    def probe(api: Api) -> None:
        caller(api, operation).expect(operation, *path, **query)

    return probe


def caller(api: Api, operation: str) -> Api:
    """Return who may call an operation."""
    return api.visitor() if operations()[operation].needs_token else api


def unknown(operation: str, **more: Any) -> Probe:
    """Return a probe: what does not exist is a 404 with the documented body."""

    def probe(api: Api) -> None:
        who = api.visitor()
        path = (PROJECT_ID, UNKNOWN_ID) if operation == "getQna" else (UNKNOWN_ID,)
        who.refused(operation, *path, by=(404,), **more)

    return probe


def unauthorized(operation: str, *path: str, **more: Any) -> Probe:
    """Return a probe: a request without a token, and one with a wrong token, is a 401."""

    def probe(api: Api) -> None:
        for who in (api, api.bearing("wrong")):
            who.refused(operation, *path, by=(401,), **more)

    return probe
