"""A program that uses the client; `test_typing.py` checks its types and runs it.

Each `assert_type` states the documented type. The lines with ``type: ignore`` are
mistakes that a checker has to find: otherwise it reports that the comment is not needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, assert_never, assert_type
from uuid import UUID

import httpx

from siteassist import (
    UNSET,
    APIConnectionError,
    APIStatusError,
    AsyncPages,
    AsyncSiteAssist,
    AsyncStream,
    ConflictError,
    DataPayload,
    ErrorPayload,
    FinishPayload,
    NotFoundError,
    OtherPayload,
    Pages,
    QueuedNotice,
    RawResponse,
    ReasoningDeltaPayload,
    SiteAssist,
    SiteAssistError,
    StartPayload,
    Stream,
    StreamError,
    TextDeltaPayload,
    ToolOutputAvailablePayload,
    TooManyRequestsError,
    Unset,
)
from siteassist.models import (
    CloseConversationResult,
    Completion,
    CompletionStep,
    Conversation,
    ConversationContext,
    ConversationList,
    ConversationOrderBy,
    ConversationStatus,
    ConversationSummary,
    Feedback,
    HumanAgent,
    Message,
    MessageFeedback,
    OtherPart,
    PageContext,
    Project,
    Qna,
    QnaList,
    SearchResult,
    TextPart,
    TokenUsage,
    ToolPart,
    Visitor,
    VisitorType,
)


def visitor_of(client: SiteAssist) -> str:
    """Return the name or the type of the visitor."""
    visitor = client.get_me()
    assert_type(visitor, Visitor)
    assert_type(visitor.id, UUID)
    assert_type(visitor.type_, VisitorType)
    assert_type(visitor.name, str | None)
    match visitor.type_:
        case VisitorType.ANONYMOUS:
            return "anonymous"
        case VisitorType.IDENTIFIED:
            return visitor.name or "identified"
        case _:
            # The service may add types.
            return str(visitor.type_)


def human_of(conversation: Conversation) -> str | None:
    """Return the id of the human agent, or None."""
    agent = conversation.human_agent
    assert_type(agent, HumanAgent | None | Unset)
    if isinstance(agent, Unset) or agent is None:
        return None
    assert_type(agent, HumanAgent)
    return str(agent.to_dict()["id"])


def text_of(part: TextPart | ToolPart | OtherPart) -> str:
    """Return the text of a part of a message."""
    match part:
        case TextPart():
            return assert_type(part.text, str)
        case ToolPart():
            return f"({part.type_})"
        case OtherPart():
            return ""
        case _:
            assert_never(part)


def send(client: SiteAssist, conversation: Conversation, content: str) -> str:
    """Send a message, and return the text of the answer."""
    answer = client.send_message(conversation.id, content=content, timeout=30, max_retries=1)
    assert_type(answer, Completion | QueuedNotice)
    assert_type(answer.text, str)
    if isinstance(answer, QueuedNotice):
        assert_type(answer.queued, Literal[True])
        return answer.text
    assert_type(answer, Completion)
    assert_type(answer.queued, Literal[False])
    assert_type(answer.usage, TokenUsage)
    for step in answer.steps:
        assert_type(step, CompletionStep)
        for part in step.content:
            text_of(part)
    return answer.text


def stream_text(client: SiteAssist, conversation_id: UUID | str) -> Iterator[str]:
    """Send a message, and yield the text of the answer as it arrives."""
    context = PageContext.from_dict({"url": "https://example.com/contact"})
    with client.send_message_stream(
        conversation_id, content="And?", page_context=context, idle_timeout=10
    ) as stream:
        for event in stream:
            if isinstance(event, TextDeltaPayload):
                yield assert_type(event.delta, str)
            elif isinstance(event, OtherPayload):
                assert_type(event.type_, str)
            elif isinstance(event, DataPayload):
                assert_type(event.data, Any)
        assert_type(stream.text, str)
        assert_type(stream.usage, TokenUsage | None)
        assert_type(stream.queued, QueuedNotice | None)
        assert_type(stream.aborted, bool)
        assert_type(stream.finish_reason, str | None)
        assert_type(stream.message_id, str | None)
        assert_type(stream.fetch_message_id(), str | None)
        for part in stream.parts:
            text_of(part)


def kinds_of(client: SiteAssist) -> list[str]:
    """Return the types of the events of an answer."""
    kinds: list[str] = []
    stream = client.create_chat_completion_stream(messages=[{"role": "user", "content": "Hi"}])
    with stream:
        for event in stream:
            match event:
                case TextDeltaPayload(id=id_, delta=delta):
                    assert_type(id_, str)
                    kinds.append(f"{len(assert_type(delta, str))} characters")
                case StartPayload() | FinishPayload():
                    kinds.append(event.type_)
                case ErrorPayload(error_text=reason):
                    kinds.append(assert_type(reason, str))
                case ReasoningDeltaPayload(delta=thought):
                    kinds.append(assert_type(thought, str))
                case ToolOutputAvailablePayload():
                    kinds.append(event.tool_call_id)
                case _:
                    kinds.append(str(event.to_dict()["type"]))
    with client.create_chat_completion_stream(messages=[]) as other:
        kinds += other.text_deltas()
    return kinds


def browse(client: SiteAssist) -> list[UUID]:
    """Iterate over lists, and return the ids of the conversations."""
    found: list[UUID] = []
    conversations = client.get_conversations(
        status="open", order_by=ConversationOrderBy.CREATEDAT, order_dir="desc", limit=2
    )
    assert_type(conversations, Pages[ConversationSummary, ConversationList])
    assert_type(conversations.total, int | None)
    page = conversations.page()
    assert_type(page, ConversationList)
    assert_type(page.data, list[ConversationSummary])
    for conversation in conversations:
        assert_type(conversation, ConversationSummary)
        assert_type(conversation.status, ConversationStatus)
        assert_type(conversation.last_interaction_at, str)
        found.append(conversation.id)
        for message in client.get_messages(conversation.id, role="assistant"):
            assert_type(message, Message)
            feedback = client.send_message_feedback(message.id, feedback=Feedback.LIKE)
            assert_type(feedback, MessageFeedback)
            client.send_message_feedback(message.id, feedback=None)
    return found


def look_up(client: SiteAssist) -> list[str]:
    """Read the public project, its Q&As and search results."""
    project = client.get_project()
    assert_type(project, Project)
    answers: list[str] = []
    for qnas in client.get_qnas(project.id, query="shipping").pages():
        assert_type(qnas, QnaList)
        answers += [client.get_qna(project.id, qna.id).answer for qna in qnas.data]
    for result in client.search(q="shipping", size=3).results:
        assert_type(result, SearchResult)
        answers.append(str(result.to_dict()["title"]))
    return answers


def title_or_error(client: SiteAssist, conversation_id: str) -> str:
    """Return the title of a conversation, or a description of the error."""
    try:
        conversation = client.get_conversation(conversation_id, extra_headers={"X-Trace": "1"})
    except NotFoundError as error:
        assert_type(error.code, str | None)
        assert_type(error.details, dict[str, Any] | None)
        assert_type(error.response, httpx.Response | None)
        return f"{error.status_code} {error.code} {error.message}"
    except TooManyRequestsError as error:
        assert_type(error.retry_after, float | None)
        return "later"
    except APIStatusError as error:
        assert_type(error.body, object)
        return error.text
    except (APIConnectionError, StreamError) as error:
        return str(error.operation)
    except SiteAssistError as error:
        return error.message
    return conversation.title or "untitled"


def with_options(client: SiteAssist) -> list[str]:
    """Derive clients, and read responses beside the parsed objects."""
    patient = client.with_options(
        timeout=httpx.Timeout(30, connect=5),
        idle_timeout=None,
        max_retries=3,
        max_retry_wait=None,
        extra_headers={"X-Trace": "1"},
        extra_query={"trace": True},
        extra_body={},
    )
    assert_type(patient, SiteAssist)
    with client.visitor(device_id="another-device") as visitor:
        assert_type(visitor, SiteAssist)
        conversation = visitor.start_conversation(extra_body={"context": {}}, extra_query=None)
    found = patient.with_raw_response.get_me(timeout=5)
    assert_type(found, RawResponse[Visitor])
    assert_type(found.parsed, Visitor)
    assert_type(found.request_id, str | None)
    assert_type(found.headers, httpx.Headers)
    page = client.with_raw_response.get_conversations(limit=2)
    assert_type(page, RawResponse[ConversationList])
    sent = client.with_raw_response.send_message(page.parsed.data[0].id, content="Hi")
    assert_type(sent.parsed, Completion | QueuedNotice)
    return [str(found.status_code), page.text, sent.text, str(conversation.id)]


def read_token() -> str:
    """Return the token of the moment."""
    return "sk_test_1234567890abcdef"


async def read_token_async() -> str:
    """Return the token of the moment."""
    return read_token()


def connections() -> None:
    """Create clients over connections of one's own."""
    with httpx.Client(proxy="http://127.0.0.1:9") as http:
        SiteAssist(token=read_token, http_client=http, base_url=httpx.URL("http://host/v2"))
    AsyncSiteAssist(token=read_token, transport=httpx.AsyncHTTPTransport())
    AsyncSiteAssist(token=read_token_async, http_client=httpx.AsyncClient())


def blocking(client: SiteAssist) -> list[str]:
    """Call the blocking client, and return the results as texts."""
    context = ConversationContext.from_dict({"pageUrl": "https://example.com/contact"})
    conversation = client.start_conversation(context=context)
    assert_type(conversation, Conversation)
    other = client.start_conversation(context={"pageUrl": "https://example.com"})
    seen = [visitor_of(client), str(human_of(conversation)), send(client, conversation, "Hi")]
    seen += ["".join(stream_text(client, str(conversation.id)))]
    seen += [str(identifier) for identifier in browse(client)]
    seen += look_up(client)
    seen.append(title_or_error(client, "123e4567-e89b-12d3-a456-426614174000"))
    seen.append(title_or_error(client, str(other.id)))
    seen += with_options(client)
    connections()
    closed = client.close_conversation(conversation.id, close_reason="done")
    assert_type(closed, CloseConversationResult)
    try:
        client.send_message(conversation.id, content="Still there?")
    except ConflictError as error:
        seen.append(f"{error.code}")
    return seen


async def stream_text_async(client: AsyncSiteAssist, conversation_id: UUID) -> AsyncIterator[str]:
    """Send a message, and yield the text of the answer as it arrives."""
    stream = client.send_message_stream(conversation_id, content="And?")
    async with stream as entered:
        assert_type(entered.queued, QueuedNotice | None)
        async for event in entered:
            match event:
                case TextDeltaPayload(delta=delta):
                    yield delta
                case _:
                    pass
        assert_type(entered.usage, TokenUsage | None)
        assert_type(await entered.fetch_message_id(), str | None)


async def awaited(client: AsyncSiteAssist) -> list[str]:
    """Call the async client, and return the results as texts."""
    seen: list[str] = []
    conversation = await client.start_conversation()
    assert_type(conversation, Conversation)
    answer = await client.send_message(conversation.id, content="Hi")
    assert_type(answer, Completion | QueuedNotice)
    seen.append(answer.text)
    raw = await client.visitor().with_options(timeout=9).with_raw_response.get_me()
    assert_type(raw, RawResponse[Visitor])
    first = await client.with_raw_response.get_conversations()
    assert_type(first.parsed, ConversationList)
    seen += [piece async for piece in stream_text_async(client, conversation.id)]
    conversations = client.get_conversations(status=ConversationStatus.OPEN)
    assert_type(conversations, AsyncPages[ConversationSummary, ConversationList])
    assert_type(await conversations.total, int | None)
    assert_type(await conversations.page(), ConversationList)
    async for found in conversations:
        assert_type(found, ConversationSummary)
        seen.append(str(found.id))
    qna_pages = client.get_qnas((await client.get_project()).id)
    assert_type(qna_pages, AsyncPages[Qna, QnaList])
    try:
        await client.get_conversation("123e4567-e89b-12d3-a456-426614174000")
    except NotFoundError as error:
        assert_type(error.code, str | None)
        seen.append(f"{error.code}")
    return seen


def mistakes(client: SiteAssist, other: AsyncSiteAssist) -> None:
    """Contain type errors that a checker has to find."""
    client.send_message("id")  # type: ignore[call-arg]
    client.send_message("id", "Hi")  # type: ignore[call-arg]
    client.send_message("id", content=5)  # type: ignore[arg-type]
    client.send_message("id", content="Hi", stream=True)  # type: ignore[arg-type]
    client.get_conversations(status="opened")  # type: ignore[arg-type]
    client.send_message_feedback("id", feedback="love")  # type: ignore[arg-type]
    client.get_me(timeout="5")  # type: ignore[arg-type]
    client.get_me(max_retries=None)  # type: ignore[arg-type]
    SiteAssist("token")  # type: ignore[call-arg]
    SiteAssist(transport=httpx.AsyncHTTPTransport())  # type: ignore[arg-type]
    client.send_message("id", content="Hi").steps  # type: ignore[union-attr]  # noqa: B018
    SiteAssist(http_client=httpx.AsyncClient())  # type: ignore[arg-type]
    SiteAssist(token=read_token_async)  # type: ignore[arg-type]
    client.get_conversations()[0]  # type: ignore[index]
    len(client.get_conversations())  # type: ignore[arg-type]
    client.visitor("device")  # type: ignore[call-arg]
    client.with_options(headers={})  # type: ignore[call-arg]
    client.with_raw_response.get_me(nothing=1)  # type: ignore[call-arg]
    list(client.get_me())  # type: ignore[call-overload]
    client.nothing()  # type: ignore[attr-defined]
    other.get_me().name  # type: ignore[attr-defined]  # noqa: B018
    stream: Stream[int, int, int] = client.send_message_stream("id", content="Hi")  # type: ignore[assignment]
    awaited_stream: AsyncStream[Any, Any, Any] = client.send_message_stream("id", content="Hi")  # type: ignore[assignment]
    print(stream, awaited_stream, UNSET)  # noqa: T201
