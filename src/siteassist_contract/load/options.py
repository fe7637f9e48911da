"""The options of a load test."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Role(Enum):
    """The role of a process in a load test."""

    ALONE = "alone"
    """Run the visitors, and report."""
    MASTER = "master"
    """Control workers, and report their results."""
    WORKER = "worker"
    """Run visitors for a master."""


@dataclass(frozen=True)
class LoadOptions:
    """The options of one load test."""

    users: int
    spawn_rate: float
    """Visitors added per second."""
    seconds: float
    """Duration of the load."""
    visits: int | None
    """Number of visits after which the load ends, or None."""
    think: tuple[float, float]
    """Minimum and maximum pause of a visitor between two steps, in seconds."""
    role: Role
    workers: int
    """Number of workers that a master waits for."""
    processes: int
    """Number of workers that a master starts on this machine."""
    master_host: str
    """The address that the master listens on, or that a worker connects to."""
    master_port: int
    """The port; 0 lets the system choose one, for a master that starts its workers itself."""
    reports: Path
    """The folder for reports."""
    allow_incomplete: bool = False
    """Whether an incomplete load ends with exit status 0."""
    debug: bool = False
    """Whether the traceback of an internal error is printed."""
