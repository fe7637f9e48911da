"""Lists that come in pages, read as one."""

from __future__ import annotations

import math
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Hashable,
    Iterator,
    Mapping,
)
from typing import Any, Generic, NamedTuple, TypeVar

from siteassist_runtime.errors import SiteAssistError
from siteassist_runtime.unset import UNSET

ItemT = TypeVar("ItemT")
PageT = TypeVar("PageT")


class PageNames(NamedTuple):
    """The names that a list uses: ``x-page`` of the description."""

    items: str
    """The attribute of a page that holds the items."""
    offset: str
    """The query parameter that skips items."""
    limit: str
    """The query parameter that bounds a page."""
    total: str | None
    """The attribute of a page that counts the items of all pages; None if there is none."""


class _PageCursor:
    """Where to read on, and what was seen already.

    The list may change while it is read. An item that moved to a later page is
    not given twice; when the total shrinks, reading goes back as far, so that
    items which moved up are not missed; and a page that brings nothing new
    where something new was to be expected is the last one, so that a service
    which ignores the offset is not asked for ever.
    """

    def __init__(self, names: PageNames, offset: int, limit: float | None) -> None:
        self._names = names
        self.offset = offset
        self._limit = limit
        self._total: int | None = None
        self._seen: set[Hashable] = set()
        # Up to here all may have been seen, so a page of nothing new tells nothing.
        self._reach = 0
        self._fresh = False
        self._least = math.inf
        self.ended = False

    def take(self, page: Any) -> list[Any]:
        """Return the items of ``page`` that are new, and decide where to read on."""
        before, self._total = self._total, total_of(page, self._names)
        total = self._total
        items = list(getattr(page, self._names.items))
        new = [item for item in items if self._is_new(item)]
        self._fresh = self._fresh or bool(new)
        grown = 0 if before is None or total is None else total - before
        # Going back pays if something came since the last time, or if the list was
        # never as short; both can happen only so often.
        back = grown < 0 and (self._fresh or total < self._least)  # type: ignore[operator]  # a number then
        if total is not None:
            self._least = min(self._least, total)
        start = self.offset
        if grown > 0:
            # New items at the front push the others on.
            self._reach += grown
        expected = start < self._reach
        self._reach = max(self._reach, start + len(items))
        if back:
            # Items that were to come may have moved up.
            self._fresh = False
            self.offset = max(0, start + grown)
        else:
            self.offset = start + len(items)
        if not back and not (items and (new or expected)):
            self.ended = True
        elif total is not None:
            self.ended = self.offset >= total
        else:
            # Without a total, the page that is not full is the last one.
            self.ended = self._limit is None or len(items) < self._limit
        return new

    def _is_new(self, item: Any) -> bool:
        key = getattr(item, "id", None)
        if key is None or key is UNSET:
            return True
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def total_of(page: Any, names: PageNames) -> int | None:
    """Return the total that a page states; None if it states none."""
    total = None if names.total is None else getattr(page, names.total, None)
    if total is None or total is UNSET:
        return None
    try:
        return int(total)
    except (ValueError, TypeError, OverflowError):
        msg = f"the total of the list is no number: {total!r}"
        raise SiteAssistError(msg) from None


class _BasePages(Generic[ItemT, PageT]):
    def __init__(self, query: Mapping[str, Any], names: PageNames) -> None:
        self._names = names
        given = query.get(names.offset, UNSET)
        self._offset = 0 if given is UNSET or given is None else int(given)
        limit = query.get(names.limit, UNSET)
        self._limit: float | None = None if limit is UNSET else limit
        self._last: PageT | None = None

    def _cursor(self) -> _PageCursor:
        return _PageCursor(self._names, self._offset, self._limit)

    def __repr__(self) -> str:
        """Tell where the list begins and how long it is, as far as that is known."""
        total = None if self._last is None else total_of(self._last, self._names)
        return f"<{type(self).__name__} from {self._offset}, total {total}>"


class Pages(_BasePages[ItemT, PageT]):
    """A list in pages. Nothing is asked for before it is needed.

    Iterate over it for every item of every page. The method's arguments give
    the size of a page and the offset to begin at.
    """

    def __init__(
        self, fetch: Callable[[int], PageT], query: Mapping[str, Any], names: PageNames
    ) -> None:
        """Take the function that fetches the page at an offset."""
        super().__init__(query, names)
        self._fetch = fetch

    def page(self, offset: int | None = None) -> PageT:
        """Fetch one page: the first, or the one at ``offset``."""
        self._last = self._fetch(self._offset if offset is None else offset)
        return self._last

    @property
    def total(self) -> int | None:
        """How many items there are on all pages, as the page last read says.

        Fetches the first page if none was read; None if the service does not
        say.
        """
        page = self._last if self._last is not None else self.page()
        return total_of(page, self._names)

    def pages(self) -> Iterator[PageT]:
        """Fetch one page after the other, as they are; items may come twice."""
        cursor = self._cursor()
        while not cursor.ended:
            page = self.page(cursor.offset)
            cursor.take(page)
            yield page

    def __iter__(self) -> Iterator[ItemT]:
        """Yield every item once, fetching pages as needed."""
        cursor = self._cursor()
        while not cursor.ended:
            yield from cursor.take(self.page(cursor.offset))


class AsyncPages(_BasePages[ItemT, PageT]):
    """A list in pages. Nothing is asked for before it is needed.

    Iterate over it with ``async for`` for every item of every page. The
    method's arguments give the size of a page and the offset to begin at.
    """

    def __init__(
        self, fetch: Callable[[int], Awaitable[PageT]], query: Mapping[str, Any], names: PageNames
    ) -> None:
        """Take the function that fetches the page at an offset."""
        super().__init__(query, names)
        self._fetch = fetch

    async def page(self, offset: int | None = None) -> PageT:
        """Fetch one page: the first, or the one at ``offset``."""
        self._last = await self._fetch(self._offset if offset is None else offset)
        return self._last

    @property
    def total(self) -> Awaitable[int | None]:
        """How many items there are on all pages, as the page last read says; await it.

        Fetches the first page if none was read; None if the service does not
        say.
        """
        return _LazyAwaitable(self._count)

    async def _count(self) -> int | None:
        page = self._last if self._last is not None else await self.page()
        return total_of(page, self._names)

    async def pages(self) -> AsyncIterator[PageT]:
        """Fetch one page after the other, as they are; items may come twice."""
        cursor = self._cursor()
        while not cursor.ended:
            page = await self.page(cursor.offset)
            cursor.take(page)
            yield page

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        """Yield every item once, fetching pages as needed."""
        cursor = self._cursor()
        while not cursor.ended:
            for item in cursor.take(await self.page(cursor.offset)):
                yield item


class _LazyAwaitable:
    """Something to await that costs nothing if nobody does."""

    def __init__(self, start: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
        self._start = start

    def __await__(self) -> Generator[Any, Any, int | None]:
        return self._start().__await__()
