"""A time limit for a blocking call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future


def within(seconds: float, call: Callable[[], object]) -> None:
    """Run a call in a thread of its own, and wait for it for at most ``seconds``.

    Raises the exception of the call, or `TimeoutError`; the call then continues in the
    background. A timeout of reads is not enough: a server can prolong it by sending single bytes.
    """
    ended: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # raised by `result`
            ended.set_exception(error)
        else:
            ended.set_result(None)

    # Locust replaces threads by greenlets.
    threading.Thread(target=run, daemon=True).start()
    ended.result(seconds)
