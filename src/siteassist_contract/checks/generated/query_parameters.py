"""Detection of query parameters that violate the description.

schemathesis can miss an accepted invalid value when another parameter of the same request
is valid, so the query of every accepted request is checked once more.
"""

from __future__ import annotations

import math

from siteassist_contract.description import operations, validator
from siteassist_contract.tolerance import sent_query
from siteassist_spec import Parameter


def faults(operation_id: str, url: str) -> list[str]:
    """Return the faults in the query of ``url``."""
    sent = sent_query(url)
    parameters = operations()[operation_id].places("query")
    found = (_fault(parameter, sent.get(parameter.name, [])) for parameter in parameters)
    return [fault for fault in found if fault is not None]


def _fault(parameter: Parameter, texts: list[str]) -> str | None:
    """Return the fault in the values of a parameter, or None.

    Empty and repeated values are not judged: the documents do not describe how a server
    reads them.
    """
    if not texts:
        return f"`{parameter.name}` is required" if parameter.required else None
    if len(texts) > 1 or not texts[0]:
        return None
    value = _read(parameter, texts[0])
    error = next(iter(validator(parameter.schema).iter_errors(value)), None)
    return None if error is None else f"`{parameter.name}`: {error.message}"


def _read(parameter: Parameter, text: str) -> object:
    """Return ``text`` as a server would read it."""
    if "null" in parameter.types and text == "null":
        return None
    if parameter.types & {"number", "integer"}:
        try:
            number = float(text)
        except ValueError:
            return text
        if math.isfinite(number):
            return int(number) if number.is_integer() else number
    return text
