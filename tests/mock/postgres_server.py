"""A PostgreSQL server of the tests, on a socket in a temporary folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class PostgresServer:
    """A running server, which a test can stop and suspend; ``url`` is its database."""

    def __init__(self, folder: Path, user: str | None) -> None:
        """Create the database in ``folder``, and run all programs as ``user``."""
        self._folder = folder
        self._data = folder / "data"
        self._user = user
        self._initdb, self._pg_ctl = _program("initdb"), _program("pg_ctl")
        self.url = f"postgresql://mock@/postgres?host={quote(str(folder))}"
        # A linguistic collation, so that tests fail if the mock depends on the collation.
        locale = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en")
        options = ("-U", "mock", "-A", "trust", "-E", "UTF8", "--no-sync")
        self._run(self._initdb, "-D", self._data, *options, *locale)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder} -c fsync=off"
        log = self._folder / "log"
        self._control("-l", log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop the server, which loses all connections."""
        self._control("-m", "immediate", "-w", "stop")

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspend all processes of the server within the block: nothing is answered."""
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
            processes = [int(pid) for (pid,) in rows]
        # First the one that would start others.
        processes.insert(0, int((self._data / "postmaster.pid").read_text().split()[0]))
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _control(self, *arguments: str | Path) -> None:
        self._run(self._pg_ctl, "-D", self._data, *arguments)

    def _run(self, *command: str | Path) -> None:
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            user=self._user,
            timeout=60,
        )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a server; skip the test if PostgreSQL 15 or later is not installed."""
    version = subprocess.run(
        [_program("initdb"), "--version"], check=True, capture_output=True, text=True
    )
    if int(re.findall(r"\d+", version.stdout)[0]) < 15:
        pytest.skip(f"PostgreSQL 15 or later is not installed, but {version.stdout.strip()}")
    # Not in pytest's folder: the path of a socket is limited to about 100 bytes, and
    # PostgreSQL does not run as root, which may own the folders above.
    folder = Path(tempfile.mkdtemp(prefix="mock-pg-"))
    user = None
    if os.geteuid() == 0:
        user = "nobody"
        shutil.chown(folder, user)
    try:
        server = PostgresServer(folder, user)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    # Debian installs the server's programs outside the search path.
    found = shutil.which(name) or next(
        map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if found is None:
        pytest.skip(f"PostgreSQL's server is not installed: {name} not found")
    return found
