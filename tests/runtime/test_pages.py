"""Lists in pages: lazy, whole, without repetition, and never without an end."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siteassist import AsyncSiteAssist, NotFoundError, SiteAssist, SiteAssistError
from siteassist_runtime.pages import AsyncPages, PageNames, Pages, total_of
from siteassist_runtime.unset import UNSET

BASE_URL = "http://127.0.0.1/v2"
MOST = 3000  # Requests after which reading a short list counts as endless.
NAMES = PageNames(items="data", offset="offset", limit="limit", total="total")
Mutation = Callable[[list[int]], None]


@dataclass
class Service:
    """A list that a service has, and what it does with it between two requests."""

    items: list[int]
    limit: int | None = 3
    mutations: Iterator[Mutation] = field(default_factory=lambda: iter(()))
    total: Callable[[int], Any] = lambda total: total
    cap: int | None = None
    ignores_offset: bool = False
    asked: list[int] = field(default_factory=list)
    fails_at: int | None = None

    def fetch(self, offset: int) -> Any:
        """Answer a request."""
        if self.asked:
            next(self.mutations, lambda _: None)(self.items)
        self.asked.append(offset)
        if len(self.asked) - 1 == self.fails_at:
            raise NotFoundError("gone", operation="list", status_code=404)
        assert len(self.asked) < MOST, "reading has no end"
        size = min(x for x in (self.limit, self.cap, len(self.items)) if x is not None)
        start = 0 if self.ignores_offset else offset
        data = [SimpleNamespace(id=item) for item in self.items[start : start + size]]
        return SimpleNamespace(data=data, total=self.total(len(self.items)))

    @property
    def query(self) -> dict[str, Any]:
        """What the caller asks for."""
        return {"limit": UNSET if self.limit is None else self.limit}


@dataclass
class Reader:
    """Reads a list in one of the two ways."""

    awaited: bool

    def make(self, service: Service, **query: Any) -> Any:
        """Return the list."""
        wanted = service.query | query
        if not self.awaited:
            return Pages(service.fetch, wanted, NAMES)

        async def fetch(offset: int) -> Any:
            await asyncio.sleep(0)
            return service.fetch(offset)

        return AsyncPages(fetch, wanted, NAMES)

    def items(self, pages: Any, most: int | None = None) -> list[Any]:
        """Return the ids of all items, or of so many."""
        return [item.id for item in self._read(pages, most)]

    def pages(self, pages: Any, most: int | None = None) -> list[list[Any]]:
        """Return the ids on all pages, or on so many."""
        return [[item.id for item in page.data] for page in self._read(pages.pages(), most)]

    def total(self, pages: Any) -> Any:
        """Return the total."""
        return asyncio.run(self._wait(lambda: pages.total)) if self.awaited else pages.total

    def page(self, pages: Any, *offset: int | None) -> list[Any]:
        """Return the ids on one page."""
        page = (
            asyncio.run(self._wait(lambda: pages.page(*offset)))
            if self.awaited
            else pages.page(*offset)
        )
        return [item.id for item in page.data]

    def _read(self, found: Any, most: int | None) -> list[Any]:
        if not self.awaited:
            return self._read_sync(found, most)
        return asyncio.run(self._read_async(found, most))

    @staticmethod
    def _read_sync(found: Any, most: int | None) -> list[Any]:
        read: list[Any] = []
        for item in found:
            read.append(item)
            if len(read) == most:
                break
        return read

    @staticmethod
    async def _read_async(found: Any, most: int | None) -> list[Any]:
        read: list[Any] = []
        async for item in found:
            read.append(item)
            if len(read) == most:
                break
        return read

    @staticmethod
    async def _wait(make: Callable[[], Any]) -> Any:
        return await make()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def reader(request: pytest.FixtureRequest) -> Reader:
    """Read in either way."""
    return Reader(awaited=request.param)


SYNC = Reader(awaited=False)

# A list that stands still.


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 11, None])
@pytest.mark.parametrize("count", [0, 1, 9, 10])
def test_every_item_comes_once_and_in_order(reader: Reader, count: int, limit: int | None) -> None:
    """Whatever the size of a page, and no page is asked for in vain."""
    service = Service(list(range(count)), limit)
    assert list(range(count)) == reader.items(reader.make(service))
    size = limit or count or 1
    assert list(range(0, count, size)) or [0] == service.asked


def test_nothing_is_asked_for_before_it_is_needed(reader: Reader) -> None:
    """Neither making the list nor showing it sends anything; reading asks for one page."""
    service = Service(list(range(10)))
    pages = reader.make(service)
    repr(pages)
    assert [] == service.asked
    assert [0, 1, 2] == reader.items(pages, most=3)
    assert [0] == service.asked
    assert [0, 1, 2, 3] == reader.items(pages, most=4)
    assert [0, 0, 3] == service.asked


def test_reading_again_starts_again(reader: Reader) -> None:
    """The list is asked for anew, and may have changed."""
    service = Service(list(range(4)))
    pages = reader.make(service)
    assert [0, 1, 2, 3] == reader.items(pages)
    service.items.insert(0, 9)
    assert [9, 0, 1, 2, 3] == reader.items(pages)
    assert [0, 3, 0, 3] == service.asked


def test_reading_may_begin_further_on(reader: Reader) -> None:
    """`offset` is where the list begins, for every way to read it."""
    service = Service(list(range(10)))
    pages = reader.make(service, offset=4)
    assert [4, 5, 6, 7, 8, 9] == reader.items(pages)
    assert [[4, 5, 6], [7, 8, 9]] == reader.pages(pages)
    assert [4, 5, 6] == reader.page(pages)
    assert [4, 7, 4, 7, 4] == service.asked


@pytest.mark.parametrize("offset", [UNSET, None, 0, 0.0])
def test_no_offset_is_the_beginning(reader: Reader, offset: object) -> None:
    """Left out, null and zero are the same."""
    service = Service([1, 2])
    assert [1, 2] == reader.items(reader.make(service, offset=offset))
    assert [0] == service.asked


def test_beginning_behind_the_end(reader: Reader) -> None:
    """There is nothing, and one request finds out."""
    service = Service([1, 2])
    assert [] == reader.items(reader.make(service, offset=5))
    assert [5] == service.asked


def test_one_page(reader: Reader) -> None:
    """The first, or the one at an offset, which may be the start of the list."""
    service = Service(list(range(10)))
    pages = reader.make(service, offset=2)
    assert [2, 3, 4] == reader.page(pages)
    assert [7, 8, 9] == reader.page(pages, 7)
    assert [0, 1, 2] == reader.page(pages, 0)
    assert [2, 3, 4] == reader.page(pages, None)
    assert [2, 7, 0, 2] == service.asked


def test_page_by_page(reader: Reader) -> None:
    """As they are, and only as many as are wanted."""
    service = Service(list(range(7)))
    pages = reader.make(service)
    assert [[0, 1, 2], [3, 4, 5], [6]] == reader.pages(pages)
    assert [[0, 1, 2]] == reader.pages(pages, most=1)
    assert [0, 3, 6, 0] == service.asked


def test_an_empty_list_is_one_empty_page(reader: Reader) -> None:
    """Whoever reads page by page gets to see it."""
    assert [[]] == reader.pages(reader.make(Service([])))


def test_the_total_asks_once(reader: Reader) -> None:
    """It takes the first page if none was read, and else what the last page said."""
    service = Service(list(range(10)))
    pages = reader.make(service)
    assert 10 == reader.total(pages)
    assert 10 == reader.total(pages)
    assert [0] == service.asked
    service.items.append(10)
    reader.page(pages, 3)
    assert 11 == reader.total(pages)
    assert [0, 3] == service.asked


def test_the_shown_form(reader: Reader) -> None:
    """It tells where the list begins, and how long it is once that is known."""
    name = "AsyncPages" if reader.awaited else "Pages"
    pages = reader.make(Service(list(range(10))), offset=4)
    assert f"<{name} from 4, total None>" == repr(pages)
    reader.total(pages)
    assert f"<{name} from 4, total 10>" == repr(pages)


def test_an_error_in_the_middle_is_raised(reader: Reader) -> None:
    """Where it happens; the list can be read again afterwards."""
    service = Service(list(range(10)), fails_at=2)
    pages = reader.make(service)
    with pytest.raises(NotFoundError):
        reader.items(pages)
    assert [0, 3, 6] == service.asked
    assert list(range(10)) == reader.items(pages)


def test_items_before_an_error_are_given() -> None:
    """Nothing is held back until a page more is there."""
    pages: Pages[Any, Any] = Pages(Service(list(range(10)), fails_at=1).fetch, {}, NAMES)
    items = iter(pages)
    assert [0, 1, 2] == [next(items).id for _ in range(3)]
    with pytest.raises(NotFoundError):
        next(items)


# Services with ideas of their own.


def test_pages_that_are_smaller_than_asked_for(reader: Reader) -> None:
    """A service that caps the size of a page is asked more often."""
    service = Service(list(range(7)), limit=100, cap=3)
    assert list(range(7)) == reader.items(reader.make(service))
    assert [0, 3, 6] == service.asked


def test_a_service_that_ignores_the_offset(reader: Reader) -> None:
    """A page that brings nothing new is the last one."""
    service = Service(list(range(10)), ignores_offset=True)
    assert [0, 1, 2] == reader.items(reader.make(service))
    assert [0, 3] == service.asked


def test_a_service_that_ignores_the_limit(reader: Reader) -> None:
    """It gives everything at once, and is not asked again."""
    service = Service(list(range(10)), limit=None)
    assert list(range(10)) == reader.items(reader.make(service, limit=3))
    assert [0] == service.asked


@pytest.mark.parametrize("missing", [None, UNSET])
@pytest.mark.parametrize(
    ("limit", "count", "asked"),
    [
        # All at once if no limit was given; else until a page is not full.
        (None, 10, [0]),
        (3, 7, [0, 3, 6]),
        (3, 6, [0, 3, 6]),
        (3, 0, [0]),
        (3.0, 4, [0, 3]),
        (10, 3, [0]),
    ],
)
def test_a_list_without_a_total(
    reader: Reader, missing: object, limit: Any, count: int, asked: list[int]
) -> None:
    """Messages have none: the list ends with a page that is not full."""
    whole = None if limit is None else int(limit)
    service = Service(list(range(count)), whole, total=lambda _: missing)
    pages = reader.make(service, limit=UNSET if limit is None else limit)
    assert list(range(count)) == reader.items(pages)
    assert asked == service.asked
    assert reader.total(pages) is None


def test_a_list_without_a_total_from_a_service_that_ignores_the_offset(reader: Reader) -> None:
    """It has an end all the same."""
    service = Service(list(range(10)), total=lambda _: None, ignores_offset=True)
    assert [0, 1, 2] == reader.items(reader.make(service))


def test_a_page_without_a_total_at_all() -> None:
    """A page of a type that has no such field."""
    assert total_of(SimpleNamespace(data=[]), NAMES) is None


@pytest.mark.parametrize(
    ("stated", "given"),
    [
        (10, 10),
        (10.0, 10),
        (10.5, 10),
        (5, 6),
        (0, 3),
        (-1, 3),
        (1000, 10),
    ],
)
def test_the_stated_total_decides(reader: Reader, stated: float, given: int) -> None:
    """Reading stops when it is reached, be it right or wrong; an empty page ends it, too."""
    service = Service(list(range(10)), total=lambda _: stated)
    assert list(range(given)) == reader.items(reader.make(service))
    total = reader.total(reader.make(service))
    assert (int(stated), int) == (total, type(total))


@pytest.mark.parametrize("ids", [[None, None], [UNSET, UNSET], ["a", "b"]])
def test_items_without_an_id_are_all_given(reader: Reader, ids: list[Any]) -> None:
    """Nobody can tell whether they came before, so none is held back."""
    page = SimpleNamespace(data=[SimpleNamespace(id=id_) for id_ in ids], total=len(ids))
    fetch: Any = lambda _: page  # noqa: E731  # a fetch of one line
    if reader.awaited:

        async def fetch_async(_: int) -> Any:
            return page

        fetch = fetch_async
    pages: Any = (AsyncPages if reader.awaited else Pages)(fetch, {}, NAMES)
    assert ids == reader.items(pages)


# Lists that change while they are read.


def mutate(*mutations: Mutation | None) -> Iterator[Mutation]:
    """Return what happens before the second request, the third, and so on."""
    return iter([mutation or (lambda _: None) for mutation in mutations])


def insert(*new: int, at: int = 0) -> Mutation:
    """Put items into the list."""

    def change(items: list[int]) -> None:
        items[at:at] = new

    return change


def delete(*gone: int) -> Mutation:
    """Take items out of the list."""

    def change(items: list[int]) -> None:
        items[:] = [item for item in items if item not in gone]

    return change


def test_items_that_move_down_come_once(reader: Reader) -> None:
    """New items at the front push others to the next page, where they are known."""
    service = Service(list(range(7)), mutations=mutate(insert(10, 11), insert(12)))
    assert list(range(7)) == reader.items(reader.make(service))


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_page_of_nothing_but_old_items_is_not_the_end(reader: Reader, limit: int) -> None:
    """As many new items at the front as a page holds must not hide the rest of the list."""
    service = Service(list(range(8)), limit, mutations=mutate(insert(10, 11, 12)))
    read = reader.items(reader.make(service))
    # Some of the new ones may be met on the way, each once.
    assert list(range(8)) == [item for item in read if item < 10]
    assert len(set(read)) == len(read)


def test_items_that_move_up_are_not_missed(reader: Reader) -> None:
    """As items go, reading goes back as far."""
    service = Service(list(range(9)), mutations=mutate(delete(0, 1), delete(3, 4)))
    assert {2, 5, 6, 7, 8} <= set(reader.items(reader.make(service)))
    service = Service(list(range(9)), mutations=mutate(delete(0, 1), delete(3, 4)))
    read = reader.items(reader.make(service))
    assert sorted(set(read)) == sorted(read)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_going_back_several_pages_is_not_the_end(reader: Reader, limit: int) -> None:
    """Many items that go at the end must not hide those that stay."""
    mutations = mutate(*([None] * (9 // limit)), delete(*range(25, 40)))
    service = Service(list(range(40)), limit, mutations=mutations)
    assert set(range(25)) <= set(reader.items(reader.make(service)))


def test_a_list_that_is_emptied(reader: Reader) -> None:
    """There is no more, and that is all."""
    service = Service(list(range(9)), mutations=mutate(delete(*range(9))))
    assert [0, 1, 2] == reader.items(reader.make(service))


def test_a_list_that_grows_is_read_to_its_new_end(reader: Reader) -> None:
    """What is put at the end before the end is reached belongs to it."""
    service = Service(list(range(5)), mutations=mutate(insert(5, 6, at=5)))
    assert list(range(7)) == reader.items(reader.make(service))


def test_a_total_that_comes_and_goes(reader: Reader) -> None:
    """A page without a total between others does not matter."""
    totals = iter([7, None, 7])
    service = Service(list(range(7)), total=lambda _: next(totals))
    assert list(range(7)) == reader.items(reader.make(service))


@pytest.mark.parametrize(
    ("limit", "totals"),
    [
        # Two machines of the service that do not agree, for one.
        *((limit, totals) for limit in (1, 2, 3) for totals in ((10, 9), (10, 1), (9, 10, 10))),
        (1, (10, 9, 8, 7, 6, 5)),
        (3, (10, 0)),
        (1, (10, None, 9)),
    ],
)
@pytest.mark.parametrize("ignores_offset", [False, True])
def test_a_total_that_goes_up_and_down_has_an_end(
    reader: Reader, limit: int, totals: Sequence[int | None], *, ignores_offset: bool
) -> None:
    """Whatever the service says, it is not asked for ever, and nothing comes twice."""
    stated = cycle(totals)
    service = Service(
        list(range(10)), limit, total=lambda _: next(stated), ignores_offset=ignores_offset
    )
    read = reader.items(reader.make(service))
    assert list(range(limit)) == read[:limit]
    assert len(set(read)) == len(read)


def test_a_list_that_grows_for_ever_has_an_end(reader: Reader) -> None:
    """A service that always says there is more, and gives nothing new, is left."""
    totals = iter(range(10, 10 + 2 * MOST))
    service = Service(list(range(3)), total=lambda _: next(totals), ignores_offset=True)
    assert [0, 1, 2] == reader.items(reader.make(service))


NUMBERS = st.integers(0, 25)
PLACES = st.lists(st.integers(0, 30), max_size=6)


@given(count=NUMBERS, limit=st.integers(1, 5), steps=st.lists(PLACES, max_size=8))
@settings(derandomize=True, deadline=None, max_examples=400)
def test_when_items_only_go_none_that_stays_is_missed(
    count: int, limit: int, steps: list[list[int]]
) -> None:
    """However many go, wherever and whenever they do."""
    service = Service(list(range(count)), limit, mutations=mutate(*(delete(*s) for s in steps)))
    read = SYNC.items(SYNC.make(service))
    assert len(set(read)) == len(read)
    assert set(service.items) <= set(read) <= set(range(count))


@given(count=NUMBERS, limit=st.integers(1, 5), steps=st.lists(st.integers(0, 6), max_size=8))
@settings(derandomize=True, deadline=None, max_examples=400)
def test_when_items_only_come_none_is_missed(count: int, limit: int, steps: list[int]) -> None:
    """However many come at the front, the others are all given, once and in order."""
    new = iter(range(100, 1000))
    mutations = mutate(*(insert(*(next(new) for _ in range(step))) for step in steps))
    service = Service(list(range(count)), limit, mutations=mutations)
    read = SYNC.items(SYNC.make(service))
    assert len(set(read)) == len(read)
    assert list(range(count)) == [item for item in read if item < 100]


@given(
    count=NUMBERS,
    limit=st.integers(1, 5),
    steps=st.lists(st.tuples(st.booleans(), PLACES), max_size=10),
    total=st.sampled_from(["right", "missing", "wrong", "fractional"]),
    ignores_offset=st.booleans(),
)
@settings(derandomize=True, deadline=None, max_examples=400)
def test_reading_always_ends_and_repeats_nothing(
    count: int,
    limit: int,
    steps: list[tuple[bool, list[int]]],
    total: str,
    *,
    ignores_offset: bool,
) -> None:
    """Items may come, go and change places, and the total may be what it wants."""
    ever = set(range(count))
    new = iter(range(100, 1000))

    def change(come: bool, places: list[int]) -> Mutation:
        def mutation(items: list[int]) -> None:
            for place in places:
                if come:
                    item = next(new)
                    ever.add(item)
                    items.insert(place % (len(items) + 1), item)
                elif items:
                    # Some go, some only change places.
                    item = items.pop(place % len(items))
                    if place % 3 == 0:
                        items.append(item)

        return mutation

    wrong = cycle([7, 3, 9, 0, 8])
    stated: dict[str, Callable[[int], Any]] = {
        "right": lambda length: length,
        "missing": lambda _: UNSET,
        "wrong": lambda _: next(wrong),
        "fractional": lambda length: length + 0.5,
    }
    service = Service(
        list(range(count)),
        limit,
        mutations=iter([change(*step) for step in steps]),
        total=stated[total],
        ignores_offset=ignores_offset,
    )
    read = SYNC.items(SYNC.make(service))
    assert len(set(read)) == len(read)
    assert set(read) <= ever


# Through the client.


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


def conversation(number: int) -> dict[str, Any]:
    """Return a conversation as it travels."""
    return {
        "object": "conversation",
        "id": str(uuid.UUID(int=number)),
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "status": "open",
        "closedAt": None,
        "closeReason": None,
        "lastInteractionAt": "2026-01-01T00:00:00Z",
        "title": None,
    }


@dataclass
class Listing:
    """Answers requests for conversations, and keeps what it was asked."""

    total: Any = 5
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; the page's size is two, unless it asks for another."""
        self.asked.append(request.url.query.decode())
        offset = int(request.url.params["offset"])
        limit = int(request.url.params.get("limit", 2))
        data = [conversation(number) for number in range(5)[offset : offset + limit]]
        return httpx.Response(
            200, json={"total": self.total, "limit": limit, "offset": offset, "data": data}
        )


def list_all(listing: Listing, reader: Reader, **query: Any) -> tuple[list[int], Any]:
    """Return the numbers of all conversations, and the total."""
    transport = httpx.MockTransport(listing)
    if not reader.awaited:
        with SiteAssist(token="x", base_url=BASE_URL, transport=transport) as client:
            pages = client.get_conversations(**query)
            return [item.id.int for item in pages], pages.total

    async def main() -> tuple[list[int], Any]:
        async with AsyncSiteAssist(token="x", base_url=BASE_URL, transport=transport) as client:
            pages = client.get_conversations(**query)
            return [item.id.int async for item in pages], await pages.total

    return asyncio.run(main())


def test_a_client_lists_everything(reader: Reader) -> None:
    """The rest of the query goes with every page; what was left out does not."""
    listing = Listing(total=5.0)
    assert ([0, 1, 2, 3, 4], 5) == list_all(listing, reader, status="open")
    assert [f"offset={n}&status=open" for n in (0, 2, 4)] == listing.asked
    listing = Listing()
    assert ([1, 2, 3, 4], 5) == list_all(listing, reader, limit=3, offset=1)
    assert ["limit=3&offset=1", "limit=3&offset=4"] == listing.asked


@pytest.mark.parametrize("total", ["many", [], {}, "1e3"])
def test_a_total_that_is_no_number_is_an_error_of_the_client(reader: Reader, total: Any) -> None:
    """What breaks the description is reported as such, not as somebody's `ValueError`."""
    listing = Listing(total=total)
    with pytest.raises(SiteAssistError):
        list_all(listing, reader)
