"""The calls that listening needs, over the connections of a client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from siteassist_runtime.errors import SiteAssistError
from siteassist_runtime.http_library import StepLimits
from siteassist_runtime.live.listening import PAGE_SIZE, Connect, Fetch
from siteassist_runtime.settings import ClientSettings

if TYPE_CHECKING:
    import httpx

    from siteassist_runtime.async_driver import AsyncCaller
    from siteassist_runtime.live.socket_format import MissedMessages, Place, SocketFormat
    from siteassist_runtime.sync_driver import Caller


class _BaseCalls:
    """The arguments of the calls."""

    def __init__(
        self,
        form: SocketFormat,
        place: Place,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the conversation and the additions to every call."""
        self.form = form
        self._place = place
        self._extra: dict[str, Any] = {"extra_headers": extra_headers, "extra_query": extra_query}

    def _page(self, step: Fetch, settings: ClientSettings) -> dict[str, Any]:
        missed: MissedMessages = self.form.missed
        selection = missed.parameters if step.selected else {}
        place = {missed.page.offset: step.offset, missed.page.limit: PAGE_SIZE}
        return {
            "operation": missed.operation,
            "path": self._place.list_path,
            "reader": missed.reader,
            "query": {**selection, **place},
            "timeout": _shorter(settings.timeout, step.seconds),
            **self._extra,
        }

    def _handshake(self, step: Connect, settings: ClientSettings) -> dict[str, Any]:
        headers = {**(self._extra["extra_headers"] or {}), **step.headers}
        return {
            "operation": self.form.operation,
            "path": self._place.socket_path,
            "query": self._place.key,
            "accept": "*/*",
            "timeout": _shorter(settings.timeout, step.seconds),
            # Listening has its own rules for the next attempt.
            "max_retries": 0,
            "upgrade": True,
            "extra_headers": headers,
            "extra_query": self._extra["extra_query"],
        }

    def _items(self, page: Any) -> list[Any]:
        return list(getattr(page, self.form.missed.page.items))


class SocketCalls(_BaseCalls):
    """Blocking calls, which return their error."""

    def __init__(self, caller: Caller, *arguments: Any, **rest: Any) -> None:
        """Store the caller; the other arguments are those of the base class."""
        super().__init__(*arguments, **rest)
        self.caller = caller

    def fetch(self, step: Fetch) -> list[Any] | SiteAssistError:
        """Return a page of messages."""
        try:
            return self._items(self.caller.call(**self._page(step, self.caller.settings)))
        except SiteAssistError as error:
            return error

    def connect(self, step: Connect) -> httpx.Response | SiteAssistError:
        """Return the response to the handshake."""
        try:
            return self.caller.upgrade(**self._handshake(step, self.caller.settings))
        except SiteAssistError as error:
            return error


class AsyncSocketCalls(_BaseCalls):
    """Awaited calls, which return their error."""

    def __init__(self, caller: AsyncCaller, *arguments: Any, **rest: Any) -> None:
        """Store the caller; the other arguments are those of the base class."""
        super().__init__(*arguments, **rest)
        self.caller = caller

    async def fetch(self, step: Fetch) -> list[Any] | SiteAssistError:
        """Return a page of messages."""
        try:
            return self._items(await self.caller.call(**self._page(step, self.caller.settings)))
        except SiteAssistError as error:
            return error

    async def connect(self, step: Connect) -> httpx.Response | SiteAssistError:
        """Return the response to the handshake."""
        try:
            return await self.caller.upgrade(**self._handshake(step, self.caller.settings))
        except SiteAssistError as error:
            return error


def _shorter(limit: float | StepLimits | None, left: float | None) -> float | StepLimits | None:
    """Return the limit of a call of which ``left`` seconds remain."""
    if left is None:
        return limit
    return min(limit, left) if isinstance(limit, (int, float)) else left
