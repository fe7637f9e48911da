"""The work of SQLite, counted in steps instead of seconds."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from siteassist_mock.storage.store import Store


@contextmanager
def counted_steps(store: Store) -> Iterator[Callable[[], int]]:
    """Yield a function that returns the instructions that SQLite has run in the block."""
    assert store._connection is not None
    driver: Any = store._connection.connection.driver_connection
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    driver.set_progress_handler(count, 1)
    try:
        yield lambda: steps
    finally:
        driver.set_progress_handler(None, 0)
