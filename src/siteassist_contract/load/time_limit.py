"""A limit of time for a call that may wait for anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future


def within(seconds: float, call: Callable[[], object]) -> None:
    """Make a call in a thread of its own, and wait for its end.

    Its exception is raised. Raises `TimeoutError` after ``seconds``; the call is then left
    alone, since a server that sends one byte after another can prolong any timeout of a read.
    """
    ended: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # raised by `result`
            ended.set_exception(error)
        else:
            ended.set_result(None)

    # A thread of Locust's process is a greenlet.
    threading.Thread(target=run, daemon=True).start()
    ended.result(seconds)
