"""Names of what can go wrong on demand, and which of it a request gets.

A client asks for faults with the header ``Mock-Fault: delay=0.5, truncate``,
which counts for that one request; a server can be told to make them at random
(``--fault truncate:0.1``). How they are made is in `siteassist_mock.faults.injection`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["FAULTS", "FAULTS_KEY", "HEADER", "Fault", "FaultPlan", "parse_fault", "parse_planned"]

HEADER = b"mock-fault"
"""The header that asks for faults, as ASGI spells it; ``none`` asks for none."""

FAULTS_KEY = "siteassist.faults"
"""The scope's key of the names of the faults that a request gets."""

_MAX_SECONDS = 3600.0
_MAX_BYTES = 2**30
_OVERSIZED_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; ``value`` is None for one that takes no value."""

    name: str
    value: Any = None


def _pause(text: str) -> float:
    return _seconds(text or "0")


def _seconds(text: str) -> float:
    seconds = float(text)
    # A comparison with "not a number" is false.
    if not 0 <= seconds <= _MAX_SECONDS:
        raise ValueError(text)
    return seconds


def _bytes(text: str) -> int:
    size = int(text or _OVERSIZED_BYTES)
    if not 1 <= size <= _MAX_BYTES:
        raise ValueError(text)
    return size


def _moment(text: str) -> str:
    if text not in {"", "start", "middle"}:
        raise ValueError(text)
    return text or "start"


def _nothing(text: str) -> None:
    if text:
        raise ValueError(text)


FAULTS: dict[str, tuple[Callable[[str], Any], str]] = {
    "delay": (_seconds, "takes the seconds to wait, 0 to 3600"),
    "drip": (_pause, "takes the seconds between bytes, 0 to 3600 or nothing"),
    "reset": (_moment, "takes 'start', 'middle' or nothing"),
    "truncate": (_nothing, "takes no value"),
    "stream-error": (_nothing, "takes no value"),
    "no-terminator": (_nothing, "takes no value"),
    "malformed-json": (_nothing, "takes no value"),
    "wrong-content-type": (_nothing, "takes no value"),
    "oversized-body": (_bytes, "takes the bytes to add, 1 to 1073741824 or nothing"),
    "expired-session": (_nothing, "takes no value"),
}
"""Every fault: how its value is read, and the words for a value that it does not take."""


def parse_fault(name: str, value: str) -> Fault:
    """Return the fault ``name`` with ``value``, which is empty if there is none.

    Raises `ValueError` with a sentence if there is no such fault, or if it does
    not take that value.
    """
    if name not in FAULTS:
        raise ValueError(f"there is no fault {name[:40]!r}; there is: {', '.join(FAULTS)}")
    read, takes = FAULTS[name]
    try:
        return Fault(name, read(value))
    except ValueError:
        raise ValueError(f"the fault {name} {takes}, not {value[:40]!r}") from None


class FaultPlan:
    """Which faults a server makes by itself.

    A server that gets the same requests in the same order makes the same faults.
    """

    def __init__(self, texts: Iterable[str], seed: int = 0) -> None:
        """Make the faults ``texts``, each ``NAME[=VALUE][:RATE]``, at their rates.

        The rate is the share of requests that get the fault, above 0 and at most
        1, which is the default. Raises `ValueError` with a sentence.
        """
        self._faults = [parse_planned(text) for text in texts]
        self._seed = seed
        self.restart()

    def restart(self) -> None:
        """Begin again, as a server that was just started."""
        self._random = random.Random(self._seed)  # noqa: S311 - to be foreseen is what it is for

    def choose(self) -> list[Fault]:
        """Return the faults of the next request."""
        # One draw for every fault, so that one does not shift the others.
        return [fault for fault, rate in self._faults if self._random.random() < rate]


def parse_planned(text: str) -> tuple[Fault, float]:
    """Return the fault and the rate that ``NAME[=VALUE][:RATE]`` spells.

    Raises `ValueError` with a sentence.
    """
    what, colon, rate = text.partition(":")
    name, _, value = what.partition("=")
    fault = parse_fault(name.strip(), value.strip())
    if not colon:
        return fault, 1.0
    return fault, _share(rate)


def _share(text: str) -> float:
    # A comparison with "not a number" is false.
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise ValueError(f"the rate of a fault is a number above 0 and at most 1, not {text[:40]!r}")
