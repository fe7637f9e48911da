"""Says in plain words how a server broke the contract, and with which requests."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from schemathesis.core import failures
from schemathesis.openapi import checks

from siteassist_contract.secrets import FILTERED

BODY_LIMIT = 300
"""How many characters of an answer are shown."""

_EXPECTED: dict[type[failures.Failure], str] = {
    failures.ServerError: "no request makes the server fail",
    failures.MalformedJson: "a body that is JSON",
    failures.AcceptedNegativeData: "a request that breaks the description is refused",
    checks.UndefinedStatusCode: "a documented status",
    checks.UndefinedContentType: "a documented media type",
    checks.MissingContentType: "a documented media type",
    checks.MalformedMediaType: "a documented media type",
    checks.JsonSchemaError: "a body that fits its schema",
    checks.ContentDeserializationError: "a body of its media type",
    checks.RejectedPositiveData: "a request that fits the description is accepted",
    checks.EnsureResourceAvailability: "what was created can be read",
    checks.IgnoredAuth: "a request without a valid token is refused with 401",
    checks.MissingHeaderNotRejected: "a request without its required header is refused",
    checks.ObjectLevelAuthorizationViolation: "nobody reads what is somebody else's",
}
_EXPECTED_BY_OURS = {
    "fitting_answer": "an answer that fits its request",
    "accepted_query": "a query that breaks the description is refused",
    "event_stream": "a stream when it is asked for, whole to its end",
}
"""What our own checks expect, by the names that `hooks` gives them."""
_SCHEMA = re.compile(r"\n\s*Schema( at [^\n]*)?:\n.*?(?=\n\s*Value:|\Z)", flags=re.DOTALL)
_IN_URL = "%5BFiltered%5D"


def describe(
    *,
    number: int,
    operation: str,
    failure: failures.Failure,
    received: tuple[int, str] | None,
    commands: Iterable[str],
) -> str:
    """Return one break as text: the operation, expected, received, and curl commands."""
    lines = [f"\nBreak {number}: {operation}", f"  expected: {_expected(failure)}"]
    if received is not None:
        lines.append(f"  received: {received[0]} {_shorten(received[1])}")
    if failure.message and not isinstance(failure, failures.ServerError):
        lines += ["  because:", textwrap.indent(_tidy(failure.message), "    ")]
    lines.append("  repeat with:")
    real = not isinstance(failure, checks.IgnoredAuth)
    lines += [textwrap.indent(runnable(command, real=real), "    ") for command in commands]
    return "\n".join(lines)


def _expected(failure: failures.Failure) -> str:
    for kind in type(failure).__mro__:
        if kind in _EXPECTED:
            return _EXPECTED[kind]
    name = failure.title.rpartition(": ")[2].strip("`")
    return _EXPECTED_BY_OURS.get(name, failure.title)


def _tidy(message: str) -> str:
    """Drop the schema that a message repeats in full, and blank lines."""
    message = _SCHEMA.sub("", message)
    return "\n".join(line for line in message.splitlines() if line.strip())


def _shorten(body: str) -> str:
    text = " ".join(body.split())
    return text if len(text) <= BODY_LIMIT else f"{text[:BODY_LIMIT]}… ({len(text)} characters)"


def runnable(command: str, *, real: bool) -> str:
    """Put shell variables where a curl command's secrets were filtered out.

    ``real`` is whether the request carried a valid token; a made-up one stays
    made up.
    """
    token = "$SITEASSIST_TOKEN" if real else "made-up"
    command = command.replace(
        f"'Authorization: {FILTERED}'", f'"Authorization: Bearer {token}"'
    ).replace(f"'Authorization: Bearer {FILTERED}'", f'"Authorization: Bearer {token}"')
    # Inside single quotes: leave them, let the shell put the key in, go on.
    key = "'\"$SITEASSIST_API_KEY\"'"
    return command.replace(_IN_URL, key).replace(FILTERED, key)
