"""SIGINT and SIGTERM, which end a command in the same way: with `KeyboardInterrupt`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class _State:
    """The state of the handler, one for the process like the handler itself."""

    held: bool = False
    """Whether a signal is only noted."""
    pending: bool = False
    """Whether a signal was noted, or raised where Python ignores exceptions."""


_STATE = _State()


def install() -> None:
    """Handle both signals, unless they are ignored, as in background jobs of a shell."""
    _STATE.held = _STATE.pending = False
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


@contextmanager
def ignored() -> Iterator[None]:
    """Ignore signals in a block that soon ends, except in its `raised` blocks."""
    before, _STATE.held = _STATE.held, True
    try:
        yield
    finally:
        _STATE.held, _STATE.pending = before, False


@contextmanager
def raised() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for signals in a block, and for one that was noted before it."""
    before, _STATE.held = _STATE.held, False
    try:
        check()
        yield
    finally:
        _STATE.held, _STATE.pending = before, False


@contextmanager
def deferred() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for a signal in a block at its end."""
    before, _STATE.held = _STATE.held, True
    try:
        yield
    finally:
        _STATE.held = before
        if not before:
            check()


def check() -> None:
    """Raise `KeyboardInterrupt` for a signal that was noted, or was lost in a callback."""
    if _STATE.pending:
        _STATE.pending = False
        raise KeyboardInterrupt


def _handle(_number: int, _frame: FrameType | None) -> None:
    _STATE.pending = True
    if not _STATE.held:
        raise KeyboardInterrupt
