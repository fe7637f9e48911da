"""Each mutant is a fault, and the mock without it is not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from siteassist_mock.testing import serving
from tests.mutants.catalogue import MUTANTS, chosen
from tests.mutants.faulty import Server
from tests.mutants.mutant import CLASSES, Mutant
from tests.mutants.probing import Api

ROOT = Path(__file__).resolve().parents[2]


def connected(url: str) -> httpx.Client:
    """Return a client of the server at ``url``."""
    return httpx.Client(base_url=url, timeout=20, trust_env=False)


@pytest.fixture(scope="module")
def clean() -> Iterator[Api]:
    """Run a mock without a fault, but with all that a fault is put into."""
    with serving(Server().app()) as url, connected(url) as http:
        yield Api(http)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_told_from_the_mock(mutant: Mutant, clean: Api) -> None:
    """Plain requests find the fault, and find none in the mock."""
    mutant.probe(clean)
    with serving(mutant.app()) as url, connected(url) as http, pytest.raises(AssertionError):
        mutant.probe(Api(http))
