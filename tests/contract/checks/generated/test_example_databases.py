"""What hypothesis has found is kept in a folder or in Redis, and no password is told."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from fakeredis import TcpFakeServer
from hypothesis.database import ExampleDatabase

from siteassist_contract.checks.generated.example_databases import open_database
from siteassist_contract.verdict import CannotRunError

WAY = b"the way to a violation"


def opened(place: str) -> ExampleDatabase:
    """Open a database that is there."""
    database = open_database(place)
    assert database is not None
    return database


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """Run a server that speaks Redis, and return its address without a scheme."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_database_is_none() -> None:
    """Nothing is kept unless somebody asks for it."""
    assert open_database(None) is None


def test_folder_is_made_and_kept(tmp_path: Path) -> None:
    """What one run saves the next one finds."""
    place = tmp_path / "a" / "b"
    opened(str(place)).save(b"key", WAY)
    assert {WAY} == set(opened(str(place)).fetch(b"key"))
    assert place.is_dir()


def test_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "file").write_text("")
    place = str(tmp_path / "file")
    with pytest.raises(CannotRunError, match=r"the example database .*file: File exists"):
        open_database(place)


def test_redis_is_shared(redis: str) -> None:
    """Two that open it see the same."""
    one, other = opened(f"redis://{redis}/0"), opened(f"redis://{redis}/0")
    one.save(b"key", WAY)
    assert {WAY} == set(other.fetch(b"key"))
    for database in (one, other):
        database.redis.close()  # type: ignore[attr-defined]  # of the one in Redis


def _free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    "address",
    [
        "redis://user:p4ssw0rd@127.0.0.1:{port}/0",
        "rediss://:p4ssw0rd@127.0.0.1:{port}/0",
        "redis://:p4ssw0rd@127.0.0.1:port/0",
        "unix://p4ssw0rd@/nowhere/redis.sock",
    ],
)
def test_redis_that_cannot_be_reached_is_told_without_its_address(address: str) -> None:
    """The address may hold a password, also in the error's own text and in its causes."""
    with pytest.raises(CannotRunError, match=r"Redis cannot be reached \(\w+\)$") as caught:
        open_database(address.replace("{port}", str(_free_port())))
    assert "p4ssw0rd" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_redis_without_its_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In words that say what to install."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CannotRunError, match="pip install redis"):
        open_database("redis://127.0.0.1/0")
