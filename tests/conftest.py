"""What all tests rest on: a description that can be read."""

from __future__ import annotations

import pytest

from siteassist_spec import SpecError, load_spec


def pytest_configure() -> None:
    """Say in one line what is wrong with ``openapi.yaml``, before hundreds of tests do."""
    try:
        load_spec()
    except SpecError as error:
        raise pytest.UsageError(str(error)) from None
