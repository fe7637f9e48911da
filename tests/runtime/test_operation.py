"""Facts of an operation, as the runtime holds them."""

from __future__ import annotations

import pickle

import pytest

from siteassist_runtime.operation import OperationInfo

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@pytest.mark.parametrize(
    ("method", "safe"),
    [("GET", True), ("POST", False), ("PUT", False), ("DELETE", False), ("PATCH", False)],
)
def test_only_reading_is_safe(method: str, safe: bool) -> None:
    """What changes something must not be done twice by a retry."""
    assert safe is OperationInfo("name", method, bearer=True).safe


def test_an_operation_is_a_value() -> None:
    """It can be compared, taken apart and used as a key."""
    operation = OperationInfo("getMe", "GET", bearer=True)
    assert ("getMe", "GET", True) == (operation.name, operation.method, operation.bearer)
    assert OperationInfo("getMe", "GET", bearer=True) == operation
    assert {operation: 1} == {OperationInfo("getMe", "GET", bearer=True): 1}
