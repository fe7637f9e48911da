"""The memory of a command and of all processes that it starts, read from ``/proc``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def measurable() -> bool:
    """Return whether this system has what is read here: Linux has."""
    return (PROC / "self" / "status").exists()


def peak_mib(session: int) -> float:
    """Return the sum of the greatest memory that each living process of a session has had.

    ``session`` is the id of the command, if it was started with ``start_new_session``. Each
    process counts with its own peak, so a short peak between two calls is not missed, and a
    page that two processes share counts twice.
    """
    return sum(_peak_kib(process) for process in _processes(session)) / 1024


def _processes(session: int) -> Iterator[Path]:
    """Yield the folders of the processes in a session, and of all their descendants."""
    parents: dict[int, int] = {}
    members: set[int] = set()
    for folder in PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        # A process may end at any time.
        with suppress(OSError, ValueError, IndexError):
            # The name of the command is in parentheses and may contain anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            if int(fields[3]) == session:
                members.add(int(folder.name))
    # A child that began a session of its own still belongs to the command.
    while added := {one for one, parent in parents.items() if parent in members} - members:
        members |= added
    for member in members:
        yield PROC / str(member)


def _peak_kib(process: Path) -> int:
    with suppress(OSError):
        found = _PEAK.search((process / "status").read_text())
        # A process that has ended but was not waited for has no memory.
        return int(found[1]) if found else 0
    return 0
