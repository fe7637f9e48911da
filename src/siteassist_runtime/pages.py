"""Paginated lists."""

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
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Never, TypeVar

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
    """The query parameter for the size of a page."""
    total: str | None
    """The attribute of a page with the number of items on all pages, or None."""


class _PageCursor:
    """The position in a list, and the items seen so far.

    The list may change while it is read. An item that moves to a later page is
    not returned twice. When the total shrinks, the offset goes back by the same
    number, so that items that moved up are not missed. An unexpected page
    without new items is the last one, so that reading ends even if the service
    ignores the offset.
    """

    def __init__(self, names: PageNames, offset: int, limit: float | None) -> None:
        self._names = names
        self.offset = offset
        self._limit = limit
        self._total: int | None = None
        self._seen: set[Hashable] = set()
        # Below this offset, a page without new items is to be expected.
        self._reach = 0
        self._fresh = False
        self._least = math.inf
        self.ended = False

    def take(self, page: Any) -> list[Any]:
        """Return the new items of ``page`` and set the next offset."""
        before, self._total = self._total, total_of(page, self._names)
        total = self._total
        items = list(getattr(page, self._names.items))
        new = [item for item in items if self._is_new(item)]
        self._fresh = self._fresh or bool(new)
        grown = 0 if before is None or total is None else total - before
        # Go back only if an item was new since the last time, or if the total is the
        # lowest so far: both can happen only a limited number of times.
        back = grown < 0 and (self._fresh or total < self._least)  # type: ignore[operator]  # grown is 0 without a total
        if total is not None:
            self._least = min(self._least, total)
        start = self.offset
        if grown > 0:
            # New items at the front move the others to higher offsets.
            self._reach += grown
        expected = start < self._reach
        self._reach = max(self._reach, start + len(items))
        if back:
            # Unread items may have moved to lower offsets.
            self._fresh = False
            self.offset = max(0, start + grown)
        else:
            self.offset = start + len(items)
        if not back and not (items and (new or expected)):
            self.ended = True
        elif total is not None:
            self.ended = self.offset >= total
        else:
            # Without a total, a page that is not full is the last one.
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
    """Return the total of a page, or None."""
    total = None if names.total is None else getattr(page, names.total, None)
    if total is None or total is UNSET:
        return None
    try:
        return int(total)
    except (ValueError, TypeError, OverflowError):
        raise SiteAssistError(f"the total of the list must be a number, got {total!r}") from None


def _number(operation: str, name: str, query: Mapping[str, Any]) -> float | None:
    """Return the size of a page or the offset, None if not given."""
    value = query.get(name, UNSET)
    if value is UNSET or value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        kind = repr(value) if isinstance(value, (str, bytes, float, int)) else type(value).__name__
        raise SiteAssistError(f"{name} must be a number, got {kind}", operation=operation)
    return value


class _BasePages(Generic[ItemT, PageT]):
    def __init__(self, operation: str, query: Mapping[str, Any], names: PageNames) -> None:
        self._operation = operation
        self._names = names
        self._offset = int(_number(operation, names.offset, query) or 0)
        self._limit = _number(operation, names.limit, query)
        self._last: PageT | None = None

    def _items(self, page: Any) -> list[Any]:
        return list(getattr(page, self._names.items))

    def _cursor(self) -> _PageCursor:
        return _PageCursor(self._names, self._offset, self._limit)

    def __repr__(self) -> str:
        """Show the operation, the first offset and the total, if they are known."""
        total = None if self._last is None else total_of(self._last, self._names)
        start = f" from {self._offset}" if self._offset else ""
        known = "" if total is None else f", total {total}"
        return f"<{type(self).__name__} {self._operation}{start}{known}>"

    if not TYPE_CHECKING:
        # Type checkers report these uses themselves.

        def __getitem__(self, key: object) -> Never:
            """Raise: an item of a list would be fetched each time."""
            raise TypeError(
                f"{self._operation} returns a list that fetches its pages when they are needed: "
                f"use {self._collect} for all items, or {self._first} for a page"
            )

        def __len__(self) -> Never:
            """Raise: the length may be unknown."""
            raise TypeError(
                f"{self._operation} returns a list that fetches its pages when they are needed: "
                f"use {self._count_items} for the number of items"
            )

        def __bool__(self) -> bool:
            """Return True, as for every object; no page is fetched."""
            return True


class Pages(_BasePages[ItemT, PageT]):
    """A paginated list, which fetches its pages when they are needed.

    Iterate over it to get the items of all pages. The arguments of the method
    give the size of a page and the first offset.
    """

    _collect = "list(…)"
    _first = "page()"
    _count_items = "total"

    def __init__(
        self,
        operation: str,
        fetch: Callable[[int], PageT],
        query: Mapping[str, Any],
        names: PageNames,
    ) -> None:
        """Store the function that fetches the page at an offset."""
        super().__init__(operation, query, names)
        self._fetch = fetch

    def page(self, offset: int | None = None) -> PageT:
        """Fetch one page: the first, or the one at ``offset``."""
        self._last = self._fetch(self._offset if offset is None else offset)
        return self._last

    @property
    def total(self) -> int | None:
        """Total number of items, as reported by the last page fetched, or None.

        Fetches the first page if no page has been fetched yet.
        """
        page = self._last if self._last is not None else self.page()
        return total_of(page, self._names)

    def pages(self) -> Iterator[PageT]:
        """Yield the pages as the service returns them; items may be repeated."""
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
    """A paginated list, which fetches its pages when they are needed.

    Iterate over it with ``async for`` to get the items of all pages. The
    arguments of the method give the size of a page and the first offset.
    """

    _collect = "[item async for item in …]"
    _first = "await ….page()"
    _count_items = "await ….total"

    def __init__(
        self,
        operation: str,
        fetch: Callable[[int], Awaitable[PageT]],
        query: Mapping[str, Any],
        names: PageNames,
    ) -> None:
        """Store the function that fetches the page at an offset."""
        super().__init__(operation, query, names)
        self._fetch = fetch

    async def page(self, offset: int | None = None) -> PageT:
        """Fetch one page: the first, or the one at ``offset``."""
        self._last = await self._fetch(self._offset if offset is None else offset)
        return self._last

    @property
    def total(self) -> Awaitable[int | None]:
        """Total number of items, as reported by the last page fetched, or None; to be awaited.

        Fetches the first page if no page has been fetched yet.
        """
        return _LazyAwaitable(self._count)

    async def _count(self) -> int | None:
        page = self._last if self._last is not None else await self.page()
        return total_of(page, self._names)

    async def pages(self) -> AsyncIterator[PageT]:
        """Yield the pages as the service returns them; items may be repeated."""
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
    """An awaitable that creates its coroutine only when it is awaited."""

    def __init__(self, start: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
        self._start = start

    def __await__(self) -> Generator[Any, Any, int | None]:
        return self._start().__await__()
