"""Lists cost the same for a visitor with many conversations as for one with few."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from siteassist_mock.app import create_app
from siteassist_mock.clock import Clock
from siteassist_mock.settings import MockSettings
from siteassist_mock.storage.store import MANY, ORDERS
from siteassist_mock.storage.tables import conversations, messages, visitors
from siteassist_spec import load_spec
from tests.mock.conftest import Client, FakeTime
from tests.mock.steps import counted_steps
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from siteassist_mock.storage.store import Store
    from tests.mock.conftest import MakeClient

FEW, LARGE = 10, 50_000


def fill(client: Client, time: FakeTime, count: int) -> None:
    """Give the visitor of ``client`` conversations with messages, titles and some closes.

    The rows are inserted together, as requests for 50,000 of them take a long time.
    """
    visitor = client.get("/identity/me").json["id"]
    clock, chats, said = Clock(time), [], []
    for number in range(count):
        time.seconds += 0.01
        now, chat = clock.timestamp(), str(uuid.uuid4())
        closed = number % 10 == 1
        chats.append(
            {
                "id": chat,
                "visitor_id": visitor,
                "created_at": now,
                "updated_at": now,
                "status": "closed" if closed else "open",
                "closed_at": now if closed else None,
                "last_interaction_at": now,
                "is_human_handled": False,
                "title": f"title {number * 7919 % count}" if number % 3 else None,
            }
        )
        said.append(
            {
                "id": str(uuid.uuid4()),
                "conversation_id": chat,
                "created_at": now,
                "role": "user",
                "text": "x",
                "status": "complete",
            }
        )
    closes = sum(chat["status"] == "closed" for chat in chats)
    with client.app.state.store.write() as records:
        connection = records._connection
        connection.execute(insert(conversations), chats)
        connection.execute(insert(messages), said)
        connection.execute(
            update(visitors)
            .where(visitors.c.id == visitor)
            .values(conversation_count=count, closed_count=closes)
        )


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[int, Client]]:
    """Return clients of servers with few and with many conversations."""
    # Not the fixtures, which belong to one test: filling takes seconds.
    spec, time = load_spec(), FakeTime()
    found = {}
    for count in (FEW, LARGE):
        app = create_app(MockSettings(now=time), spec=spec)
        found[count] = Client(app, spec, PRIVATE_KEY)
        fill(found[count], time, count)
    yield found
    for client in found.values():
        client.app.state.store.close()


def steps(client: Client, path: str) -> int:
    """Return the work of the database for a list."""
    store: Store = client.app.state.store
    with counted_steps(store) as counted:
        assert 200 == client.get(path).status
        return counted()


@pytest.mark.parametrize("status", ["", "&status=open"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_list_of_ten_costs_the_same(
    clients: dict[int, Client], order: str, direction: str, status: str
) -> None:
    """The first and the last page cost at most three times as much at 50,000 as at 10."""
    path = f"/conversations?limit=10&orderBy={order}&orderDir={direction}{status}"
    few, many = clients[FEW], clients[LARGE]
    before = steps(few, path)
    # The first list of an order creates its index.
    steps(many, path)
    total = many.get(path).json["total"]
    for page in ("", f"&offset={total - 10}"):
        assert steps(many, path + page) <= 3 * before


@pytest.mark.parametrize("query", ["", "/messages", "/messages?limit=10", "/messages?role=user"])
def test_reading_a_conversation_is_linear(make_client: MakeClient, query: str) -> None:
    """A hundred times the messages cost at most a hundred times the work, and ten cost the same."""
    client = make_client(strict=False)
    path, other = client.conversation(), client.conversation()
    store: Store = client.app.state.store
    costs = []
    for count in (50, 4_950):
        with store.write() as records:
            for _ in range(count):
                # The messages of another conversation must not count.
                for chat in (path, other):
                    records.add_message(chat.removeprefix("/conversations/"), "user", "x")
        # The first request compiles the statements.
        steps(client, path + query)
        costs.append(steps(client, path + query))
    assert costs[1] <= (1 if "limit" in query else 100) * costs[0]


def test_a_page_is_that_of_the_whole_list(make_client: MakeClient, time: FakeTime) -> None:
    """Pages from both ends, with and without the index, are parts of the same list."""
    client = make_client(strict=False)
    fill(client, time, 90)

    def lists() -> list[list[str]]:
        found = []
        for order in ORDERS:
            for more in ("orderDir=asc", "orderDir=desc", "orderDir=asc&status=open"):
                path = f"/conversations?orderBy={order}&{more}"
                whole = client.get(f"{path}&limit=100").json
                found.append([item["id"] for item in whole["data"]])
                assert whole["total"] == len(found[-1])
                pages = [
                    client.get(f"{path}&limit=7&offset={offset}").json
                    for offset in range(0, 105, 7)
                ]
                assert found[-1] == [item["id"] for page in pages for item in page["data"]]
                assert {whole["total"]} == {page["total"] for page in pages}
        return found

    before = lists()
    for order in ORDERS:
        for by_status in (False, True):
            client.app.state.store.index_order(order, by_status=by_status)
    assert before == lists()


def test_counts_follow_the_conversations(
    client: Client, database_client: Callable[[], Client]
) -> None:
    """Totals are right after closes, repeated closes and a reset, on each database."""
    for each in (client, database_client()):
        chats = [each.conversation() for _ in range(3)]
        for chat in (chats[0], chats[0], chats[1]):
            assert 200 == each.post(f"{chat}/close").status
        totals = [
            each.get(f"/conversations{query}").json["total"]
            for query in ("", "?status=open", "?status=closed")
        ]
        assert [3, 1, 2] == totals
        assert 200 == each.below("/_mock").post("/reset").status
        assert 0 == each.get("/conversations").json["total"]
        each.conversation()
        assert 1 == each.get("/conversations?status=open").json["total"]


@pytest.fixture
def database_client(make_client: MakeClient, postgres_url: str) -> Callable[[], Client]:
    """Return a function that creates a client of a server with PostgreSQL."""
    return lambda: make_client(database=postgres_url)


def test_postgresql_uses_the_indexes(database_client: Callable[[], Client], time: FakeTime) -> None:
    """Lists beyond the limit create an index, and stay in the same order."""
    client = database_client()
    fill(client, time, MANY + 200)
    for order in ORDERS:
        for direction in ("asc", "desc"):
            for status in ("", "&status=open"):
                path = f"/conversations?orderBy={order}&orderDir={direction}&limit=100{status}"
                assert client.get(path).json == client.get(path).json
    with client.app.state.store.read() as records:
        names = records._connection.exec_driver_sql(
            "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'conversations_by_%%'"
            " AND schemaname = current_schema()"
        ).scalars()
        assert 2 * len(ORDERS) == len(list(names))
