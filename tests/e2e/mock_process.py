"""The mock server in a process of its own, which can be killed and starts fast."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
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


def wait(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition does not become true"
        time.sleep(0.005)


def free_port() -> int:
    """Return a port that no server uses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)):
            return True
    except OSError:
        return False


@contextmanager
def killed_at_end(port: int, database: Path) -> Iterator[Any]:
    """Run a server in a process, and kill it at the end of the block."""
    _PROCESSES.set_forkserver_preload([__name__])
    process = _PROCESSES.Process(target=serve, args=(port, database), daemon=True)
    process.start()
    try:
        wait(partial(_listens, port))
        yield process
    finally:
        process.kill()
        process.join()
        process.close()
