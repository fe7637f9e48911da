"""The baseline: violations that are accepted, so that they do not fail a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from siteassist_contract.findings import Violation
from siteassist_contract.report import files
from siteassist_contract.verdict import CannotRunError


def read(path: Path) -> frozenset[str]:
    """Return the keys in a baseline.

    Raises `CannotRunError` if it cannot be read.
    """
    document = files.read_json(path, "the baseline")
    keys = document.get("violations") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise CannotRunError(f"the baseline {path} has no list of strings named `violations`")
    return frozenset(keys)


def write(path: Path, violations: Iterable[Violation]) -> None:
    """Write a baseline that accepts ``violations``.

    Raises `CannotRunError` if it cannot be written.
    """
    document = {"violations": sorted(each.key for each in violations)}
    try:
        # People share this file, and may have put a link in its place.
        files.write(path.resolve(), json.dumps(document, indent=2) + "\n", private=False)
    except OSError as error:
        raise CannotRunError(f"the baseline {path}: {error.strerror}") from None
