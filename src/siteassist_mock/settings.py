"""The settings of a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class MockSettings:
    """The settings of one server; every field has a default that suits tests.

    Where a field has several texts, a single text is one of them.
    """

    api_key: str = field(default=API_KEY, repr=False)
    """The publishable key, for ``init`` and the parameter ``apiKey``."""

    private_key: str = field(default=PRIVATE_KEY, repr=False)
    """The private key, a bearer token with a visitor of its own."""

    database: Path | str | None = field(default=None, repr=False)
    """The database: an SQLite file, a URL such as ``postgresql://host/name``, or None.

    None keeps the state in memory.
    """

    session_seconds: float = 1800.0
    """Seconds after which an unused session token expires."""

    stream_delay: float = 0.0
    """Seconds to wait after each event of a stream."""

    seed: Path | None = None
    """File with the project, its keys, Q&As and pages; see `siteassist_mock.content.seed_file`."""

    script: Path | None = None
    """A file of scripted answers; see `siteassist_mock.content.script`."""

    faults: Sequence[str] = ()
    """Random faults, each ``NAME[=VALUE][:SHARE]``; see `siteassist_mock.faults.plan`."""

    fault_seed: int = 0
    """Seed of the choice of requests that get faults; the same seed repeats it."""

    rate_limits: Sequence[str] = ()
    """Rate limits per visitor or address, each such as ``60/m``."""

    quota: int | None = None
    """Number of messages that all visitors may send in total; None is unlimited."""

    grace_seconds: float = 10.0
    """Seconds for running requests when the server stops; see `make_server`."""

    strict: bool = False
    """Whether responses are checked against ``openapi.yaml`` as well."""

    control: bool = True
    """Whether there are control endpoints and the operator's page, under ``/_mock``."""

    now: Callable[[], float] = time.time
    """A function that returns the seconds since 1970; tests can replace it."""

    def __post_init__(self) -> None:
        """Put a single text into a tuple."""
        for name in ("faults", "rate_limits"):
            # A text is also a sequence of texts, one for each character.
            if isinstance(given := getattr(self, name), str):
                object.__setattr__(self, name, (given,))
