"""Values used by many tests: the repository, and credentials and identifiers of the mock's data."""

from __future__ import annotations

from pathlib import Path

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY, PROJECT_ID, QNAS

__all__ = ["API_KEY", "BEARER", "PRIVATE_KEY", "PROJECT_ID", "QNA_ID", "ROOT", "UNKNOWN_ID"]

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""

QNA_ID = str(QNAS[0]["id"])
"""The first of the Q&As."""

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
"""An identifier that nothing has."""

BEARER = {"Authorization": f"Bearer {PRIVATE_KEY}"}
"""The header of a request with the private key."""
