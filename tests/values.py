"""Values that many tests use: the repository, credentials and identifiers of the mock's data."""

from __future__ import annotations

from pathlib import Path

from siteassist_mock.content.seed import API_KEY, PRIVATE_KEY, PROJECT_ID, QNAS

__all__ = [
    "ANSWERS",
    "API_KEY",
    "BEARER",
    "PRIVATE_KEY",
    "PROJECT_ID",
    "QNA_ID",
    "ROOT",
    "UNKNOWN_ID",
]

ROOT = Path(__file__).resolve().parents[1]
"""The folder of the repository."""

ANSWERS = ROOT / "docs" / "how-to" / "answers.yaml"
"""The script of answers of the documentation."""

QNA_ID = str(QNAS[0]["id"])
"""The identifier of the first Q&A."""

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
"""An identifier that no object has."""

BEARER = {"Authorization": f"Bearer {PRIVATE_KEY}"}
"""The header of a request with the private key."""
