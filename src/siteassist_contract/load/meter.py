"""Times answers as they come, below the suite's transport."""

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
    """How one answer came. Moments are those of ``time.monotonic``, in seconds."""

    method: str
    status: int
    began: float
    """When the first byte of the request was sent."""
    operation: str = ""
    """The ``operationId``."""
    ended: float = 0.0
    """When the last byte of the answer came."""
    size: int = 0
    """Of the answer's body, in bytes."""
    deltas: list[float] = field(default_factory=list)
    """When each delta of a stream came."""

    @property
    def seconds(self) -> float:
        """How long the answer took."""
        return self.ended - self.began

    @property
    def first_delta(self) -> float | None:
        """After how many seconds the first delta came, if there was one."""
        return self.deltas[0] - self.began if self.deltas else None

    @property
    def gaps(self) -> list[float]:
        """How many seconds lay between one delta and the next; 0 if they came in one piece."""
        return [late - early for early, late in zip(self.deltas, self.deltas[1:], strict=False)]


class Meter(httpx.BaseTransport):
    """A transport that passes everything on, and tells of each answer when it has ended."""

    def __init__(self, inner: httpx.BaseTransport, tell: Callable[[Timing], None]) -> None:
        self._inner = inner
        self._tell = tell

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; raises what the transport below raises."""
        began = time.monotonic()
        response = self._inner.handle_request(request)
        facts = request.extensions.get(CALL, CallFacts(""))
        timing = Timing(request.method, response.status_code, began, facts.operation)
        is_stream = response.headers.get("content-type", "").startswith(EVENT_STREAM)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Metered(response, timing, self._tell, is_stream=is_stream),
        )

    def close(self) -> None:
        """Close the transport below."""
        self._inner.close()


class _Metered(httpx.SyncByteStream):
    """The body of an answer, and when it came."""

    def __init__(
        self,
        response: httpx.Response,
        timing: Timing,
        tell: Callable[[Timing], None],
        *,
        is_stream: bool,
    ) -> None:
        self._response = response
        self._timing = timing
        self._tell = tell
        self._is_stream = is_stream

    def __iter__(self) -> Iterator[bytes]:
        timing = self._timing
        for chunk in self._response.stream:  # type: ignore[union-attr]  # blocking, as the transport
            if self._is_stream and (found := chunk.count(_DELTA)):
                timing.deltas += [time.monotonic()] * found
            timing.size += len(chunk)
            yield chunk
        timing.ended = time.monotonic()
        # Only of what came whole: the time of half an answer says nothing.
        self._tell(timing)

    def close(self) -> None:
        self._response.close()
