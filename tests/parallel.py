"""Work on several items at once, for commands that run other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def in_parallel(
    work: Callable[[_T], _R], items: Iterable[_T], workers: int, stop: Callable[[], object]
) -> Iterator[_R]:
    """Yield the result of ``work`` for each item, in order of completion.

    An interrupt cancels the items that have not begun, and calls ``stop``, which must end
    those that have.
    """
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
