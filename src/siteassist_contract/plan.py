"""The requests of a run of the profile ``live``, which it prints before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from siteassist_contract.description import operations
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import Profile
from siteassist_contract.rules import RULES


@dataclass(frozen=True)
class Plan:
    """Upper bounds on the requests of a run."""

    requests: int
    conversations: int
    messages: int
    """Messages that an assistant answers, and completions."""


def of(profile: Profile, target: Target) -> Plan:
    """Return the upper bounds for a gentle profile."""
    visitors = 2 if target.has_two_visitors else 1
    # A second visitor tries to change one object with each of these operations.
    isolated = [operations()[name] for name in RULES["isolation"].operations]
    changes = sum(operation.method != "GET" for operation in isolated) if visitors > 1 else 0
    return Plan(
        requests=700,
        conversations=20 + profile.conversations + 3 * visitors + changes,
        messages=8,
    )
