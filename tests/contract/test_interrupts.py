"""Signals: raised, noted or ignored, as the block in which they arrive says."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from siteassist_contract import interrupts

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    """Install the handlers, and restore those before, without a noted signal."""
    before = [signal.getsignal(number) for number in BOTH]
    interrupts.install()
    yield
    interrupts.install()
    for number, handler in zip(BOTH, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(params=BOTH)
def number(request: pytest.FixtureRequest) -> signal.Signals:
    """Return each signal."""
    found: signal.Signals = request.param
    return found


def test_signal_is_raised(number: signal.Signals) -> None:
    """Both signals raise the same exception."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_deferred_signal_is_raised_at_the_end(number: signal.Signals) -> None:
    """A deferred block is finished before its signal is raised."""
    done: list[str] = []

    def interrupted() -> None:
        with interrupts.deferred():
            signal.raise_signal(number)
            done.append("block")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ["block"] == done


def test_ignored_signal_is_never_raised(number: signal.Signals) -> None:
    """A signal in an ignored block has no effect, and later ones are raised again."""
    with interrupts.ignored():
        signal.raise_signal(number)
        with interrupts.deferred():
            pass
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_signal_before_a_raised_block_is_raised_in_it(number: signal.Signals) -> None:
    """A signal that was noted just before a block ends that block, once."""
    with interrupts.ignored():
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt), interrupts.raised():
            pytest.fail("the block was entered")
        with interrupts.raised():
            interrupts.check()


def test_lost_exception_is_raised_again(number: signal.Signals) -> None:
    """A signal whose exception Python ignored, as in a callback, is raised by the next check."""
    with interrupts.raised():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.check()


def test_ignored_signals_stay_ignored() -> None:
    """A background job of a shell, which ignores SIGINT, keeps ignoring it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.install()
    assert signal.SIG_IGN is signal.getsignal(signal.SIGINT)
