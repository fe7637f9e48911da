"""The transport of the engine, on requests, which goes the same way as the other layers.

Each session that schemathesis opens gets it, those of its logins and checks included. What
requests itself would read from the environment does not count.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

from siteassist_contract.http.network import LARGEST_ANSWER
from siteassist_contract.http.patience import LONGEST_ANSWER

_PIECE = 64 * 1024


def install(way: Mapping[str, Any]) -> None:
    """Make each new session use `NetworkAdapter` with the way that `describe` returned."""
    if not way["verify"]:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    # A session creates its adapters by this name; there is no other access to all sessions.
    requests.sessions.HTTPAdapter = functools.partial(  # type: ignore[attr-defined,assignment]  # as above
        NetworkAdapter, way
    )


class NetworkAdapter(HTTPAdapter):
    """An adapter with fixed headers, certificates and proxies, and with a limit of size."""

    def __init__(self, way: Mapping[str, Any]) -> None:
        """Use the headers, the certificates (``verify``) and the ``proxies`` of ``way``."""
        super().__init__()
        self._way = way

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send a request, with the certificates and proxies of the way in place of others."""
        request.headers.update(self._way["headers"])
        options |= {"verify": self._way["verify"], "proxies": self._way["proxies"]}
        return super().send(request, *args, **options)

    def build_response(
        self, req: requests.PreparedRequest, resp: urllib3.BaseHTTPResponse
    ) -> requests.Response:
        """Limit the size and the duration of an answer."""
        read, until, size = resp.read1, time.monotonic() + LONGEST_ANSWER, 0

        def read1(amt: int | None = None, decode_content: bool | None = None) -> bytes:
            nonlocal size
            piece = read(amt, decode_content=decode_content)
            size += len(piece)
            if size > LARGEST_ANSWER or time.monotonic() > until:
                resp.close()
                # The one error that both readers of schemathesis expect.
                raise ProtocolError("the answer does not end")
            return piece

        def stream(amt: int | None = _PIECE, decode_content: bool | None = None) -> Iterator[bytes]:
            # Unlike `read`, `read1` returns what has arrived, so that time is looked at.
            while piece := read1(amt, decode_content):
                yield piece

        resp.read1, resp.stream = read1, stream  # type: ignore[method-assign]  # of this answer only
        return super().build_response(req, resp)
