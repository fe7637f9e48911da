"""Journeys of a visitor through the whole API with both clients, against the mock."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from siteassist import (
    APIStatusError,
    BadRequestError,
    ConflictError,
    CredentialsError,
    NotFoundError,
    QueuedNotice,
    SiteAssistError,
    TextDeltaPayload,
    UnauthorizedError,
    UnprocessableEntityError,
)
from siteassist_mock.app import create_app
from siteassist_mock.testing import MockServer, serving
from tests.values import API_KEY, PRIVATE_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tests.e2e.conftest import ClientKind, Mock

QUESTION = "How long does shipping take?"
ANSWER = "Two to four working days within the country."
INIT = "POST /identity/init"


class FakeTime:
    """A clock, in seconds since 1970, that moves only when a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.seconds


async def items(pages: Any) -> list[Any]:
    """Return all items of a list."""
    return [item async for item in pages]


def test_visitor_reads_project_and_qnas(kind: ClientKind, mock: Mock) -> None:
    """Project, Q&As and search start no session."""

    async def scenario(client: Any) -> None:
        project = await client.get_project()
        assert "Example Shop" == project.name
        assert "Hi! How can I help you?" == project.chat_widget_config.welcome_message

        found = await client.search(q="shipping costs", size=2)
        assert "Shipping costs" == found.results[0].title
        assert 2 == len(found.results)

        qnas = client.get_qnas(project.id, limit=5)
        assert 12 == await qnas.total
        everything = await items(qnas)
        assert 12 == len({qna.id for qna in everything})
        assert [5, 5, 2] == [len(page.data) async for page in qnas.pages()]
        assert everything[5:10] == (await qnas.page(5)).data
        assert everything[10:] == await items(client.get_qnas(project.id, limit=5, offset=10))

        first = (await items(client.get_qnas(project.id, query=QUESTION)))[0]
        assert (QUESTION, ANSWER) == (first.question, first.answer)
        assert first == await client.get_qna(str(project.id), first.id)

    kind.run(scenario, base_url=mock.url, api_key=API_KEY)
    assert 0 == mock.count(INIT)


def test_visitor_talks_rates_and_closes(kind: ClientKind, mock: Mock) -> None:
    """From the first message to a closed conversation, each step shows the previous ones."""

    async def scenario(client: Any) -> None:
        started = await client.start_conversation(
            context={"pageUrl": "https://example.com/contact"}
        )
        assert ("open", None, []) == (started.status, started.title, started.messages)

        answer = await client.send_message(
            started.id, content=QUESTION, page_context={"title": "Contact"}
        )
        assert ANSWER in answer.text
        assert not answer.queued
        assert answer.usage.total_tokens > 0

        async with client.send_message_stream(str(started.id), content=QUESTION) as stream:
            deltas = [event.delta async for event in stream if isinstance(event, TextDeltaPayload)]
        assert answer.text == stream.text == "".join(deltas)
        assert (True, None, 200) == (stream.done, stream.queued, stream.status_code)
        assert [answer.text] == [part.text for part in stream.parts]

        messages = await items(client.get_messages(started.id))
        assert ["user", "assistant"] * 2 == [message.role for message in messages]
        assert {"complete"} == {message.status for message in messages}
        assert answer.text == messages[1].parts[0].text == messages[3].parts[0].text
        assert (str(messages[3].id), "stop") == (stream.message_id, stream.finish_reason)
        assert stream.message_id == await stream.fetch_message_id()
        assert messages == await items(client.get_messages(started.id, limit=3))
        assert messages[1:] == await items(client.get_messages(started.id, limit=2, offset=1))
        assert messages[::2] == await items(client.get_messages(started.id, role="user"))
        assert [] == await items(client.get_messages(started.id, status="error"))

        for feedback in ("like", "dislike", None):
            stored = await client.send_message_feedback(messages[1].id, feedback=feedback)
            assert feedback == stored.feedback
            read = (await client.get_conversation(started.id)).messages[1]
            assert (feedback, feedback is None) == (read.feedback, read.feedback_at is None)

        closed = await client.close_conversation(started.id, close_reason="done")
        assert closed.success
        assert (await client.close_conversation(started.id, close_reason="again")).success
        ended = await client.get_conversation(started.id)
        assert ("closed", "done", QUESTION) == (ended.status, ended.close_reason, ended.title)

        with pytest.raises(ConflictError, match="closed") as caught:
            await client.send_message(started.id, content="Still there?")
        assert {"resource": "conversation", "conflictingField": "status"} == caught.value.details
        with pytest.raises(ConflictError):
            async with client.send_message_stream(started.id, content="Still there?"):
                pytest.fail("a stream of a closed conversation was opened")
        assert 4 == len(await items(client.get_messages(started.id)))

    kind.run(scenario, base_url=mock.url, api_key=API_KEY, device_id="device-1")
    assert 1 == mock.count(INIT)


def test_visitor_lists_conversations(kind: ClientKind, make_mock: Callable[..., Mock]) -> None:
    """Conversations can be filtered, ordered and paginated."""
    time = FakeTime()
    mock = make_mock(now=time)

    async def scenario(client: Any) -> None:
        ids = []
        for number in range(7):
            time.seconds += 1
            ids.append((await client.start_conversation()).id)
            await client.send_message(ids[-1], content=f"Question {number}")
        for closed in ids[::3]:
            time.seconds += 1
            await client.close_conversation(closed)

        async def listed(**query: Any) -> list[Any]:
            return [found.id for found in await items(client.get_conversations(**query))]

        opened = [id_ for id_ in ids if id_ not in ids[::3]]
        assert ids == await listed(order_by="createdAt", order_dir="asc")
        assert ids[::-1] == await listed(order_by="title", order_dir="desc", limit=2)
        assert opened == await listed(status="open", order_by="createdAt", order_dir="asc", limit=3)
        assert ids[::3] == await listed(status="closed", order_by="closedAt", order_dir="asc")
        assert ids[4:] == await listed(order_by="createdAt", order_dir="asc", offset=4, limit=2)
        assert [] == await listed(offset=7)

        pages = client.get_conversations(status="open", limit=3)
        assert 4 == await pages.total
        assert [3, 1] == [len(page.data) async for page in pages.pages()]
        summary = (await items(client.get_conversations(order_by="createdAt", order_dir="asc")))[0]
        assert ("Question 0", "assistant") == (summary.title, summary.last_message.role)

    kind.run(scenario, base_url=mock.url, api_key=API_KEY)
    assert 1 == mock.count(INIT)


def test_list_that_changes_has_no_duplicates(kind: ClientKind, mock: Mock) -> None:
    """A conversation added during the iteration does not cause duplicates."""

    async def scenario(client: Any) -> None:
        ids = [(await client.start_conversation()).id for _ in range(5)]
        seen = []
        newest_first = client.get_conversations(order_by="createdAt", order_dir="desc", limit=2)
        async for found in newest_first:
            seen.append(found.id)
            if len(seen) == 1:
                await client.start_conversation()
        assert ids[::-1] == seen

    kind.run(scenario, base_url=mock.url, api_key=API_KEY)


def test_private_key_completes_a_chat(kind: ClientKind, mock: Mock) -> None:
    """A chat completion, whole or streamed, works with a private key and starts no session."""

    async def scenario(client: Any) -> None:
        messages = [{"role": "user", "content": QUESTION}]
        answer = await client.create_chat_completion(messages=messages)
        assert ANSWER in answer.text
        async with client.create_chat_completion_stream(messages=messages) as stream:
            await stream.until_done()
        assert (answer.text, True) == (stream.text, stream.done)
        with pytest.raises(NotFoundError) as caught:
            await client.create_chat_completion(messages=messages, assistant_id=UNKNOWN_ID)
        assert ("ASSISTANT_NOT_FOUND", {"assistantId": UNKNOWN_ID}) == (
            caught.value.code,
            caught.value.details,
        )

    kind.run(scenario, base_url=mock.url, token=PRIVATE_KEY)
    assert 0 == mock.count(INIT)


def test_human_agent_takes_over(kind: ClientKind, mock: Mock) -> None:
    """Messages to a human agent return a notice, or an empty stream."""

    async def scenario(client: Any) -> None:
        started = await client.start_conversation()
        assert not (await client.send_message(started.id, content="Hi")).queued
        mock.state.store.assign_human(str(started.id), "Sam")

        notice = await client.send_message(started.id, content="A human, please")
        assert isinstance(notice, QueuedNotice)
        assert ("Message sent", "Message sent", True) == (notice, notice.text, notice.queued)

        async with client.send_message_stream(started.id, content="Hello?") as stream:
            assert [] == [event async for event in stream]
        assert ("Message sent", 202) == (stream.queued, stream.status_code)
        assert ("", [], None, False) == (stream.text, stream.parts, stream.usage, stream.done)

        shown = await client.get_conversation(started.id)
        assert (True, "Sam") == (shown.is_human_handled, shown.human_agent.name)
        assert ["user", "assistant", "user", "user"] == [message.role for message in shown.messages]

    kind.run(scenario, base_url=mock.url, api_key=API_KEY)


def test_visitors_are_isolated(kind: ClientKind, mock: Mock) -> None:
    """No visitor can access another's data; the same device is the same visitor."""

    async def begin(client: Any) -> tuple[Any, Any, Any]:
        started = await client.start_conversation()
        await client.send_message(started.id, content="Hi")
        message = (await items(client.get_messages(started.id)))[0]
        return (await client.get_me()).id, started.id, message.id

    visitor, conversation, message = kind.run(
        begin, base_url=mock.url, api_key=API_KEY, device_id="device-1"
    )

    async def pry(client: Any) -> None:
        assert visitor != (await client.get_me()).id
        assert [] == await items(client.get_conversations())
        for call in (
            lambda: client.get_conversation(conversation),
            lambda: client.send_message(conversation, content="Hi"),
            lambda: client.close_conversation(conversation),
            lambda: items(client.get_messages(conversation)),
            lambda: client.send_message_feedback(message, feedback="like"),
        ):
            with pytest.raises(NotFoundError):
                await call()
        with pytest.raises(NotFoundError):
            async with client.send_message_stream(conversation, content="Hi"):
                pytest.fail("another visitor's conversation was opened")

    kind.run(pry, base_url=mock.url, api_key=API_KEY, device_id="device-2")

    async def return_(client: Any) -> None:
        assert visitor == (await client.get_me()).id
        assert [conversation] == [found.id async for found in client.get_conversations()]

    kind.run(return_, base_url=mock.url, api_key=API_KEY, device_id="device-1")


def test_expired_session_is_renewed(kind: ClientKind, make_mock: Callable[..., Mock]) -> None:
    """An expired session is renewed once, before any kind of call in a conversation."""
    time = FakeTime()
    mock = make_mock(session_seconds=60, now=time)

    async def scenario(client: Any) -> None:
        started = await client.start_conversation()
        visitor = (await client.get_me()).id
        assert 1 == mock.count(INIT)

        time.seconds += 100
        answer = await client.send_message(started.id, content=QUESTION)
        assert ANSWER in answer.text
        assert 2 == mock.count(INIT)

        time.seconds += 100
        async with client.send_message_stream(started.id, content=QUESTION) as stream:
            await stream.until_done()
        assert answer.text == stream.text
        assert 3 == mock.count(INIT)

        pages = client.get_messages(started.id, limit=2)
        roles: list[str] = []
        async for message in pages:
            if not roles:
                time.seconds += 100
            roles.append(message.role)
        assert ["user", "assistant"] * 2 == roles
        assert 4 == mock.count(INIT)

        assert visitor == (await client.get_me()).id
        assert 4 == mock.count(INIT)

    kind.run(scenario, base_url=mock.url, api_key=API_KEY, max_retries=0)


def test_session_started_by_the_program(kind: ClientKind, mock: Mock) -> None:
    """The client uses a session that the program starts, unless it is for another device."""

    async def scenario(client: Any) -> None:
        session = await client.init()
        assert session.visitor.id == (await client.get_me()).id
        other = await client.init(sa_vid="another device")
        assert other.visitor.id != session.visitor.id
        assert session.visitor.id == (await client.get_me()).id

    kind.run(scenario, base_url=mock.url, api_key=API_KEY, device_id="device-1")
    assert 2 == mock.count(INIT)


def test_leaving_a_stream_cancels_the_answer(
    kind: ClientKind, make_mock: Callable[..., Mock]
) -> None:
    """Leaving a stream early cancels the answer on the server; the client remains usable."""
    mock = make_mock(stream_delay=0.02)

    async def scenario(client: Any) -> None:
        started = await client.start_conversation()
        words = ""
        async with client.send_message_stream(started.id, content=QUESTION) as stream:
            async for event in stream:
                if isinstance(event, TextDeltaPayload):
                    words = event.delta
                    break
        assert words
        assert (words, False) == (stream.text, stream.done)
        messages = client.get_messages(started.id, role="assistant")
        (stored,) = await items(messages)
        while stored.status == "streaming":
            (stored,) = await items(messages)
        assert "error" == stored.status
        assert "closed" in stored.error

    kind.run(scenario, base_url=mock.url, api_key=API_KEY)


def test_refusals_raise_their_exception(kind: ClientKind, mock: Mock) -> None:
    """A wrong key, a wrong token and invalid values each raise their exception."""

    async def wrong_key(client: Any) -> None:
        with pytest.raises(UnauthorizedError) as caught:
            await client.start_conversation()
        assert ("init", 401) == (caught.value.operation, caught.value.status_code)
        with pytest.raises(UnauthorizedError):
            await client.get_project()

    async def wrong_token(client: Any) -> None:
        with pytest.raises(UnauthorizedError) as caught:
            await client.get_me()
        assert "getMe" == caught.value.operation
        with pytest.raises(CredentialsError):
            await client.search(q="shipping")

    async def wrong_values(client: Any) -> None:
        started = await client.start_conversation()
        for call in (
            lambda: client.send_message(started.id, content=""),
            lambda: client.get_conversation("no-uuid"),
            lambda: items(client.get_conversations(limit=-1)),
        ):
            with pytest.raises((BadRequestError, UnprocessableEntityError)) as caught:
                await call()
            assert isinstance(caught.value, APIStatusError)
            assert caught.value.code
        with pytest.raises(SiteAssistError):
            await client.send_message(started.id, content=float("nan"))

    async def no_credential(client: Any) -> None:
        with pytest.raises(CredentialsError):
            await client.get_me()

    kind.run(wrong_key, base_url=mock.url, api_key="sa_pk_unknown")
    kind.run(wrong_token, base_url=mock.url, token="unknown-token")
    kind.run(wrong_values, base_url=mock.url, api_key=API_KEY)
    kind.run(no_credential, base_url=mock.url)


def test_message_id_that_was_not_sent_is_read(kind: ClientKind) -> None:
    """Of a service that sends no id with an answer, the messages are read, once."""
    app, paths = create_app(), list[str]()

    class Silent:
        """Middleware that leaves the ids out of the answers to messages."""

        def __init__(self, inner: ASGIApp) -> None:
            self.inner = inner

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def without_ids(message: Message) -> None:
                if "body" in message:
                    body = re.sub(rb',"messageId":"[^"]*"', b"", message["body"])
                    message = {**message, "body": body}
                await send(message)

            paths.append(scope.get("path", ""))
            posted = scope.get("method") == "POST"
            await self.inner(scope, receive, without_ids if posted else send)

    assert app.middleware_stack is not None
    app.middleware_stack = Silent(app.middleware_stack)

    async def scenario(client: Any) -> None:
        started = await client.start_conversation()
        await client.send_message(started.id, content=QUESTION)
        stream = client.send_message_stream(started.id, content=QUESTION)
        async with stream:
            with pytest.raises(SiteAssistError, match="read the stream to its end"):
                await stream.fetch_message_id()
            await stream.until_done()
        await client.send_message(started.id, content="Thank you")
        # A message of a human agent or of the visitor with the same text is not the answer.
        server = MockServer.of(url, app)
        server.hand_over(started.id)
        server.say(started.id, stream.text)
        await client.send_message(started.id, content=stream.text)
        assert stream.message_id is None
        messages = await items(client.get_messages(started.id))
        paths.clear()
        for _ in range(2):
            assert str(messages[3].id) == await stream.fetch_message_id() == stream.message_id
        assert [f"/v2/conversations/{started.id}/messages"] == paths
        await client.send_message_feedback(stream.message_id, feedback="like")

        other = client.create_chat_completion_stream(
            messages=[{"role": "user", "content": QUESTION}]
        )
        async with other:
            await other.until_done()
        assert await other.fetch_message_id() is None

    with serving(app) as url:
        kind.run(scenario, base_url=url, api_key=API_KEY, device_id="device-2")
