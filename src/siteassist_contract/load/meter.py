"""Timing of answers, below the transport of the suite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

from siteassist_contract.http.recorder import CALL, CallFacts
from siteassist_spec import EVENT_STREAM

_DELTA = b'"text-delta"'


@dataclass
class Timing:
    """The timing of one answer. Times are those of ``time.monotonic``, in seconds."""

    method: str
    status: int
    began: float
    """Time at which the request was sent."""
    operation: str = ""
    """The ``operationId``."""
    ended: float = 0.0
    """Time of the last byte of the answer."""
    size: int = 0
    """Size of the answer's body, in bytes."""
    deltas: list[float] = field(default_factory=list)
    """Time of each delta of a stream."""

    @property
    def seconds(self) -> float:
        """Duration of the answer."""
        return self.ended - self.began

    @property
    def first_delta(self) -> float | None:
        """Seconds until the first delta, or None."""
        return self.deltas[0] - self.began if self.deltas else None

    @property
    def gaps(self) -> list[float]:
        """Seconds between consecutive deltas; 0 for deltas in one chunk."""
        return [late - early for early, late in zip(self.deltas, self.deltas[1:], strict=False)]


class Meter(httpx.BaseTransport):
    """A transport that reports the timing of each answer when it has ended."""

    def __init__(self, inner: httpx.BaseTransport, on_answer: Callable[[Timing], None]) -> None:
        self._inner = inner
        self._on_answer = on_answer
        self.pending: tuple[str, float] | None = None
        """The ``operationId`` and the beginning of a request without a complete answer."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Exceptions of the wrapped transport are passed on."""
        began = time.monotonic()
        facts = request.extensions.get(CALL, CallFacts(""))
        self.pending = (facts.operation, began)
        response = self._inner.handle_request(request)
        timing = Timing(request.method, response.status_code, began, facts.operation)
        is_stream = response.headers.get("content-type", "").startswith(EVENT_STREAM)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Metered(response, timing, self._answered, is_stream=is_stream),
        )

    def _answered(self, timing: Timing) -> None:
        self.pending = None
        self._on_answer(timing)

    def close(self) -> None:
        """Close the wrapped transport."""
        self._inner.close()


class _Metered(httpx.SyncByteStream):
    """The body of an answer, which is timed while it is read."""

    def __init__(
        self,
        response: httpx.Response,
        timing: Timing,
        on_answer: Callable[[Timing], None],
        *,
        is_stream: bool,
    ) -> None:
        self._response = response
        self._timing = timing
        self._on_answer = on_answer
        self._is_stream = is_stream

    def __iter__(self) -> Iterator[bytes]:
        timing = self._timing
        for chunk in self._response.stream:  # type: ignore[union-attr]  # blocking, as the transport
            if self._is_stream and (found := chunk.count(_DELTA)):
                timing.deltas += [time.monotonic()] * found
            timing.size += len(chunk)
            yield chunk
        timing.ended = time.monotonic()
        # Only complete answers have a meaningful duration.
        self._on_answer(timing)

    def close(self) -> None:
        self._response.close()
