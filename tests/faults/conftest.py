"""No coverage for the tests of the faults."""

import pytest


@pytest.fixture(autouse=True)
def _unmeasured(no_cover: None) -> None:
    """Exclude these tests from coverage, which doubles their time.

    They prove what the suite finds. That each of its branches works is proven in
    tests/contract.
    """
