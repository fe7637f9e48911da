"""Each mutant is a fault, and the mock without it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.mutants.catalogue import MUTANTS
from tests.mutants.faulty import Server
from tests.mutants.in_process import in_process
from tests.mutants.mutant import Mutant
from tests.mutants.probing import Api

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clean() -> Iterator[Api]:
    """Run a mock without a fault, but with all that a fault is put into."""
    with in_process(Server().app()) as http:
        yield Api(http)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_told_from_the_mock(mutant: Mutant, clean: Api) -> None:
    """Plain requests find the fault, and find none in the mock."""
    mutant.probe(clean)
    with in_process(mutant.app()) as http, pytest.raises(AssertionError):
        mutant.probe(Api(http))
