"""The faults, and the random plan of a server.

A client requests faults for one request with the header
``Mock-Fault: delay=0.5, truncate``. The option ``--fault truncate:0.1`` injects
faults at random. `siteassist_mock.faults.injection` implements them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

HEADER = b"mock-fault"
"""The header with the requested faults, in lower case as in ASGI; ``none`` for no faults."""

FAULTS_KEY = "siteassist.faults"
"""The scope's key of the names of the injected faults."""

_MAX_SECONDS = 3600.0
_MAX_BYTES = 2**30
_OVERSIZED_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; ``value`` is None if it takes no value."""

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
"""All faults, each with the parser of its value and the description of valid values."""


def parse_fault(name: str, value: str) -> Fault:
    """Return the fault ``name`` with ``value``, which is empty if absent.

    Raises `ValueError` with a sentence if the fault is unknown or the value invalid.
    """
    if name not in FAULTS:
        raise ValueError(f"unknown fault {name[:40]!r}; known faults: {', '.join(FAULTS)}")
    read, takes = FAULTS[name]
    try:
        return Fault(name, read(value))
    except ValueError:
        raise ValueError(f"the fault {name} {takes}, got {value[:40]!r}") from None


class FaultPlan:
    """The random faults of a server.

    The same requests in the same order get the same faults.
    """

    def __init__(self, texts: Iterable[str], seed: int = 0) -> None:
        """Plan the faults ``texts``, each ``NAME[=VALUE][:RATE]``.

        The rate is the share of requests that get the fault, above 0 and at most 1,
        the default. Raises `ValueError` with a sentence.
        """
        self._faults = [parse_planned(text) for text in texts]
        self._seed = seed
        self.restart()

    def restart(self) -> None:
        """Restart the random sequence."""
        self._random = random.Random(self._seed)  # noqa: S311 - must be reproducible

    def choose(self) -> list[Fault]:
        """Return the faults of the next request."""
        # One random number per fault, so that each has its own sequence.
        return [fault for fault, rate in self._faults if self._random.random() < rate]


def parse_planned(text: str) -> tuple[Fault, float]:
    """Parse ``NAME[=VALUE][:RATE]`` and return the fault and the rate.

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
    raise ValueError(
        f"the rate of a fault must be a number above 0 and at most 1, got {text[:40]!r}"
    )
