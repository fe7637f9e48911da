"""The mock server in a process of its own, which can be killed and starts fast."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from siteassist_mock.app import create_app
from siteassist_mock.http.server import listen, make_server
from siteassist_mock.settings import MockSettings

_SECONDS = 60.0
# Its processes have loaded this module, and the description, before they start.
_PROCESSES = multiprocessing.get_context("forkserver")
create_app().state.store.close()


def serve(port: int, database: Path) -> None:
    """Run a server until the process is killed."""
    app = create_app(MockSettings(database=database))
    make_server(app).run(sockets=[listen("127.0.0.1", port)])


def free_port() -> int:
    """Return a port that no server uses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def killed_at_end(port: int, database: Path) -> Iterator[Any]:
    """Run a server in a process, and kill it at the end of the block."""
    _PROCESSES.set_forkserver_preload([__name__])
    process = _PROCESSES.Process(target=serve, args=(port, database), daemon=True)
    process.start()
    try:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.join()
        process.close()
