"""Converters of the description to other forms, one for each form.

`make publish` writes the forms to ``dist/``, and `make languages` passes them to generators.
All forms accept and reject the same payloads, but for two exceptions of OpenAPI 3.0: integers
written as ``1.0``, and the content of an event's ``data``. A converter supports every construct
that the description uses, and raises an error with the place for any other construct.
"""

from __future__ import annotations

from siteassist_spec.transform.asyncapi import to_asyncapi
from siteassist_spec.transform.dereferenced import dereference
from siteassist_spec.transform.openapi_3_0 import to_openapi_3_0
from siteassist_spec.transform.openapi_3_2 import to_openapi_3_2
from siteassist_spec.transform.rebuild import Change, UnknownConstructError, rebuild
from siteassist_spec.transform.rest_only import rest_only

__all__ = [
    "Change",
    "UnknownConstructError",
    "dereference",
    "rebuild",
    "rest_only",
    "to_asyncapi",
    "to_openapi_3_0",
    "to_openapi_3_2",
]
