"""Profiles: how thorough a run is, and how much load it causes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """The size of the journeys."""

    conversations: int
    """Number of conversations of a visitor whose lists are tested."""
    messages: int
    """Minimum number of messages in one conversation."""
    whole: bool = True
    """Whether a journey does all its steps, or each kind of step once."""


FIRST = Size(conversations=4, messages=1, whole=False)
"""The size of the journeys that test every rule once, before anything is tested further."""


@dataclass(frozen=True)
class Profile:
    """The limits of a run."""

    name: str
    words: str
    examples: int
    """Maximum number of generated requests per operation and phase; 0 generates none."""
    seconds: float
    """Duration of random steps, in seconds; 0 leaves them out."""
    conversations: int
    """Number of conversations of a visitor whose lists are tested."""
    messages: int
    """Minimum number of messages in one conversation."""
    per_second: float | None = None
    """Maximum number of requests per second."""
    gentle: bool = False
    """Whether the server is in production: no generated requests, few messages, all closed."""
    limit: float = 3600.0
    """Default maximum duration of a run with its reports, in seconds."""
    rounds: bool = False
    """Whether to repeat with other seeds until the time is up."""

    @property
    def size(self) -> Size:
        """The size of the journeys."""
        return Size(self.conversations, self.messages)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", "under 30 seconds: after every change", 20, 4, 12, 6, limit=28),
        Profile("default", "under 90 seconds: before every merge", 100, 20, 24, 12, limit=88),
        Profile(
            "deep",
            "until --time is up, half an hour by default",
            300,
            60,
            60,
            30,
            limit=1800,
            rounds=True,
        ),
        Profile(
            "live",
            "for a production service: slow, few messages, closes its conversations",
            0,
            0,
            3,
            1,
            per_second=2,
            gentle=True,
        ),
    )
}
