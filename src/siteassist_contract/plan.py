"""What a run of the profile ``live`` will send: said before it begins, and held to by a test."""

from __future__ import annotations

from dataclasses import dataclass

from siteassist_contract.preflight import Target
from siteassist_contract.profiles import Profile


@dataclass(frozen=True)
class Plan:
    """Upper bounds of what a run sends."""

    requests: int
    conversations: int
    messages: int
    """Those that an assistant answers, completions included."""


def of(profile: Profile, target: Target) -> Plan:
    """Return what a run of a gentle profile sends at most."""
    visitors = 2 if target.api_key else 1
    return Plan(
        requests=700,
        conversations=14 + profile.conversations + 3 * visitors,
        messages=8,
    )
