"""Hooks and checks that schemathesis loads, as configured in ``schemathesis.toml``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import schemathesis
from hypothesis.strategies import SearchStrategy, just
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData

from siteassist_contract import description, tolerance
from siteassist_contract.checks.generated import (
    emitter,
    fitting_answers,
    hard_texts,
    query_parameters,
    rule_names,
    stream_checks,
)
from siteassist_contract.description import operations
from siteassist_contract.http import redaction
from siteassist_contract.http.json_reader import read_json
from siteassist_spec import EVENT_STREAM

_P = ParamSpec("_P")
_R = TypeVar("_R")
_OF_HTTP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""The headers that belong to the connection, not to the API."""
_memory = tolerance.Memory()
_shortened: set[str] = set()
"""The ids of requests without some of their headers.

schemathesis takes the headers that are left for valid ones, an invalid token included.
"""
secrets_of_run = redaction.Filter(
    map(os.environ.get, (redaction.API_KEY, redaction.TOKEN, redaction.SECOND_TOKEN))
)
"""The secrets to redact in all output. Each new session adds its token."""


class FaultError(AssertionError):
    """A violation that a check has found."""


def _reported(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Report unexpected errors of a hook or check, which schemathesis may take for failures."""

    @functools.wraps(function)
    def call(*args: _P.args, **options: _P.kwargs) -> _R:
        try:
            return function(*args, **options)
        except FaultError:
            raise
        except Exception as error:
            emitter.report(error)
            raise

    return call


@schemathesis.hook
@_reported
def flatmap_body(context: schemathesis.HookContext, body: Any) -> SearchStrategy[Any]:
    """Mix hard texts into generated bodies."""
    return _mixed(context, body, in_query=False)


@schemathesis.hook
@_reported
def flatmap_query(context: schemathesis.HookContext, query: Any) -> SearchStrategy[Any]:
    """Mix hard texts into generated queries."""
    return _mixed(context, query, in_query=True)


@schemathesis.hook
@_reported
def before_call(
    context: schemathesis.HookContext,
    case: schemathesis.Case[Any],
    kwargs: dict[str, Any],
) -> None:
    """Leave out generated headers of HTTP itself; send random messages to open conversations.

    A server refuses an invalid ``Transfer-Encoding`` before it knows of any operation.
    A closed conversation could otherwise receive all messages, since schemathesis draws the
    same values from earlier answers again and again.
    """
    for name in [name for name in case.headers or {} if name.lower() in _OF_HTTP]:
        del case.headers[name]
        _shortened.add(case.id)
    fuzzing = case.meta is not None and case.meta.phase.name == TestPhase.FUZZING
    if fuzzing and _operation_id(case) == "sendMessage":
        drawn = str(case.path_parameters.get("conversationId"))
        instead = _memory.open_instead_of(drawn)
        if instead is not None:
            case.path_parameters["conversationId"] = instead


@schemathesis.hook
@_reported
def after_call(
    context: schemathesis.HookContext,
    case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> None:
    """Redact secrets in the answer, and remember its objects."""
    header = str(response.request.headers.get("Authorization") or "")
    secrets_of_run.add_token(header.partition(" ")[2])
    content = tolerance.respelled(secrets_of_run.body(response.content))
    is_text = _content_type(response).startswith(description.PLAIN)
    response.content = content if is_text else tolerance.encodable(content)
    _memory.observe(_exchange(case, response))


@schemathesis.hook
@_reported
def filter_failure(
    context: schemathesis.HookContext,
    failure: Failure,
    case: schemathesis.Case[Any],
    response: schemathesis.Response,
) -> bool:
    """Drop failures for circumstances, and for behaviour that the documents permit."""
    if response.status_code in tolerance.CIRCUMSTANCES:
        # Only the body of such a refusal is judged.
        return rule_names.rule_of(failure, "") == rule_names.DESCRIBED
    if isinstance(failure, RejectedPositiveData):
        return case.id not in _shortened and not _memory.may_be_refused(_exchange(case, response))
    if isinstance(failure, AcceptedNegativeData):
        return not tolerance.may_be_accepted(_exchange(case, response))
    return True


@schemathesis.deserializer("text/plain")
@_reported
def plain_text(
    ctx: schemathesis.DeserializationContext,
    response: schemathesis.Response,
) -> str:
    """Decode plain text, which schemathesis would otherwise not check."""
    return response.content.decode("utf-8")


@schemathesis.check
@_reported
def event_stream(
    ctx: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> None:
    """Check that an answer has the requested form, and that a stream ends as documented."""
    documented = operations()[_operation_id(case)].responses.get(response.status_code)
    stream = None if documented is None else documented.stream
    if stream is None:
        return
    content_type = _content_type(response)
    fault = stream_checks.wrong_form(stream, case.body, content_type)
    if fault is None and content_type.startswith(EVENT_STREAM):
        fault = stream_checks.wrong_end(stream, response.content.decode("utf-8", "replace"))
    if fault is not None:
        raise FaultError(fault)


@schemathesis.check
@_reported
def accepted_query(
    ctx: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> None:
    """Check that no request with an invalid query was accepted."""
    if _is_accepted(case, response):
        faults = query_parameters.faults(_operation_id(case), str(response.request.url))
        if faults:
            raise FaultError("accepted despite an invalid query: " + "; ".join(faults))


@schemathesis.check
@_reported
def fitting_answer(
    ctx: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case[Any],
) -> None:
    """Check that an answer matches its own request."""
    if _is_accepted(case, response):
        faults = fitting_answers.faults(_exchange(case, response))
        # An answer that does not match the description proves nothing else.
        if faults and not _misfits(case, response):
            raise FaultError("; ".join(faults))


def _mixed(context: schemathesis.HookContext, value: Any, *, in_query: bool) -> SearchStrategy[Any]:
    if context.operation is None:
        return just(value)
    name: str = context.operation.definition.raw["operationId"]
    return hard_texts.mixed_in(name, value, in_query=in_query)


def _misfits(case: schemathesis.Case[Any], response: schemathesis.Response) -> list[str]:
    return description.faults(
        _operation_id(case), response.status_code, _content_type(response), response.content
    )


def _content_type(response: schemathesis.Response) -> str:
    return next(iter(response.headers.get("content-type") or ()), "")


def _is_accepted(case: schemathesis.Case[Any], response: schemathesis.Response) -> bool:
    # schemathesis may deliberately send a request with another method.
    described = response.request.method == case.operation.method.upper()
    return described and 200 <= response.status_code < 300


def _operation_id(case: schemathesis.Case[Any]) -> str:
    name: str = case.operation.definition.raw["operationId"]
    return name


def _exchange(
    case: schemathesis.Case[Any], response: schemathesis.Response
) -> tolerance.GeneratedCall:
    try:
        answer = read_json(response.content)
    except ValueError:
        answer = None
    return tolerance.GeneratedCall(
        operation_id=_operation_id(case),
        url=str(response.request.url),
        path=case.path_parameters or {},
        body=case.body,
        altered=tolerance.altered_query(case),
        status=response.status_code,
        answer=answer,
    )
