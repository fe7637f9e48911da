"""The pytest plugin: a running mock server as a fixture.

pytest imports it in every run, so it imports the server only when a test needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def siteassist_mock_session() -> Iterator[Any]:
    """Run one server for the whole session; its state passes from test to test."""
    from siteassist_mock.testing import mock_server

    with mock_server() as mock:
        yield mock


@pytest.fixture
def siteassist_mock() -> Iterator[Any]:
    """Run a server for one test, which has it for itself, with pytest-xdist as well."""
    from siteassist_mock.testing import mock_server

    with mock_server() as mock:
        yield mock
