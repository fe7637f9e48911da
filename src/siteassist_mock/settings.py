"""What a server can be told before it starts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MockSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MockSettings:
    """How one server behaves; every field has a default that suits a test."""

    api_key: str = field(default=API_KEY, repr=False)
    """The publishable key, for ``init`` and the parameter ``apiKey``."""

    private_key: str = field(default=PRIVATE_KEY, repr=False)
    """The private key; as a bearer it is a visitor of its own."""

    database: Path | str | None = field(default=None, repr=False)
    """What keeps the state: an SQLite file, or a URL such as ``postgresql://host/name``.

    None keeps it in memory.
    """

    session_seconds: float = 1800.0
    """How long a session token lasts without being used."""

    stream_delay: float = 0.0
    """Seconds to wait after each event of a stream."""

    seed: Path | None = None
    """File with the project, its keys, Q&As and pages; see `siteassist_mock.content.seed_file`."""

    script: Path | None = None
    """A file of scripted answers; see `siteassist_mock.content.script`."""

    faults: tuple[str, ...] = ()
    """Random faults, each ``NAME[=VALUE][:RATE]``; see `siteassist_mock.faults.plan`."""

    fault_seed: int = 0
    """Chooses which requests get the faults; the same ones each time."""

    rate_limits: tuple[str, ...] = ()
    """How many requests one visitor or address may make, each such as ``60/m``."""

    quota: int | None = None
    """How many messages the project's visitors may send in all; None for any number."""

    grace_seconds: float = 10.0
    """How long requests may go on once the server is told to stop; see `make_server`."""

    strict: bool = False
    """Whether answers are checked against ``openapi.yaml``, too."""

    control: bool = True
    """Whether there are control endpoints and the operator's page, under ``/_mock``."""

    now: Callable[[], float] = time.time
    """The time as seconds since 1970; a test puts its own clock here."""
