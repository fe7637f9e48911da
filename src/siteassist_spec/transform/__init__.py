"""The other forms of the description: one converter for each.

`make publish` writes them into ``dist/``, `make languages` gives them to generators. All forms
accept and refuse the same payloads. A converter knows every construct that the description
uses; at any other it stops, with the place.
"""

from __future__ import annotations

from siteassist_spec.transform.dereferenced import dereference
from siteassist_spec.transform.openapi_3_0 import to_openapi_3_0
from siteassist_spec.transform.openapi_3_2 import to_openapi_3_2
from siteassist_spec.transform.rebuild import Change, UnknownConstructError, rebuild

__all__ = [
    "Change",
    "UnknownConstructError",
    "dereference",
    "rebuild",
    "to_openapi_3_0",
    "to_openapi_3_2",
]
