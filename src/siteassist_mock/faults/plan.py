"""The faults, and the random plan of a server.

A client requests faults for one request with the header
``Mock-Fault: delay=0.5, truncate``. The option ``--fault truncate:0.1`` injects
faults at random. `siteassist_mock.faults.injection` implements those of responses, and
`siteassist_mock.faults.socket_injection` those of sockets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from siteassist_mock.http.errors import DEFAULTS, ApiError
from siteassist_mock.http.preferences import parse_preferences

HEADER = b"mock-fault"
"""The header with the requested faults, in lower case as in ASGI; ``none`` for no faults."""

FAULTS_KEY = "siteassist.faults"
"""The scope's key of the names of the injected faults."""

_MAX_SECONDS = 3600.0
_MAX_BYTES = 2**30
_OVERSIZED_BYTES = 16 * 2**20
_INTERNAL_ERROR = 1011
# Codes that a server may send; others only describe the end (RFC 6455, 7.4).
_CLOSE_CODES = frozenset({*range(1000, 5000)} - {1004, 1005, 1006, 1015} - {*range(1016, 3000)})
_UNAVAILABLE = 503


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


def _close_code(text: str) -> int:
    code = int(text or _INTERNAL_ERROR)
    if code not in _CLOSE_CODES:
        raise ValueError(text)
    return code


def _status(text: str) -> int:
    status = int(text or _UNAVAILABLE)
    if status not in DEFAULTS:
        raise ValueError(text)
    return status


_STATUSES = ", ".join(map(str, sorted(DEFAULTS)))

RESPONSE_FAULTS: dict[str, tuple[Callable[[str], Any], str]] = {
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
"""The faults of responses, each with the parser of its value and the description of valid ones."""

SOCKET_FAULTS: dict[str, tuple[Callable[[str], Any], str]] = {
    "socket-refuse": (_status, f"takes a status, one of {_STATUSES}, or nothing"),
    "socket-drop": (_nothing, "takes no value"),
    "socket-close": (_close_code, "takes a close code, 1000 to 4999, or nothing"),
    "socket-no-pong": (_nothing, "takes no value"),
    "socket-garbage": (_nothing, "takes no value"),
    "socket-late": (_seconds, "takes the seconds to wait, 0 to 3600"),
    "socket-duplicate": (_nothing, "takes no value"),
    "socket-reorder": (_nothing, "takes no value"),
}
"""The faults of sockets, which occur in each of their texts, or at the first event."""

FAULTS = {**RESPONSE_FAULTS, **SOCKET_FAULTS}
"""All faults."""


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
        """Plan the faults ``texts``, each ``NAME[=VALUE][:SHARE]``.

        The share is that of the requests that get the fault, above 0 and at most 1,
        the default. Raises `ValueError` with a sentence.
        """
        self._faults = [parse_planned(text) for text in texts]
        self._seed = seed
        self.restart()

    def restart(self) -> None:
        """Restart the random sequences."""
        # One for each kind, so that sockets do not change which requests have faults.
        self._of_responses = random.Random(self._seed)  # noqa: S311 - must be reproducible
        self._of_sockets = random.Random(self._seed)  # noqa: S311 - must be reproducible

    def choose(self) -> list[Fault]:
        """Return the faults of the response to the next request."""
        return self._chosen(RESPONSE_FAULTS, self._of_responses)

    def choose_for_socket(self) -> list[Fault]:
        """Return the faults of the next socket."""
        return self._chosen(SOCKET_FAULTS, self._of_sockets)

    def _chosen(self, kind: Container[str], numbers: random.Random) -> list[Fault]:
        # One random number per fault, so that each has its own sequence.
        return [
            fault
            for fault, share in self._faults
            if fault.name in kind and numbers.random() < share
        ]


def requested_faults(headers: Iterable[str]) -> list[Fault]:
    """Return the faults in the values of the header.

    Raises `ApiError` 400 for an invalid header: a test should not silently run without its
    fault.
    """
    named = parse_preferences(headers)
    if list(named) == ["none"]:
        return []
    if not named:
        raise _unusable("it has no fault")
    try:
        return [parse_fault(name, value) for name, value in named.items()]
    except ValueError as error:
        raise _unusable(str(error)) from None


def _unusable(reason: str) -> ApiError:
    return ApiError(
        400,
        code="INVALID_FAULT",
        message=f"The header Mock-Fault cannot be used: {reason}.",
        details={"field": "Mock-Fault", "reason": reason},
    )


def parse_planned(text: str) -> tuple[Fault, float]:
    """Parse ``NAME[=VALUE][:SHARE]`` and return the fault and the share.

    Raises `ValueError` with a sentence.
    """
    what, colon, share = text.partition(":")
    name, _, value = what.partition("=")
    fault = parse_fault(name.strip(), value.strip())
    if not colon:
        return fault, 1.0
    return fault, _share(share)


def _share(text: str) -> float:
    # A comparison with "not a number" is false.
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise ValueError(
        f"the share of a fault must be a number above 0 and at most 1, got {text[:40]!r}"
    )
