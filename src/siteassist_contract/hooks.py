"""What schemathesis loads from us, by the name that ``schemathesis.toml`` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import schemathesis

from siteassist_contract import checks, tolerance

if TYPE_CHECKING:
    from schemathesis.core.failures import Failure


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext,  # noqa: ARG001  # the hook's signature
    failure: Failure,
    case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """Drop failures that the documents give no ground for."""
    return not tolerance.is_tolerated(
        failure,
        str(response.request.url),
        response.status_code,
        tolerance.altered_query(case),
    )


@schemathesis.check
def event_stream(
    ctx: schemathesis.CheckContext,  # noqa: ARG001  # the check's signature
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> None:
    """Find streams that come unasked, stay out, or do not end as documented."""
    extension = _extension(case)
    if extension is None or response.status_code != 200:  # noqa: PLR2004  # where it stands
        return
    content_type = next(iter(response.headers.get("content-type") or ()), "")
    fault = checks.wrong_form(extension, case.body, content_type)
    if fault is None and content_type.startswith(checks.STREAM):
        fault = checks.wrong_end(extension, response.content.decode("utf-8", "replace"))
    if fault is not None:
        raise AssertionError(fault)


def _extension(case: schemathesis.Case[Any]) -> dict[str, Any] | None:
    """Return what ``openapi.yaml`` says of the stream that the operation can answer with."""
    definition = case.operation.definition.raw["responses"].get("200", {})
    extension: dict[str, Any] | None = definition.get("x-event-stream")
    return extension
