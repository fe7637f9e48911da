"""Workers, which run the steps of a run side by side.

Each has visitors, connections and a history of its own. One worker computes at a time, while the
others wait for answers: the findings, and all else that checks share, need no locks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

_LOOK, _GRACE = 0.2, 2.0
"""Seconds between two looks at the workers, and for their end after an error."""
_Worker = TypeVar("_Worker")


class StoppedError(BaseException):
    """The end of a worker after an error of another one."""


class Turn:
    """The right to compute, which one thread has at a time."""

    def __init__(self) -> None:
        """Create a turn that no thread has yet."""
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def check(self) -> None:
        """Raise `StoppedError` if the workers must stop."""
        if self._stopped.is_set():
            raise StoppedError

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Let other workers compute while this one waits in the block."""
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()

    def run(self, work: Callable[[_Worker], None], workers: Sequence[_Worker]) -> None:
        """Call ``work`` with each worker in a thread of its own, and wait for the end of all.

        Raises the first error. A worker that does not end in time after an error is left behind,
        and never computes again.
        """
        self._stopped.clear()
        errors: list[BaseException] = []

        def target(worker: _Worker) -> None:
            with self._lock:
                try:
                    work(worker)
                except StoppedError:
                    pass
                except BaseException as error:  # noqa: BLE001  # raised in the main thread
                    errors.append(error)
                    self._stopped.set()

        threads = [
            threading.Thread(target=target, args=(worker,), daemon=True, name=f"worker {number}")
            for number, worker in enumerate(workers, start=1)
        ]
        for thread in threads:
            thread.start()
        try:
            while not errors and any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(_LOOK / len(threads))
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join(_GRACE / len(threads))
            # A worker that still waits for an answer must not change the findings any more.
            if any(thread.is_alive() for thread in threads):
                self._lock.acquire(timeout=_GRACE)
        if errors:
            raise errors[0]
