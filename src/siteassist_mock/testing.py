"""A server for tests, on a free port and in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette

from siteassist_mock.app import create_app
from siteassist_mock.http.server import base_url, listen, make_server
from siteassist_mock.settings import MockSettings

# Long enough for a response that is being sent.
_GRACE_SECONDS = 0.2


@contextmanager
def mock_server(**settings: Any) -> Iterator[str]:
    """Run a server and yield its base URL, such as ``http://127.0.0.1:40123/v2``.

    ``settings`` are fields of `siteassist_mock.settings.MockSettings`. The server
    stops at the end of the block; running requests are cut after 0.2 seconds, or
    after ``grace_seconds`` if given. With ``strict=True`` the end of the block
    raises `AssertionError` if a response violated ``openapi.yaml``.
    """
    given = MockSettings(**{"grace_seconds": _GRACE_SECONDS, **settings})
    with serving(create_app(given), grace_seconds=given.grace_seconds) as url:
        yield url


@contextmanager
def serving(app: Starlette, *, grace_seconds: float = _GRACE_SECONDS) -> Iterator[str]:
    """Run ``app``, yield its base URL, and close its store at the end.

    For tests that also need ``app.state.store``, which is thread-safe. Raises
    `AssertionError` at the end if ``app`` is strict and recorded violations.
    """
    server = make_server(app, grace_seconds=grace_seconds)
    listening = listen("127.0.0.1", 0)
    # The socket listens already, so clients need not wait for the thread.
    thread = threading.Thread(target=server.run, args=([listening],), name="siteassist-mock")
    thread.start()
    try:
        yield base_url(app, listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        app.state.store.close()
    # Not in the `finally`: an exception of the test itself is more useful.
    if app.state.violations is not None and (violations := app.state.violations.take()):
        raise AssertionError("; ".join(violations))
