"""Example databases, in which hypothesis keeps failing examples."""

from __future__ import annotations

from pathlib import Path

from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

from siteassist_contract.verdict import CannotRunError


def open_database(place: str | None) -> ExampleDatabase | None:
    """Open an example database: a folder, or a Redis server that several machines share.

    Returns None if ``place`` is None. Raises `CannotRunError` if the database cannot be used.
    """
    if place is None:
        return None
    if not place.startswith(("redis://", "rediss://", "unix://")):
        folder = Path(place)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotRunError(f"the example database {place}: {error.strerror}") from None
        return DirectoryBasedExampleDatabase(folder)
    try:
        import redis
        from hypothesis.extra.redis import (
            RedisExampleDatabase,
        )
    except ModuleNotFoundError:
        raise CannotRunError(
            "an example database in Redis needs one more package: pip install redis"
        ) from None
    try:
        server = redis.Redis.from_url(place, socket_connect_timeout=5)
        server.ping()
    except (redis.RedisError, ValueError) as error:
        # The message may contain the address, which may contain a password.
        kind = type(error).__name__
        raise CannotRunError(f"the example database in Redis cannot be reached ({kind})") from None
    return RedisExampleDatabase(server)
