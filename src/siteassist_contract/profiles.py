"""How deep a run goes, and how kind it is to the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """One way to run."""

    name: str
    words: str
    examples: int
    """How many requests to make up per operation and phase, at most; 0 leaves them out."""
    seconds: float
    """How long to walk through random behaviour, in seconds; 0 leaves it out."""
    conversations: int
    """How many conversations a visitor starts whose lists are looked at."""
    messages: int
    """How many messages one conversation gets, at least."""
    per_second: float | None = None
    """How many requests a second at most."""
    gentle: bool = False
    """Whether each message costs somebody money: no made-up requests, few messages, all closed."""
    limit: float = 3600.0
    """How long a run takes at most, in seconds, if the user does not say."""
    rounds: bool = False
    """Whether to begin again, with other seeds, until the time is up."""


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("quick", "under 30 seconds: after every change", 20, 4, 12, 6, limit=24),
        Profile("default", "under 90 seconds: before every merge", 100, 20, 24, 12, limit=85),
        Profile(
            "deep",
            "as long as --time says, half an hour by default",
            300,
            60,
            60,
            30,
            limit=1800,
            rounds=True,
        ),
        Profile(
            "live",
            "kind to a production service: slow, few messages, closes what it opened",
            0,
            0,
            3,
            1,
            per_second=2,
            gentle=True,
        ),
    )
}
