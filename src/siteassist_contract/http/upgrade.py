"""The connection of a handshake, which is kept if the server changes the protocol."""

from __future__ import annotations

import httpcore
import httpx

from siteassist_contract.http.deadline import Deadline

UPGRADE = "siteassist_contract_upgrade"
"""The name of the `Upgrade` among the extensions of a request."""
SWITCHING = 101
"""The status of an answer after which the connection has another protocol."""


class Upgrade(httpx.BaseTransport):
    """A transport for one handshake, over a connection of its own."""

    def __init__(self, inner: httpx.BaseTransport, deadline: Deadline, *, owned: bool) -> None:
        """Send over ``inner``, whose connections keep ``deadline``.

        ``owned`` is whether the end closes it.
        """
        self._inner = inner
        self._owned = owned
        self._answer: httpx.Response | None = None
        self.deadline = deadline
        self.stream: httpcore.NetworkStream | None = None
        """The connection after an answer of 101; until then None."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the handshake, and keep the connection after an answer of 101."""
        response = self._inner.handle_request(request)
        stream = response.extensions.get("network_stream")
        if response.status_code != SWITCHING or stream is None:
            return response
        # The end of the answer would close the connection.
        self._answer, self.stream = response, stream
        version = response.extensions.get("http_version", b"HTTP/1.1")
        return httpx.Response(
            SWITCHING, headers=response.headers, extensions={"http_version": version}
        )

    def close(self) -> None:
        """Close the connection."""
        if self._answer is not None:
            self._answer.close()
        if self._owned:
            self._inner.close()
