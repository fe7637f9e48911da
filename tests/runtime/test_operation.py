"""`OperationInfo`: the properties of an operation that the runtime needs."""

from __future__ import annotations

import pytest

from siteassist_runtime.operation import OperationInfo


@pytest.mark.parametrize(
    ("method", "safe"),
    [("GET", True), ("POST", False), ("PUT", False), ("DELETE", False), ("PATCH", False)],
)
def test_only_reading_is_safe(method: str, safe: bool) -> None:
    """Only GET is safe, so a retry never repeats a change."""
    assert safe is OperationInfo("name", method, bearer=True).safe


def test_operation_is_comparable_and_hashable() -> None:
    """Operations can be compared and hashed."""
    operation = OperationInfo("getMe", "GET", bearer=True)
    assert ("getMe", "GET", True) == (operation.name, operation.method, operation.bearer)
    assert OperationInfo("getMe", "GET", bearer=True) == operation
    assert {operation: 1} == {OperationInfo("getMe", "GET", bearer=True): 1}
