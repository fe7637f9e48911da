"""The number of open files, which limits the number of connections."""

from __future__ import annotations

import sys

# Without a limit that can be read, and the most that a process is useful for.
_FEWEST, _MOST = 800, 10_000
# Files other than connections: the database, the log, files that are being read.
_OTHERS = 224


def raise_file_limit() -> None:
    """Allow this process as many open files as the system does."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def greatest_connections() -> int:
    """Return the number of connections that the open files of this process allow."""
    if sys.platform == "win32":
        return _FEWEST
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST
    return min(max(soft - _OTHERS, soft // 2), _MOST)
