"""Probes that several mutants share, most of them one valid use of one operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.faults.faulty import operations
from tests.faults.probing import Api, read_stream, text_of
from tests.values import API_KEY, PROJECT_ID, QNA_ID, UNKNOWN_ID

if TYPE_CHECKING:
    from tests.faults.mutant import Probe

CHAT = {"messages": [{"role": "user", "content": "How long does shipping take?"}]}


def init(api: Api) -> None:
    """Check that a device gets the same visitor in its second session."""
    visitor = api.visitor()
    again = api.session(visitor.device, wanted=200)
    assert visitor.id == again["visitor"]["id"]


def me(api: Api) -> None:
    """Check that getMe returns the visitor of the session."""
    visitor = api.visitor()
    found = visitor.expect("getMe")
    assert visitor.id == found["id"]


def started(api: Api) -> None:
    """Start a conversation."""
    api.visitor().start()


def read(api: Api) -> None:
    """Read a conversation with a question and its answer."""
    visitor = api.visitor()
    visitor.read(visitor.talk())


def listed(api: Api) -> None:
    """List three conversations."""
    visitor = api.visitor()
    for _ in range(3):
        visitor.talk()
    visitor.list()


def messages(api: Api) -> None:
    """List the messages of a conversation with a question and its answer."""
    visitor = api.visitor()
    visitor.messages(visitor.talk())


def rated(api: Api) -> None:
    """Check that all three operations with messages show the like of an answer."""
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


def unrated(api: Api) -> None:
    """Like an answer, then remove the feedback."""
    visitor = api.visitor()
    message = visitor.messages(visitor.talk())[-1]["id"]
    visitor.rate(message, "like")
    visitor.rate(message, None)


def closed(api: Api) -> None:
    """Check that both operations with conversations show the status and reason after closing."""
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation, "solved")
    for shown in (visitor.read(conversation), visitor.list()["data"][0]):
        assert ("closed", "solved") == (shown["status"], shown["closeReason"])
        assert shown["closedAt"]


def closed_again(api: Api) -> None:
    """Check that closing a closed conversation succeeds (C-23)."""
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation)
    visitor.close(conversation)


def sent(api: Api) -> None:
    """Send a message that is answered as JSON."""
    api.visitor().talk()


def streamed(api: Api) -> None:
    """Check that the text of one streamed answer is stored."""
    streams(api, "How long does shipping take?")


def streams(api: Api, *contents: str) -> None:
    """Check that the text of each streamed answer is stored."""
    visitor = api.visitor()
    conversation = visitor.start()
    for content in contents:
        text = visitor.stream(conversation, content)
        assert text
        last = visitor.messages(conversation)[-1]
        assert ("assistant", "complete") == (last["role"], last["status"])
        assert text == visitor.texts(conversation)[-1]


def chatted(api: Api) -> None:
    """Check that a completion is sent as JSON unless a stream is requested."""
    visitor = api.visitor()
    assert text_of(visitor.expect("createChatCompletion", body=CHAT))
    assert text_of(visitor.expect("createChatCompletion", body={**CHAT, "stream": False}))


def chat_streamed(api: Api) -> None:
    """Check that a streamed completion has the same text as the JSON one."""
    visitor = api.visitor()
    text = read_stream(visitor.expect("createChatCompletion", body={**CHAT, "stream": True}))
    assert text_of(visitor.expect("createChatCompletion", body=CHAT)) == text


def project(api: Api) -> None:
    """Read the project."""
    assert PROJECT_ID == api.expect("getProject", apiKey=API_KEY)["id"]


def qnas(api: Api) -> None:
    """List two pages of Q&As."""
    for offset in (0, 2):
        api.expect("getQnas", PROJECT_ID, limit=2, offset=offset)


def qna(api: Api) -> None:
    """Read one Q&A."""
    assert QNA_ID == api.expect("getQna", PROJECT_ID, QNA_ID)["id"]


def found(api: Api) -> None:
    """Search for pages and products."""
    for words in ("shipping", "desk"):
        assert api.expect("search", q=words, apiKey=API_KEY)["results"]


def found_nothing(api: Api) -> None:
    """Check that searches and lists without a match are empty."""
    assert [] == api.expect("search", q="xyzzyx", apiKey=API_KEY)["results"]
    assert [] == api.expect("getQnas", PROJECT_ID, query="xyzzyx")["data"]
    visitor = api.visitor()
    assert [] == visitor.ids()
    visitor.start()
    assert [] == visitor.ids(offset=50)
    assert [] == api.expect("getQnas", PROJECT_ID, offset=90)["data"]


def stored(*contents: str) -> Probe:
    """Return a probe that the messages of a visitor are stored unchanged."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.talk(*contents)
        assert [*contents] == visitor.texts(conversation)[::2]

    return probe


def exchanged(number: int) -> Probe:
    """Return a probe that ``number`` questions and answers are stored, oldest first."""

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
    """Check that messages, feedback and the place in the list survive closing."""
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
    """Return a probe that a query is refused."""

    def probe(api: Api) -> None:
        caller(api, operation).invalid(operation, *path, **query)

    return probe


def accepted(operation: str, *path: str, **query: Any) -> Probe:
    """Return a probe that a query is accepted."""

    def probe(api: Api) -> None:
        caller(api, operation).expect(operation, *path, **query)

    return probe


def caller(api: Api, operation: str) -> Api:
    """Return a client that may call an operation."""
    return api.visitor() if operations()[operation].needs_token else api


def unknown(operation: str, **more: Any) -> Probe:
    """Return a probe that an unknown id gets a 404 with the documented body."""

    def probe(api: Api) -> None:
        path = (PROJECT_ID, UNKNOWN_ID) if operation == "getQna" else (UNKNOWN_ID,)
        api.visitor().refused(operation, *path, by=(404,), **more)

    return probe


def unauthorized(operation: str, *path: str, **more: Any) -> Probe:
    """Return a probe that a missing token and a wrong token get a 401."""

    def probe(api: Api) -> None:
        for client in (api, api.bearing("wrong")):
            client.refused(operation, *path, by=(401,), **more)

    return probe
