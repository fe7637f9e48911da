"""What a run of the profile ``live`` will send: said before it begins, and held to by a test."""

from __future__ import annotations

from dataclasses import dataclass

from siteassist_contract.description import operations
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import Profile
from siteassist_contract.rules import RULES


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
    # A second visitor tries to change an object of its own with each of these.
    isolated = [operations()[name] for name in RULES["isolation"].operations]
    changes = sum(operation.method != "GET" for operation in isolated) if target.api_key else 0
    return Plan(
        requests=700,
        conversations=20 + profile.conversations + 3 * visitors + changes,
        messages=8,
    )
