"""What is written at once is one call to the system."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from siteassist_mock.storage.joined_writes import JoinedWrites

if TYPE_CHECKING:
    from collections.abc import Callable


class Wire:
    """A transport that notes what is done with it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.done: list[Any] = []

    def write(self, data: bytes) -> None:
        """Note what is written."""
        self.done.append(data)

    def close(self) -> None:
        """Note the end."""
        self.done.append("close")

    def abort(self) -> None:
        """Note the other end."""
        self.done.append("abort")

    def is_closing(self) -> bool:
        """Answer as a transport that nobody has ended."""
        return False


def done_with(use: Callable[[JoinedWrites], None]) -> list[Any]:
    """Return what reaches the wire until the event loop has come round."""
    wire = Wire()

    async def main() -> None:
        use(JoinedWrites(cast("asyncio.Transport", wire), asyncio.get_running_loop()))
        assert b"ab" not in wire.done
        await asyncio.sleep(0)

    asyncio.run(main())
    return wire.done


def test_writes_are_joined() -> None:
    """In their order."""

    def use(joined: JoinedWrites) -> None:
        joined.write(b"a")
        joined.write(b"b")

    assert [b"ab"] == done_with(use)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_an_end_comes_after_what_was_written(end: str) -> None:
    """And without anything to write it is only an end."""

    def use(joined: JoinedWrites) -> None:
        joined.write(b"a")
        getattr(joined, end)()

    assert [b"a", end] == done_with(use)
    assert [end] == done_with(lambda joined: getattr(joined, end)())


def test_all_else_is_the_transports_own() -> None:
    """Nobody can tell them apart."""
    assert [] == done_with(lambda joined: cast("None", joined.is_closing()))
