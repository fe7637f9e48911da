"""The hub of gevent, set up by the import of this module.

It would print a traceback of an interrupt before it raises it in the command, and a socket that
always has data would keep its greenlet running and all others waiting.
"""

from __future__ import annotations

import time
from typing import Any

import gevent  # pyright: ignore[reportMissingImports]  # as in `engine`
from gevent.hub import Hub  # pyright: ignore[reportMissingImports]  # as in `engine`
from gevent.socket import socket  # pyright: ignore[reportMissingImports]  # as in `engine`
from gevent.ssl import SSLSocket  # pyright: ignore[reportMissingImports]  # as in `engine`

TURN = 0.05
"""Seconds after which a greenlet that receives data lets the others run."""
_last_turn = 0.0

Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)


def _take_turns(kind: type[Any]) -> None:
    """Let other greenlets run, now and then, before a socket of this class receives data."""
    receive = kind.recv

    def recv(self: Any, *arguments: Any, **options: Any) -> Any:
        global _last_turn  # noqa: PLW0603  # one for the hub, like the hub itself
        if time.monotonic() - _last_turn > TURN:
            gevent.sleep(0)
            _last_turn = time.monotonic()
        return receive(self, *arguments, **options)

    kind.recv = recv


for _kind in (socket, SSLSocket):
    _take_turns(_kind)
