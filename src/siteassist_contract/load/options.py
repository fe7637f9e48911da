"""What a user may choose about a load test."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Role(Enum):
    """What a process does in a load test."""

    ALONE = "alone"
    """Runs the visitors, and reports."""
    MASTER = "master"
    """Tells workers what to do, and reports what they found."""
    WORKER = "worker"
    """Runs visitors for a master."""


@dataclass(frozen=True)
class LoadOptions:
    """The choices for one load test."""

    users: int
    spawn_rate: float
    """How many visitors are added in a second."""
    seconds: float
    """How long the load lasts."""
    visits: int | None
    """After how many visits it ends before that, if at all."""
    think: tuple[float, float]
    """The shortest and the longest time, in seconds, that a visitor waits between two steps."""
    role: Role
    workers: int
    """How many workers a master waits for."""
    processes: int
    """How many workers a master starts on this machine; 0 if others do."""
    master_host: str
    """Where the master listens, or where a worker finds it."""
    master_port: int
    """The same; 0 lets the system choose one, for a master that starts its workers itself."""
    reports: Path
    """The folder for reports."""
