"""Hypothesis's example database in a folder or in Redis; no message contains its password."""

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
    """Open an existing database."""
    database = open_database(place)
    assert database is not None
    return database


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """Run a fake Redis server, and return its address without a scheme."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_database_is_optional() -> None:
    """Without a place there is no database."""
    assert open_database(None) is None


def test_folder_is_created_and_kept(tmp_path: Path) -> None:
    """An example that one run saves is found by the next one."""
    place = tmp_path / "a" / "b"
    opened(str(place)).save(b"key", WAY)
    assert {WAY} == set(opened(str(place)).fetch(b"key"))
    assert place.is_dir()


def test_redis_is_shared(redis: str) -> None:
    """Two connections see the same examples."""
    one, other = opened(f"redis://{redis}/0"), opened(f"redis://{redis}/0")
    one.save(b"key", WAY)
    assert {WAY} == set(other.fetch(b"key"))
    for database in (one, other):
        database.redis.close()  # type: ignore[attr-defined]  # specific to Redis


def _free_port() -> int:
    """Return a free port."""
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
def test_unreachable_redis_is_reported_without_its_address(address: str) -> None:
    """Neither the message nor its causes contain the address, which may have a password."""
    with pytest.raises(CannotRunError, match=r"Redis cannot be reached \(\w+\)$") as caught:
        open_database(address.replace("{port}", str(_free_port())))
    assert "p4ssw0rd" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_missing_redis_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the package to install."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(CannotRunError, match="pip install redis"):
        open_database("redis://127.0.0.1/0")
