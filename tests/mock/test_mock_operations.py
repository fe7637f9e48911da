"""What the server reads in the description."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from siteassist_mock.operations import base_path, read_operations, resolve
from siteassist_spec import SpecError


def test_all_operations_are_read(spec: dict[str, Any]) -> None:
    """Fourteen operations, five of which take no bearer."""
    operations = {operation.operation_id: operation for operation in read_operations(spec)}
    assert len(operations) == 14
    assert {name for name, operation in operations.items() if not operation.needs_token} == {
        "init",
        "getProject",
        "getQnas",
        "getQna",
        "search",
    }


def test_an_operation_has_its_parameters_and_its_body(spec: dict[str, Any]) -> None:
    """References are followed; types, defaults and `required` are those of the schema."""
    operations = {operation.operation_id: operation for operation in read_operations(spec)}
    offset = operations["getConversations"].parameters[1]
    assert (offset.name, offset.place, offset.required) == ("offset", "query", False)
    assert (set(offset.types), offset.default) == ({"number", "null"}, 0)
    order_by = operations["getConversations"].parameters[3]
    assert (set(order_by.types), order_by.default) == ({"string"}, "lastInteractionAt")
    close, send = operations["closeConversation"].body, operations["sendMessage"].body
    assert close is not None
    assert send is not None
    assert (close.required, send.required) == (False, True)


def test_security_of_the_whole_description_counts(spec: dict[str, Any]) -> None:
    """An operation that says nothing takes what the top says."""
    changed = copy.deepcopy(spec)
    del changed["paths"]["/identity/init"]["post"]["security"]
    assert read_operations(changed)[0].needs_token


def test_the_base_path_is_that_of_the_server(spec: dict[str, Any]) -> None:
    """The mock serves below the same path as production."""
    assert base_path(spec) == "/v2"


@pytest.mark.parametrize("servers", [{}, {"servers": []}, {"servers": None}, {"servers": [{}]}])
def test_without_a_server_there_is_no_base_path(servers: dict[str, Any]) -> None:
    """The error names the key."""
    with pytest.raises(SpecError, match="`servers` names no address"):
        base_path(servers)


@pytest.mark.parametrize(
    ("spec_", "message"),
    [
        ({}, "`paths` is no mapping"),
        ({"paths": {"/a": {"get": {}}}}, "GET /a lacks 'operationId'"),
        ({"paths": {"/a": {"get": None}}}, "GET /a is malformed"),
        (
            {"paths": {"/a": {"get": {"operationId": "a", "parameters": [{"$ref": "#/no"}]}}}},
            "#/no leads nowhere",
        ),
    ],
)
def test_what_cannot_be_served_is_named(spec_: dict[str, Any], message: str) -> None:
    """A broken description ends with one line that gives the place."""
    with pytest.raises(SpecError, match=message):
        read_operations(spec_)


def test_references_may_lead_to_references() -> None:
    """The end of the chain comes back."""
    assert resolve({"a": {"$ref": "#/b"}, "b": {"c": 1}}, {"$ref": "#/a"}) == {"c": 1}
