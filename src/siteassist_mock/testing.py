"""A server for tests, on a free port and in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, Unpack
from uuid import UUID

from starlette.applications import Starlette

from siteassist_mock.app import create_app
from siteassist_mock.handlers import views
from siteassist_mock.http.server import base_url, listen, make_server
from siteassist_mock.settings import MockSettings
from siteassist_mock.storage.events import ConversationEvent

# Long enough for a response that is being sent.
_GRACE_SECONDS = 0.2


class Settings(TypedDict, total=False):
    """The fields of `siteassist_mock.settings.MockSettings`."""

    api_key: str
    private_key: str
    database: Path | str | None
    session_seconds: float
    stream_delay: float
    seed: Path | None
    script: Path | None
    faults: Sequence[str]
    fault_seed: int
    rate_limits: Sequence[str]
    quota: int | None
    grace_seconds: float
    strict: bool
    control: bool
    now: Callable[[], float]


class MockServer(str):
    """A running server, which is also the text of its base URL.

    The methods do the work of an operator in the console of the service.
    """

    __slots__ = ("_app",)

    _app: Starlette

    @classmethod
    def of(cls, url: str, app: Starlette) -> MockServer:
        """Return the server of ``app`` at ``url``."""
        mock = cls(url)
        mock._app = app
        return mock

    @property
    def url(self) -> str:
        """The base URL, such as ``http://127.0.0.1:40123/v2``."""
        return str(self)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The latest requests, oldest first and without credentials.

        Each has ``method``, ``path``, ``query``, ``operationId``, ``status`` and ``body``.
        """
        found: list[dict[str, Any]] = self._app.state.requests.requests()
        return found

    def hand_over(
        self, conversation_id: UUID | str, *, name: str | None = None, image: str | None = None
    ) -> None:
        """Assign a human agent to a conversation.

        Raises `LookupError` if there is no such conversation.
        """
        store, chat = self._app.state.store, str(conversation_id)
        store.assign_human(chat, name, image)
        store.events.publish(chat, ConversationEvent("human_assigned"))

    def say(self, conversation_id: UUID | str, content: str) -> dict[str, Any]:
        """Send a message as the human agent of a conversation, and return it.

        Raises `LookupError` if there is no such conversation, or no agent in it.
        """
        store, chat = self._app.state.store, str(conversation_id)
        with store.write() as records:
            conversation = records.any_conversation(chat)
            if conversation is None or not conversation.is_human_handled:
                raise LookupError(f"no human agent handles a conversation {chat}")
            message = records.add_message(
                chat, "human_agent", content, human_agent=conversation.human_agent
            )
            records.touch_conversation(chat)
        store.events.publish(chat, ConversationEvent("new_message", message.id))
        return views.message(message)

    def reset(self) -> None:
        """Remove all data of clients, and restart rate limits and planned faults."""
        self._app.state.reset()


@contextmanager
def mock_server(*, port: int = 0, **settings: Unpack[Settings]) -> Iterator[MockServer]:
    """Run a server and yield it; it is the text of its base URL as well.

    ``port`` 0 takes a free one. ``settings`` are fields of
    `siteassist_mock.settings.MockSettings`. The server stops at the end of the block;
    running requests are cut after 0.2 seconds, or after ``grace_seconds`` if given.
    With ``strict=True`` the end of the block raises `AssertionError` if a response
    violated ``openapi.yaml``.
    """
    settings.setdefault("grace_seconds", _GRACE_SECONDS)
    given = MockSettings(**settings)
    with serving(create_app(given), grace_seconds=given.grace_seconds, port=port) as mock:
        yield mock


@contextmanager
def serving(
    app: Starlette, *, grace_seconds: float = _GRACE_SECONDS, port: int = 0
) -> Iterator[MockServer]:
    """Run ``app``, yield it as `mock_server` does, and close its store at the end.

    For tests that also need ``app.state.store``, which is thread-safe. Raises
    `AssertionError` at the end if ``app`` is strict and recorded violations.
    """
    server = make_server(app, grace_seconds=grace_seconds)
    listening = listen("127.0.0.1", port)
    # The socket listens already, so clients need not wait for the thread.
    thread = threading.Thread(target=server.run, args=([listening],), name="siteassist-mock")
    thread.start()
    try:
        yield MockServer.of(base_url(app, listening), app)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        app.state.store.close()
    # Not in the `finally`: an exception of the test itself is more useful.
    if app.state.violations is not None and (violations := app.state.violations.take()):
        raise AssertionError("; ".join(violations))
