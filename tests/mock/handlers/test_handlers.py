"""Tests for the behaviour of the operations.

The client validates each response against the description.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.content.seed import ASSISTANT_ID, PROJECT, PROJECT_ID, QNAS
from siteassist_mock.handlers import HANDLERS
from tests.values import API_KEY

if TYPE_CHECKING:
    from starlette.types import Message

    from tests.mock.conftest import Client, FakeTime, MakeClient, Reply

QUESTION = "How long does shipping take?"
# The identifier in the description's example of a 404.
UNKNOWN = "123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture
def make_client(make_client: MakeClient, database: str | None) -> MakeClient:
    """Return a factory of clients whose servers use each kind of database."""
    return lambda **settings: make_client(**{"database": database, **settings})


def send(client: Client, conversation: str, content: str = QUESTION, **more: Any) -> Reply:
    """Send a message."""
    return client.post(f"{conversation}/messages", {"content": content, **more})


def messages(client: Client, conversation: str, query: str = "") -> list[Any]:
    """Return the messages of a conversation."""
    data: list[Any] = client.get(f"{conversation}/messages{query}").json["data"]
    return data


def test_handlers_are_named_after_their_operations() -> None:
    """The name of a handler is its `operationId` in snake case."""
    for operation_id, handler in HANDLERS.items():
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation_id)
        assert handler.__name__ == snake


def test_a_device_is_new_once(client: Client) -> None:
    """The first session of a device is a 201, the next a 200 with the same visitor."""
    first = client.post("/identity/init", {"apiKey": API_KEY, "saVid": "device-1"})
    again = client.post("/identity/init", {"apiKey": API_KEY, "saVid": "device-1"})
    other = client.post("/identity/init", {"apiKey": API_KEY, "saVid": "device-2"})
    assert (first.status, again.status, other.status) == (201, 200, 201)
    assert first.json["visitor"] == again.json["visitor"]
    assert first.json["visitor"] != other.json["visitor"]
    for reply in (first, again):
        me = client.bearing(reply.json["sessionToken"]).get("/identity/me")
        assert me.json == first.json["visitor"]


def test_a_wrong_publishable_key_is_a_401(client: Client) -> None:
    """A wrong key is refused in the body and in the query."""
    replies = [
        client.post("/identity/init", {"apiKey": "sa_pk_wrong", "saVid": "device-1"}),
        client.get("/projects/current?apiKey=sa_pk_wrong"),
        client.get("/search?q=x&apiKey=sa_pk_wrong"),
        client.get("/search?q=x&apiKey="),
    ]
    assert [(reply.status, reply.code) for reply in replies] == [(401, "UNAUTHORIZED")] * 4


def test_configured_keys_replace_the_built_in_ones(make_client: MakeClient) -> None:
    """Only the configured keys are accepted."""
    client = make_client(api_key="pk_mine", private_key="sk_mine")
    assert client.get("/identity/me").status == 401
    assert client.bearing("sk_mine").get("/identity/me").status == 200
    assert client.get("/projects/current?apiKey=pk_mine").status == 200
    assert client.get(f"/projects/current?apiKey={API_KEY}").status == 401


def test_a_session_expires(make_client: MakeClient, time: FakeTime) -> None:
    """A session ends after its period without use; a new one has the same visitor."""
    client = make_client(session_seconds=60)
    visitor = client.visitor("device-1")
    me = visitor.get("/identity/me").json
    time.seconds += 60
    assert visitor.get("/identity/me").status == 401
    assert client.visitor("device-1").get("/identity/me").json == me


def test_a_new_conversation_is_empty(client: Client) -> None:
    """A new conversation is open and has no title; reading it returns the same values."""
    reply = client.post("/conversations", {"context": {"pageUrl": "https://example.com/contact"}})
    assert reply.status == 201
    started = reply.json
    assert (started["status"], started["title"], started["messages"]) == ("open", None, [])
    assert started["createdAt"] == started["updatedAt"] == started["lastInteractionAt"]
    assert client.get(f"/conversations/{started['id']}").json == started
    assert client.get(f"/conversations/{started['id'].upper()}").json == started


def test_a_message_is_answered_and_stored(client: Client, time: FakeTime) -> None:
    """Question and answer are stored with their page, the conversation's title and times."""
    conversation = client.conversation()
    before = client.get(conversation).json
    time.seconds += 1
    page = {
        "url": "https://example.com/help",
        "title": "Help",
        "textSelection": "taken",
        "content": "x",
    }
    reply = send(client, conversation, pageContext=page, stream=False)
    assert reply.status == 200
    (step,) = reply.json["steps"]
    usage = step["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    after = client.get(conversation).json
    question, answer = after["messages"]
    assert (question["role"], answer["role"]) == ("user", "assistant")
    assert question["parts"] == [{"type": "text", "text": QUESTION}]
    assert (question["pageUrl"], question["pageTitle"], question["textSelection"]) == (
        "https://example.com/help",
        "Help",
        "taken",
    )
    assert answer["parts"] == step["content"]
    assert (answer["status"], answer["pageUrl"]) == ("complete", None)
    assert question["chatId"] == answer["chatId"] == after["id"]
    assert after["title"] == QUESTION
    assert after["createdAt"] == before["createdAt"]
    assert after["updatedAt"] == after["lastInteractionAt"] > before["updatedAt"]
    send(client, conversation, "Hello")
    assert client.get(conversation).json["title"] == QUESTION


def test_a_page_context_may_be_null(client: Client) -> None:
    """The page context and each of its fields are nullable."""
    conversation = client.conversation()
    assert send(client, conversation, pageContext=None).status == 200
    assert send(client, conversation, pageContext={"url": None, "title": None}).status == 200


def test_a_streamed_answer_equals_the_stored_one(client: Client) -> None:
    """The streamed, whole and stored texts are equal, and the message is complete."""
    conversation = client.conversation()
    reply = send(client, conversation, stream=True)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
    assert reply.events[-1] == "[DONE]"
    assert len(reply.chunks) == len(reply.events) + 1
    whole = send(client, conversation).json["steps"][0]["content"][0]["text"]
    assert reply.text == whole
    stored = messages(client, conversation)[1]
    assert (stored["status"], stored["error"]) == ("complete", None)
    assert stored["parts"] == [{"type": "text", "text": whole}]


def test_a_disconnect_stores_a_partial_answer(client: Client) -> None:
    """The message is "streaming" until the client leaves, then an error with partial text."""
    conversation = client.conversation()
    body = json.dumps({"content": QUESTION, "stream": True}).encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/v2{conversation}/messages",
        "query_string": b"",
        "headers": [
            (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {client.token}".encode()),
        ],
    }
    meanwhile: list[Any] = []

    async def main() -> None:
        leaving = asyncio.Event()
        sent = [{"type": "http.request", "body": body}]

        async def receive() -> Message:
            if sent:
                return sent.pop()
            await leaving.wait()
            return {"type": "http.disconnect"}

        async def write(message: Message) -> None:
            if b"text-delta" in message.get("body", b"") and not leaving.is_set():
                with client.app.state.store.read() as records:
                    meanwhile.extend(records.messages(conversation.split("/")[-1]))
                leaving.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        await client.app(scope, receive, write)

    asyncio.run(main())
    assert [message.status for message in meanwhile] == ["complete", "streaming"]
    (stored,) = messages(client, conversation, "?status=error")
    assert stored["parts"] == [{"type": "text", "text": "**How "}]
    assert stored["error"] == "The connection was closed before the end of the answer"


def test_a_human_handled_conversation_acknowledges(client: Client) -> None:
    """A message to a human agent is stored and acknowledged with 202, streamed or not."""
    conversation = client.conversation()
    client.app.state.store.assign_human(conversation.split("/")[-1], "Sam")
    for stream in (True, False):
        reply = send(client, conversation, stream=stream)
        assert (reply.status, reply.body) == (202, b"Message sent")
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    shown = client.get(conversation).json
    assert [message["role"] for message in shown["messages"]] == ["user", "user"]
    assert (shown["isHumanHandled"], shown["humanAgent"], shown["title"]) == (
        True,
        {"name": "Sam", "image": None},
        QUESTION,
    )


def test_a_closed_conversation_takes_no_messages(client: Client, time: FakeTime) -> None:
    """A message is a 409; closing again keeps the first reason and time."""
    conversation = client.conversation()
    first = client.post(f"{conversation}/close", {"closeReason": "Issue resolved"})
    closed = client.get(conversation).json
    time.seconds += 60
    again = client.post(f"{conversation}/close")
    assert first.status == again.status == 200
    assert (
        first.json
        == again.json
        == {
            "success": True,
            "message": "Conversation closed successfully.",
        }
    )
    assert (closed["status"], closed["closeReason"]) == ("closed", "Issue resolved")
    assert closed["closedAt"] == closed["updatedAt"]
    assert client.get(conversation).json == closed
    reply = send(client, conversation)
    assert (reply.status, reply.code) == (409, "CONFLICT")
    assert reply.details == {"resource": "conversation", "conflictingField": "status"}
    assert messages(client, conversation) == []


def test_a_conversation_can_be_closed_without_a_reason(client: Client) -> None:
    """The body may be absent or empty, with any media type."""
    ways: list[dict[str, Any]] = [{}, {"body": {}}, {"headers": {"content-type": "text/plain"}}]
    for more in ways:
        conversation = client.conversation()
        assert client.post(f"{conversation}/close", **more).status == 200
        assert client.get(conversation).json["closeReason"] is None


def test_conversations_are_listed(client: Client, time: FakeTime) -> None:
    """The list is sorted, paged and filtered, and has each conversation's last message."""
    first = client.conversation()
    time.seconds += 1
    second = client.conversation()
    time.seconds += 1
    send(client, first)
    client.post(f"{second}/close")

    def ids(query: str) -> tuple[int, list[str]]:
        reply = client.get(f"/conversations{query}").json
        return reply["total"], [f"/conversations/{item['id']}" for item in reply["data"]]

    assert ids("") == (2, [first, second])
    assert ids("?orderDir=asc") == (2, [second, first])
    assert ids("?orderBy=createdAt") == (2, [second, first])
    assert ids("?limit=1&offset=1") == (2, [second])
    assert ids("?status=open") == (1, [first])
    assert ids("?status=closed") == (1, [second])
    assert ids("?offset=1e308") == (2, [])
    reply = client.get("/conversations?limit=1e1&offset=null").json
    assert (reply["object"], reply["limit"], reply["offset"]) == ("list", 10, 0)
    assert reply["data"][0]["lastMessage"] == messages(client, first)[-1]
    assert reply["data"][1]["lastMessage"] is None


def test_messages_are_filtered(client: Client) -> None:
    """Messages are filtered by role and status, and paged from the oldest on."""
    conversation = client.conversation()
    send(client, conversation)
    send(client, conversation, "Hello")
    everything = messages(client, conversation)
    assert [message["role"] for message in everything] == ["user", "assistant"] * 2
    assert messages(client, conversation, "?role=user") == everything[::2]
    assert messages(client, conversation, "?role=human_agent") == []
    assert messages(client, conversation, "?status=complete&limit=2&offset=1") == everything[1:3]
    assert messages(client, conversation, "?status=streaming") == []


def test_feedback_can_be_replaced_and_removed(client: Client) -> None:
    """A new value replaces the old one, and null removes it."""
    conversation = client.conversation()
    send(client, conversation)
    message = messages(client, conversation)[1]
    for feedback in ("like", "dislike", None):
        path = f"/messages/{message['id']}/feedback"
        assert client.post(path, {"feedback": feedback}).json == {"feedback": feedback}
        stored = messages(client, conversation)[1]
        assert stored["feedback"] == feedback
        assert (stored["feedbackAt"] is None) == (feedback is None)


def test_resources_of_other_visitors_do_not_exist(client: Client) -> None:
    """A resource of another visitor gets the same response as an unknown one."""
    owner, stranger = client.visitor("device-1"), client.visitor("device-2")
    conversation = owner.conversation()
    send(owner, conversation)
    message_id = messages(owner, conversation)[0]["id"]
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/conversations/{}", None),
        ("POST", "/conversations/{}/close", {}),
        ("GET", "/conversations/{}/messages", None),
        ("POST", "/conversations/{}/messages", {"content": "x"}),
        ("POST", "/messages/{}/feedback", {"feedback": "like"}),
    ]
    for method, template, body in calls:
        real = message_id if "/messages/{}" in template else conversation.split("/")[-1]
        theirs = stranger.request(method, template.format(real), body=body)
        unknown = stranger.request(method, template.format(UNKNOWN), body=body)
        assert theirs.status == unknown.status == 404
        assert theirs.body == unknown.body.replace(UNKNOWN.encode(), real.encode())
    assert stranger.get("/conversations").json["total"] == 0
    assert len(messages(owner, conversation)) == 2


def test_a_404_has_the_documented_body(client: Client, spec: dict[str, Any]) -> None:
    """The body equals the description's example."""
    reply = client.get(f"/conversations/{UNKNOWN}")
    assert reply.json == spec["components"]["examples"]["NotFound"]["value"]
    feedback = client.post(f"/messages/{UNKNOWN}/feedback", {"feedback": None})
    assert (feedback.code, feedback.details) == ("MESSAGE_NOT_FOUND", {"messageId": UNKNOWN})


@pytest.mark.parametrize(
    ("said", "start"),
    [
        ([], "Hello!"),
        ([{"role": "system", "content": "Be brief."}], "Hello!"),
        (
            [
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hello!"},
                {"role": "user", "content": QUESTION},
                {"role": "assistant", "content": "Well,"},
            ],
            f"**{QUESTION}**",
        ),
    ],
)
def test_a_completion_answers_the_last_question(
    client: Client, said: list[Any], start: str
) -> None:
    """The whole and the streamed answer are equal, and nothing is stored."""
    whole = client.post("/chat/completions", {"messages": said})
    streamed = client.post("/chat/completions", {"messages": said, "stream": True})
    assert whole.json["steps"][0]["content"][0]["text"] == streamed.text
    assert streamed.text.startswith(start)
    assert client.get("/conversations").json["total"] == 0


def test_a_completion_counts_its_input(client: Client) -> None:
    """Each message counts as input once, including the question."""
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    reply = client.post("/chat/completions", {"messages": said})
    assert reply.json["steps"][0]["usage"]["inputTokens"] == 4


def test_only_the_projects_assistant_answers(client: Client) -> None:
    """An assistant's identifier is case-insensitive; an unknown assistant is a 404."""
    for assistant_id, status in ((ASSISTANT_ID, 200), (ASSISTANT_ID.upper(), 200), (UNKNOWN, 404)):
        body = {"messages": [], "assistantId": assistant_id}
        assert client.post("/chat/completions", body).status == status


def test_the_project_belongs_to_its_key(client: Client) -> None:
    """The project of the built-in key is the one of the description's example."""
    assert client.bearing(None).get(f"/projects/current?apiKey={API_KEY}").json == PROJECT


def test_qnas_are_paged(client: Client) -> None:
    """The total covers all pages, and the offset has no upper limit."""
    path = f"/projects/{PROJECT_ID}/qnas"
    first = client.bearing(None).get(path).json
    assert (first["total"], first["limit"], first["offset"]) == (len(QNAS), 10, 0)
    assert first["data"] == list(QNAS[:10])
    assert client.get(f"{path}?offset=10&limit=1").json["data"] == [QNAS[10]]
    assert client.get(f"{path}?offset=1e308").json["data"] == []
    found = client.get(f"{path}?query=shipping&limit=1").json
    assert (found["total"], found["data"]) == (2, [QNAS[0]])


def test_a_qna_is_found_by_its_id(client: Client) -> None:
    """A Q&A is found in its own project only."""
    assert client.get(f"/projects/{PROJECT_ID}/qnas/{QNAS[3]['id']}").json == QNAS[3]
    unknown = client.get(f"/projects/{PROJECT_ID}/qnas/{UNKNOWN}")
    elsewhere = client.get(f"/projects/{UNKNOWN}/qnas/{QNAS[3]['id']}")
    nowhere = client.get(f"/projects/{UNKNOWN}/qnas")
    assert (unknown.status, unknown.code) == (404, "QNA_NOT_FOUND")
    assert (elsewhere.status, elsewhere.code) == (404, "PROJECT_NOT_FOUND")
    assert (nowhere.status, nowhere.details) == (404, {"projectId": UNKNOWN})


def test_search_ranks_its_results(client: Client) -> None:
    """The best results come first, include products, and are limited by `size`."""
    path = f"/search?apiKey={API_KEY}"
    results = client.get(f"{path}&q=a+lamp+for+my+desk").json["results"]
    assert [result["title"] for result in results] == ["Desk lamp", "Oak desk"]
    assert results[0]["score"] > results[1]["score"]
    assert results[0]["price"] == 39.5
    assert len(client.get(f"{path}&q=a+lamp+for+my+desk&size=1").json["results"]) == 1
    assert client.get(f"{path}&q=%00").json == {"results": []}


def test_the_examples_of_the_description_work(client: Client, spec: dict[str, Any]) -> None:
    """Each request body in the description is accepted."""
    examples = {name: example["value"] for name, example in spec["components"]["examples"].items()}
    conversation = client.conversation()
    for path, names in {
        "/identity/init": ["InitDevice"],
        "/conversations": ["StartOnContactPage"],
        f"{conversation}/messages": ["AskQuestion", "AskQuestionStreamed"],
        "/chat/completions": ["CompleteQuestion"],
        f"{conversation}/close": ["CloseResolved"],
    }.items():
        for name in names:
            assert client.post(path, examples[name]).status in {200, 201}
    message_id = messages(client, conversation)[1]["id"]
    for name in ("LikeMessage", "RemoveFeedback"):
        assert client.post(f"/messages/{message_id}/feedback", examples[name]).status == 200


@pytest.mark.parametrize("content", ["\0", "a\0b", "\U0001f600", "x" * 10_000, "\n", "'; --"])
def test_every_text_is_stored_unchanged(client: Client, content: str) -> None:
    """NUL, emoji, the longest text and SQL are stored unchanged."""
    conversation = client.conversation()
    page = {"url": content, "title": content, "textSelection": content}
    assert send(client, conversation, content, pageContext=page).status == 200
    stored = messages(client, conversation)[0]
    assert stored["parts"] == [{"type": "text", "text": content}]
    assert (stored["pageUrl"], stored["pageTitle"], stored["textSelection"]) == (content,) * 3
    reply = client.post("/identity/init", {"apiKey": API_KEY, "saVid": content[:100]})
    assert reply.status == 201
    assert client.post(f"{conversation}/close", {"closeReason": content[:256]}).status == 200
    assert client.get(conversation).json["closeReason"] == content[:256]
