"""A server for tests: on a free port, in a thread of its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from siteassist_mock.app import create_app
from siteassist_mock.http.server import base_url, listen, make_server
from siteassist_mock.settings import MockSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

__all__ = ["mock_server", "serving"]

# Long enough for an answer that is on its way.
_GRACE_SECONDS = 0.2


@contextmanager
def mock_server(**settings: Any) -> Iterator[str]:
    """Run a server and yield its base URL, such as ``http://127.0.0.1:40123/v2``.

    ``settings`` are the fields of `siteassist_mock.settings.MockSettings`. The
    server and its state are gone when the block ends; what it still answers then
    is cut after 0.2 seconds, or after ``grace_seconds`` if they are given. With ``strict=True`` the
    end of the block raises `AssertionError` if an answer was not allowed by
    ``openapi.yaml``.
    """
    given = MockSettings(**{"grace_seconds": _GRACE_SECONDS, **settings})
    with serving(create_app(given), grace_seconds=given.grace_seconds) as url:
        yield url


@contextmanager
def serving(app: Starlette, *, grace_seconds: float = _GRACE_SECONDS) -> Iterator[str]:
    """Run ``app``, yield its base URL, and close its store in the end.

    For tests that also need ``app.state.store``, which threads may share. Raises
    `AssertionError` in the end if ``app`` is strict and has made violations.
    """
    server = make_server(app, grace_seconds=grace_seconds)
    listening = listen("127.0.0.1", 0)
    # The socket listens already, so nobody has to wait for the thread.
    thread = threading.Thread(target=server.run, args=([listening],), name="siteassist-mock")
    thread.start()
    try:
        yield base_url(app, listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        app.state.store.close()
    # Not in the `finally`: what a test raised itself tells more.
    if app.state.violations is not None and (violations := app.state.violations.take()):
        raise AssertionError("; ".join(violations))
