"""Paginated lists: read lazily and completely, without duplicates, and always to an end."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siteassist import AsyncSiteAssist, NotFoundError, SiteAssist, SiteAssistError
from siteassist_runtime.pages import AsyncPages, PageNames, Pages, total_of
from siteassist_runtime.unset import UNSET
from tests.runtime.helpers import BASE_URL

MOST = 3000  # requests after which reading a short list counts as endless
NAMES = PageNames(items="data", offset="offset", limit="limit", total="total")
Mutation = Callable[[list[int]], None]


@dataclass
class Service:
    """A service with a list, which can change between two requests."""

    items: list[int]
    limit: int | None = 3
    mutations: Iterator[Mutation] = field(default_factory=lambda: iter(()))
    total: Callable[[int], Any] = lambda total: total
    cap: int | None = None
    ignores_offset: bool = False
    asked: list[int] = field(default_factory=list)
    fails_at: int | None = None

    def fetch(self, offset: int) -> Any:
        """Return the page at an offset."""
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
        """The query of the caller."""
        return {"limit": UNSET if self.limit is None else self.limit}


@dataclass
class Reader:
    """Reads a list with `Pages` or with `AsyncPages`."""

    awaited: bool

    def make(self, service: Service, **query: Any) -> Any:
        """Return a list of the service's items."""
        wanted = service.query | query
        if not self.awaited:
            return Pages("getThings", service.fetch, wanted, NAMES)

        async def fetch(offset: int) -> Any:
            await asyncio.sleep(0)
            return service.fetch(offset)

        return AsyncPages("getThings", fetch, wanted, NAMES)

    def items(self, pages: Any, most: int | None = None) -> list[Any]:
        """Return the ids of all items, or of the first ``most``."""
        return [item.id for item in self._read(pages, most)]

    def pages(self, pages: Any, most: int | None = None) -> list[list[Any]]:
        """Return the ids on all pages, or on the first ``most``."""
        return [[item.id for item in page.data] for page in self._read(pages.pages(), most)]

    def total(self, pages: Any) -> Any:
        """Return the total."""
        return self._get(lambda: pages.total)

    def page(self, pages: Any, *offset: int | None) -> list[Any]:
        """Return the ids on one page."""
        return [item.id for item in self._get(lambda: pages.page(*offset)).data]

    def _get(self, make: Callable[[], Any]) -> Any:
        async def get() -> Any:
            return await make()

        return asyncio.run(get()) if self.awaited else make()

    def _read(self, iterable: Any, most: int | None) -> list[Any]:
        if not self.awaited:
            return list(islice(iterable, most))

        async def read() -> list[Any]:
            items: list[Any] = []
            async for item in iterable:
                items.append(item)
                if len(items) == most:
                    break
            return items

        return asyncio.run(read())


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def reader(request: pytest.FixtureRequest) -> Reader:
    """Return a reader of either kind."""
    return Reader(awaited=request.param)


SYNC = Reader(awaited=False)

# A list that does not change


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 11, None])
@pytest.mark.parametrize("count", [0, 1, 9, 10])
def test_items_are_read_once_and_in_order(reader: Reader, count: int, limit: int | None) -> None:
    """All items are read once, in order, for every page size and without a superfluous request."""
    service = Service(list(range(count)), limit)
    assert list(range(count)) == reader.items(reader.make(service))
    size = limit or count or 1
    assert list(range(0, count, size)) or [0] == service.asked


def test_list_is_lazy(reader: Reader) -> None:
    """Creating or showing a list sends nothing; reading requests one page at a time."""
    service = Service(list(range(10)))
    pages = reader.make(service)
    repr(pages)
    assert [] == service.asked
    assert [0, 1, 2] == reader.items(pages, most=3)
    assert [0] == service.asked
    assert [0, 1, 2, 3] == reader.items(pages, most=4)
    assert [0, 0, 3] == service.asked


def test_second_iteration_starts_again(reader: Reader) -> None:
    """A second iteration requests the list again and sees its changes."""
    service = Service(list(range(4)))
    pages = reader.make(service)
    assert [0, 1, 2, 3] == reader.items(pages)
    service.items.insert(0, 9)
    assert [9, 0, 1, 2, 3] == reader.items(pages)
    assert [0, 3, 0, 3] == service.asked


def test_list_begins_at_the_offset(reader: Reader) -> None:
    """Every way of reading begins at `offset`."""
    service = Service(list(range(10)))
    pages = reader.make(service, offset=4)
    assert [4, 5, 6, 7, 8, 9] == reader.items(pages)
    assert [[4, 5, 6], [7, 8, 9]] == reader.pages(pages)
    assert [4, 5, 6] == reader.page(pages)
    assert [4, 7, 4, 7, 4] == service.asked


@pytest.mark.parametrize("offset", [UNSET, None, 0, 0.0])
def test_missing_offset_means_zero(reader: Reader, offset: object) -> None:
    """An unset or null offset means zero."""
    service = Service([1, 2])
    assert [1, 2] == reader.items(reader.make(service, offset=offset))
    assert [0] == service.asked


def test_offset_past_the_end_gives_nothing(reader: Reader) -> None:
    """An offset past the end gives no items after one request."""
    service = Service([1, 2])
    assert [] == reader.items(reader.make(service, offset=5))
    assert [5] == service.asked


def test_one_page(reader: Reader) -> None:
    """`page` returns the first page or the page at an offset, zero included."""
    service = Service(list(range(10)))
    pages = reader.make(service, offset=2)
    assert [2, 3, 4] == reader.page(pages)
    assert [7, 8, 9] == reader.page(pages, 7)
    assert [0, 1, 2] == reader.page(pages, 0)
    assert [2, 3, 4] == reader.page(pages, None)
    assert [2, 7, 0, 2] == service.asked


def test_pages_are_returned_as_received(reader: Reader) -> None:
    """`pages` returns the pages as received and requests only those read."""
    service = Service(list(range(7)))
    pages = reader.make(service)
    assert [[0, 1, 2], [3, 4, 5], [6]] == reader.pages(pages)
    assert [[0, 1, 2]] == reader.pages(pages, most=1)
    assert [0, 3, 6, 0] == service.asked


def test_empty_list_has_one_empty_page(reader: Reader) -> None:
    """An empty list has one empty page."""
    assert [[]] == reader.pages(reader.make(Service([])))


def test_total_is_requested_once(reader: Reader) -> None:
    """The total comes from the page last read; it requests the first page if none was read."""
    service = Service(list(range(10)))
    pages = reader.make(service)
    assert 10 == reader.total(pages)
    assert 10 == reader.total(pages)
    assert [0] == service.asked
    service.items.append(10)
    reader.page(pages, 3)
    assert 11 == reader.total(pages)
    assert [0, 3] == service.asked


def test_repr(reader: Reader) -> None:
    """The repr shows the operation, the offset and, once known, the total."""
    name = "AsyncPages" if reader.awaited else "Pages"
    pages = reader.make(Service(list(range(10))), offset=4)
    assert f"<{name} getThings from 4>" == repr(pages)
    reader.total(pages)
    assert f"<{name} getThings from 4, total 10>" == repr(pages)


def test_error_on_a_later_page_is_raised(reader: Reader) -> None:
    """An error on a later page is raised, and the list can be read again afterwards."""
    service = Service(list(range(10)), fails_at=2)
    pages = reader.make(service)
    with pytest.raises(NotFoundError):
        reader.items(pages)
    assert [0, 3, 6] == service.asked
    assert list(range(10)) == reader.items(pages)


def test_items_before_an_error_are_returned() -> None:
    """Items of a page are returned before the next page is requested."""
    pages: Pages[Any, Any] = Pages(
        "getThings", Service(list(range(10)), fails_at=1).fetch, {}, NAMES
    )
    items = iter(pages)
    assert [0, 1, 2] == [next(items).id for _ in range(3)]
    with pytest.raises(NotFoundError):
        next(items)


# Services that deviate from the description


def test_capped_page_size(reader: Reader) -> None:
    """A service that caps the page size gets more requests."""
    service = Service(list(range(7)), limit=100, cap=3)
    assert list(range(7)) == reader.items(reader.make(service))
    assert [0, 3, 6] == service.asked


def test_ignored_offset(reader: Reader) -> None:
    """A page without new items is the last one."""
    service = Service(list(range(10)), ignores_offset=True)
    assert [0, 1, 2] == reader.items(reader.make(service))
    assert [0, 3] == service.asked


def test_ignored_limit(reader: Reader) -> None:
    """A service that returns everything at once gets one request."""
    service = Service(list(range(10)), limit=None)
    assert list(range(10)) == reader.items(reader.make(service, limit=3))
    assert [0] == service.asked


@pytest.mark.parametrize("missing", [None, UNSET])
@pytest.mark.parametrize(
    ("limit", "count", "asked"),
    [
        # One request if no limit was given, else until a page is not full.
        (None, 10, [0]),
        (3, 7, [0, 3, 6]),
        (3, 6, [0, 3, 6]),
        (3, 0, [0]),
        (3.0, 4, [0, 3]),
        (10, 3, [0]),
    ],
)
def test_list_without_a_total(
    reader: Reader, missing: object, limit: Any, count: int, asked: list[int]
) -> None:
    """Without a total, as for messages, the list ends with a page that is not full."""
    whole = None if limit is None else int(limit)
    service = Service(list(range(count)), whole, total=lambda _: missing)
    pages = reader.make(service, limit=UNSET if limit is None else limit)
    assert list(range(count)) == reader.items(pages)
    assert asked == service.asked
    assert reader.total(pages) is None


def test_ignored_offset_without_a_total(reader: Reader) -> None:
    """Without a total, reading ends even if the offset is ignored."""
    service = Service(list(range(10)), total=lambda _: None, ignores_offset=True)
    assert [0, 1, 2] == reader.items(reader.make(service))


def test_page_type_without_a_total() -> None:
    """A page whose type has no total has none."""
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
def test_reading_stops_at_the_stated_total(reader: Reader, stated: float, given: int) -> None:
    """Reading stops at the stated total, right or wrong, or at an empty page."""
    service = Service(list(range(10)), total=lambda _: stated)
    assert list(range(given)) == reader.items(reader.make(service))
    total = reader.total(reader.make(service))
    assert (int(stated), int) == (total, type(total))


@pytest.mark.parametrize("ids", [[None, None], [UNSET, UNSET], ["a", "b"]])
def test_items_without_an_id_are_all_returned(reader: Reader, ids: list[Any]) -> None:
    """Items without an id cannot be recognised as duplicates, so all are returned."""
    page = SimpleNamespace(data=[SimpleNamespace(id=id_) for id_ in ids], total=len(ids))
    fetch: Any = lambda _: page  # noqa: E731  # shorter than a function
    if reader.awaited:

        async def fetch_async(_: int) -> Any:
            return page

        fetch = fetch_async
    pages: Any = (AsyncPages if reader.awaited else Pages)("getThings", fetch, {}, NAMES)
    assert ids == reader.items(pages)


# Lists that change while they are read


def mutate(*mutations: Mutation | None) -> Iterator[Mutation]:
    """Return the changes before the second request, the third request, and so on."""
    return iter([mutation or (lambda _: None) for mutation in mutations])


def insert(*new: int, at: int = 0) -> Mutation:
    """Return a change that inserts items."""

    def change(items: list[int]) -> None:
        items[at:at] = new

    return change


def delete(*gone: int) -> Mutation:
    """Return a change that removes items."""

    def change(items: list[int]) -> None:
        items[:] = [item for item in items if item not in gone]

    return change


def test_items_that_move_down_are_returned_once(reader: Reader) -> None:
    """Items pushed to the next page by new items are returned once."""
    service = Service(list(range(7)), mutations=mutate(insert(10, 11), insert(12)))
    assert list(range(7)) == reader.items(reader.make(service))


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_page_of_known_items_is_not_the_end(reader: Reader, limit: int) -> None:
    """A page full of known items, pushed down by new ones, does not end the reading."""
    service = Service(list(range(8)), limit, mutations=mutate(insert(10, 11, 12)))
    read = reader.items(reader.make(service))
    # Some of the new items may be read as well, each once.
    assert list(range(8)) == [item for item in read if item < 10]
    assert len(set(read)) == len(read)


def test_items_that_move_up_are_not_missed(reader: Reader) -> None:
    """When items are removed, reading goes back, so that no remaining item is missed."""
    service = Service(list(range(9)), mutations=mutate(delete(0, 1), delete(3, 4)))
    read = reader.items(reader.make(service))
    assert {2, 5, 6, 7, 8} <= set(read)
    assert sorted(set(read)) == sorted(read)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_many_removals_do_not_end_the_reading(reader: Reader, limit: int) -> None:
    """Many removals at the end do not hide the remaining items."""
    mutations = mutate(*([None] * (9 // limit)), delete(*range(25, 40)))
    service = Service(list(range(40)), limit, mutations=mutations)
    assert set(range(25)) <= set(reader.items(reader.make(service)))


def test_list_that_is_emptied_ends(reader: Reader) -> None:
    """Reading ends if the list becomes empty."""
    service = Service(list(range(9)), mutations=mutate(delete(*range(9))))
    assert [0, 1, 2] == reader.items(reader.make(service))


def test_appended_items_are_returned(reader: Reader) -> None:
    """Items appended before the end is reached are returned."""
    service = Service(list(range(5)), mutations=mutate(insert(5, 6, at=5)))
    assert list(range(7)) == reader.items(reader.make(service))


def test_total_missing_on_one_page(reader: Reader) -> None:
    """A missing total on one page does not end the reading."""
    totals = iter([7, None, 7])
    service = Service(list(range(7)), total=lambda _: next(totals))
    assert list(range(7)) == reader.items(reader.make(service))


@pytest.mark.parametrize(
    ("limit", "totals"),
    [
        # For example, two replicas of the service that do not agree.
        *((limit, totals) for limit in (1, 2, 3) for totals in ((10, 9), (10, 1), (9, 10, 10))),
        (1, (10, 9, 8, 7, 6, 5)),
        (3, (10, 0)),
        (1, (10, None, 9)),
    ],
)
@pytest.mark.parametrize("ignores_offset", [False, True])
def test_reading_ends_with_inconsistent_totals(
    reader: Reader, limit: int, totals: Sequence[int | None], *, ignores_offset: bool
) -> None:
    """Reading ends, without duplicates, even if the service reports inconsistent totals."""
    stated = cycle(totals)
    service = Service(
        list(range(10)), limit, total=lambda _: next(stated), ignores_offset=ignores_offset
    )
    read = reader.items(reader.make(service))
    assert list(range(limit)) == read[:limit]
    assert len(set(read)) == len(read)


def test_reading_ends_with_a_growing_total(reader: Reader) -> None:
    """Reading ends if the total keeps growing without new items."""
    totals = iter(range(10, 10 + 2 * MOST))
    service = Service(list(range(3)), total=lambda _: next(totals), ignores_offset=True)
    assert [0, 1, 2] == reader.items(reader.make(service))


NUMBERS = st.integers(0, 25)
PLACES = st.lists(st.integers(0, 30), max_size=6)


@given(count=NUMBERS, limit=st.integers(1, 5), steps=st.lists(PLACES, max_size=8))
@settings(derandomize=True, max_examples=400)
def test_no_remaining_item_is_missed_after_removals(
    count: int, limit: int, steps: list[list[int]]
) -> None:
    """If items are only removed, every remaining item is returned."""
    service = Service(list(range(count)), limit, mutations=mutate(*(delete(*s) for s in steps)))
    read = SYNC.items(SYNC.make(service))
    assert len(set(read)) == len(read)
    assert set(service.items) <= set(read) <= set(range(count))


@given(count=NUMBERS, limit=st.integers(1, 5), steps=st.lists(st.integers(0, 6), max_size=8))
@settings(derandomize=True, max_examples=400)
def test_no_original_item_is_missed_after_insertions(
    count: int, limit: int, steps: list[int]
) -> None:
    """If items are only inserted at the front, the original ones are returned once, in order."""
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
@settings(derandomize=True, max_examples=400)
def test_reading_always_ends_and_repeats_nothing(
    count: int,
    limit: int,
    steps: list[tuple[bool, list[int]]],
    total: str,
    *,
    ignores_offset: bool,
) -> None:
    """Reading ends without duplicates for any changes and totals."""
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
                    # Some items are removed, some only move to the end.
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


# Through the client


def conversation(number: int) -> dict[str, Any]:
    """Return a conversation as JSON."""
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
    """A service that lists five conversations and records the queries."""

    total: Any = 5
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Return a page of two items, or of the requested limit."""
        self.asked.append(request.url.query.decode())
        offset = int(request.url.params["offset"])
        limit = int(request.url.params.get("limit", 2))
        data = [conversation(number) for number in range(5)[offset : offset + limit]]
        body = {"total": self.total, "limit": limit, "offset": offset, "data": data}
        # httpx refuses to write infinity.
        return httpx.Response(200, content=json.dumps(body))


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


def test_client_lists_everything(reader: Reader) -> None:
    """Every page is requested with the rest of the query; unset parameters are omitted."""
    listing = Listing(total=5.0)
    assert ([0, 1, 2, 3, 4], 5) == list_all(listing, reader, status="open")
    assert [f"offset={n}&status=open" for n in (0, 2, 4)] == listing.asked
    listing = Listing()
    assert ([1, 2, 3, 4], 5) == list_all(listing, reader, limit=3, offset=1)
    assert ["limit=3&offset=1", "limit=3&offset=4"] == listing.asked


@pytest.mark.parametrize("total", ["many", [], {}, "1e3", float("inf")])
def test_invalid_total_is_an_error(reader: Reader, total: Any) -> None:
    """An invalid total raises SiteAssistError, not ValueError."""
    listing = Listing(total=total)
    with pytest.raises(SiteAssistError):
        list_all(listing, reader)


@pytest.mark.parametrize(
    ("use", "sync", "asynchronous"),
    [
        (lambda pages: pages[0], "list(…)", "[item async for item in …]"),
        (lambda pages: pages[-1], "page()", "await ….page()"),
        (lambda pages: pages[:2], "list(…)", "[item async for item in …]"),
        (len, "total", "await ….total"),
    ],
    ids=["index", "negative", "slice", "len"],
)
def test_list_is_no_sequence(
    reader: Reader, use: Callable[[Any], object], sync: str, asynchronous: str
) -> None:
    """Using a list as a sequence says what to do instead, and fetches nothing."""
    service = Service(list(range(10)))
    pages = reader.make(service)
    with pytest.raises(TypeError, match=r"^getThings returns a list that fetches") as caught:
        use(pages)
    way = sync if isinstance(pages, Pages) else asynchronous
    assert f"use {way} for" in str(caught.value) or f"or {way} for" in str(caught.value)
    assert [] == service.asked
    assert pages
    assert list(range(10)) == reader.items(pages)


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize(
    "value", ["5", b"5", True, [5], float("nan"), object()], ids=lambda value: str(type(value))
)
def test_size_and_offset_must_be_numbers(reader: Reader, name: str, value: object) -> None:
    """Anything else is refused before anything is fetched."""
    service = Service(list(range(10)))
    with pytest.raises(SiteAssistError, match=f"^getThings: {name} must be a number, got "):
        reader.make(service, **{name: value})
    assert [] == service.asked
