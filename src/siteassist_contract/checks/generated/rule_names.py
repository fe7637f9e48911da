"""The rules that failures of schemathesis violate."""

from __future__ import annotations

import re

from schemathesis.core import failures
from schemathesis.openapi import checks

DESCRIBED = "described"

_RULES: dict[type[failures.Failure], str] = {
    failures.ServerError: "no-server-error",
    failures.MalformedJson: DESCRIBED,
    failures.AcceptedNegativeData: "bounds",
    checks.UndefinedStatusCode: DESCRIBED,
    checks.UndefinedContentType: DESCRIBED,
    checks.MissingContentType: DESCRIBED,
    checks.MalformedMediaType: DESCRIBED,
    checks.JsonSchemaError: DESCRIBED,
    checks.ContentDeserializationError: DESCRIBED,
    checks.RejectedPositiveData: "accepted",
    checks.EnsureResourceAvailability: "read-back",
    checks.IgnoredAuth: "token-required",
    checks.MissingHeaderNotRejected: "token-required",
    checks.ObjectLevelAuthorizationViolation: "isolation",
}
_BY_CHECK = {
    "not_a_server_error": "no-server-error",
    "status_code_conformance": DESCRIBED,
    "content_type_conformance": DESCRIBED,
    "response_headers_conformance": DESCRIBED,
    "response_schema_conformance": DESCRIBED,
    "negative_data_rejection": "bounds",
    "positive_data_acceptance": "accepted",
    "ensure_resource_availability": "read-back",
    "ignored_auth": "token-required",
    "missing_required_header": "token-required",
    "object_level_authorization": "isolation",
    "fitting_answer": "fits-request",
    "accepted_query": "bounds",
    "event_stream": "stream-end",
}
OTHER = "made-up-requests"
"""The rule of all other checks that schemathesis may have."""
_SCHEMA = re.compile(r"\n\s*Schema( at [^\n]*)?:\n.*?(?=\n\s*Value:|\Z)", flags=re.DOTALL)


def rule_of(failure: failures.Failure, check: str) -> str:
    """Return the rule that ``failure`` of ``check`` violates."""
    for kind in type(failure).__mro__:
        if kind in _RULES:
            return _RULES[kind]
    return rule_of_check(check)


def rule_of_check(check: str) -> str:
    """Return the rule that ``check`` tests."""
    return _BY_CHECK.get(check, OTHER)


def tidy(message: str) -> str:
    """Drop the schema that a message repeats in full, and blank lines."""
    message = _SCHEMA.sub("", message)
    return "\n".join(line.strip() for line in message.splitlines() if line.strip())
