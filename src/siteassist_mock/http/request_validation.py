"""Validation of requests with ``openapi.yaml``.

The statuses are those of the status codes page: 400 for a malformed body or
parameter, 422 for a well-formed body in which a text has an invalid length.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import jsonschema_rs
from starlette.datastructures import Headers

from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.json_parser import parse_json
from siteassist_mock.http.parameters import coerce, parse_query
from siteassist_spec import Body, Parameter, SpecError

_LENGTHS = frozenset({"minLength", "maxLength"})
_NO_FORM = "matches none of the allowed forms"
_TYPES = {"null": "null", "object": "an object", "array": "an array", "integer": "an integer"}
"""The names of types in a sentence; that of the others has an ``a``."""
_AS_DOCUMENTED = {"content": "Content"}
"""Fields at the beginning of a sentence of the documents, such as "Content is required".

Any other field is spelled as it is in a request.
"""


class RequestValidator:
    """The validator of the requests of one operation."""

    def __init__(
        self,
        name: str,
        parameters: Iterable[Parameter],
        body: Body | None,
        spec: Mapping[str, Any],
    ) -> None:
        """Compile the schemas of the operation ``name``; their references lead into ``spec``.

        Raises `SpecError` if a schema is not valid.
        """
        by_place: dict[str, list[Parameter]] = {"path": [], "query": [], "header": []}
        for parameter in parameters:
            by_place[parameter.place].append(parameter)
        self._path_parameters = by_place["path"]
        self._query_parameters = by_place["query"]
        self._header_parameters = by_place["header"]
        self._body = body
        self._path_validator = compile_schema(name, _object_schema(by_place["path"]), spec)
        self._query_validator = compile_schema(name, _object_schema(by_place["query"]), spec)
        self._header_validator = compile_schema(name, _object_schema(by_place["header"]), spec)
        self._body_validator = None if body is None else compile_schema(name, body.schema, spec)

    def path(self, given: Mapping[str, str]) -> dict[str, Any]:
        """Return the path parameters, each with its declared type; UUIDs in lower case.

        Raises `ApiError` 400 if one is not valid.
        """
        if not self._path_parameters:
            return {}
        values = {
            parameter.name: _single(parameter, [given[parameter.name]])
            for parameter in self._path_parameters
        }
        _check_parameters(self._path_validator, values)
        for parameter in self._path_parameters:
            if parameter.resolved.get("format") == "uuid":
                values[parameter.name] = values[parameter.name].lower()
        return values

    def query(self, raw: bytes) -> dict[str, Any]:
        """Return the declared query parameters of the query string ``raw``.

        One that is absent or null has its default, or None without one; unknown
        names are ignored. Raises `ApiError` 400 if one is missing, not valid,
        or given more than once.
        """
        if not self._query_parameters:
            return {}
        try:
            given = parse_query(raw)
        except ValueError:
            raise ApiError(
                400,
                code="INVALID_PARAMETER",
                message="Invalid parameter. The query string is not UTF-8.",
                details={"field": None, "reason": "The query string is not UTF-8"},
            ) from None
        return _values(self._query_parameters, self._query_validator, given)

    def headers(self, headers: Headers) -> dict[str, Any]:
        """Return the declared header parameters, by their declared names.

        Absent ones have their default. Raises `ApiError` 400 like `query`.
        """
        if not self._header_parameters:
            return {}
        given = {
            parameter.name: values
            for parameter in self._header_parameters
            if (values := headers.getlist(parameter.name))
        }
        return _values(self._header_parameters, self._header_validator, given)

    def body(self, content_type: str | None, raw: bytes) -> Any:
        """Return the value of the body ``raw``, or None if it is optional and absent.

        Raises `ApiError` 400 if it is missing or malformed, and 422 if only the
        length of a text is invalid.
        """
        if self._body is None or self._body_validator is None:
            return None
        if not raw:
            if self._body.required:
                raise _invalid_body("", "A body is required")
            return None
        # A 415 is not documented, so a wrong media type counts as a malformed body.
        if not _is_json(content_type):
            raise _invalid_body("", "The media type of the body must be application/json")
        try:
            value = parse_json(raw)
        except ValueError as error:
            raise _invalid_body("", f"The body {error}") from None
        if not self._body_validator.is_valid(value):
            _refuse_body(self._body_validator.iter_errors(value))
        return value


def _values(
    parameters: Iterable[Parameter],
    validator: jsonschema_rs.Draft202012Validator,
    given: Mapping[str, list[str]],
) -> dict[str, Any]:
    values = {
        parameter.name: _single(parameter, given[parameter.name])
        for parameter in parameters
        if parameter.name in given
    }
    _check_parameters(validator, values)
    return {
        parameter.name: parameter.default
        if (value := values.get(parameter.name)) is None
        else value
        for parameter in parameters
    }


def _object_schema(parameters: Iterable[Parameter]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {parameter.name: parameter.schema for parameter in parameters},
        "required": [parameter.name for parameter in parameters if parameter.required],
    }


def compile_schema(
    operation_id: str, schema: Mapping[str, Any], spec: Mapping[str, Any]
) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of ``schema``, whose references lead into ``spec``.

    Raises `SpecError`, which names the operation, if the schema is not valid.
    """
    # A schema with references needs "#/components/schemas/…". Others do without,
    # which makes their compilation much faster.
    whole = dict(schema)
    if "$ref" in str(schema):
        whole["components"] = {"schemas": spec.get("components", {}).get("schemas", {})}
    try:
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True, mask="The value")
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(f"openapi.yaml: {operation_id}: {reason}") from None


def _single(parameter: Parameter, values: list[str]) -> Any:
    if len(values) > 1:
        raise _invalid_parameter(parameter.name, "is given more than once")
    try:
        return coerce(values[0], parameter.types)
    except ValueError as error:
        raise _invalid_parameter(parameter.name, str(error)) from None


def _check_parameters(
    validator: jsonschema_rs.Draft202012Validator, values: Mapping[str, Any]
) -> None:
    if not validator.is_valid(values):
        first, *others = validator.iter_errors(values)
        raise _invalid_parameter(_field(first), f"{_reason(first)}{_more(others)}")


def _refuse_body(errors: Iterable[jsonschema_rs.ValidationError]) -> NoReturn:
    # Other errors come before lengths, which matter only in a well-formed body.
    first, *others = sorted(errors, key=lambda error: error.kind.name in _LENGTHS)
    field, reason = _field(first), f"{_reason(first)}{_more(others)}"
    if first.kind.name in _LENGTHS:
        raise ApiError(422, details={"field": field, "reason": f"{_subject(field)} {reason}"})
    raise _invalid_body(field, f"{_subject(field)} {reason}")


def describe(errors: Iterable[jsonschema_rs.ValidationError]) -> str:
    """Return a sentence with the first field and its problem, but without the value."""
    first, *others = errors
    return f"{_field(first) or 'the body'} {_reason(first)}{_more(others)}"


def _more(others: Sequence[object]) -> str:
    """Return how many problems a sentence does not name."""
    return f", and {len(others)} more" if others else ""


def _field(error: jsonschema_rs.ValidationError) -> str:
    path = [str(step) for step in error.instance_path]
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        path.append(error.kind.property)
    return ".".join(path)


def _reason(error: jsonschema_rs.ValidationError) -> str:
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required():
            return "is required"
        case jsonschema_rs.ValidationErrorKind.MaxLength(limit=limit):
            return f"exceeds maximum length of {limit} characters"
        case jsonschema_rs.ValidationErrorKind.MinLength(limit=limit):
            return f"is below minimum length of {limit} characters"
        case jsonschema_rs.ValidationErrorKind.AnyOf(context=branches):
            return _none_of(branches, len(list(error.instance_path)))
        case jsonschema_rs.ValidationErrorKind.OneOfNotValid(context=branches):
            return _none_of(branches, len(list(error.instance_path)))
        case jsonschema_rs.ValidationErrorKind.Constant(expected_value=value):
            return f"must be {json.dumps(value)}"
        case jsonschema_rs.ValidationErrorKind.Enum(options=options):
            return f"is not one of {_either([json.dumps(value) for value in options])}"
        case _:
            # The value is masked in the message.
            return error.message.removeprefix("The value ")


def _none_of(branches: Iterable[Sequence[jsonschema_rs.ValidationError]], depth: int) -> str:
    """Return the allowed values or types of alternatives, of which none matches.

    ``depth`` is that of the value. Objects are told apart by the values of one member.
    """
    allowed: dict[tuple[str, ...], list[str]] = {}
    for errors in branches:
        # The values say more than their type.
        for error in sorted(errors, key=lambda error: error.kind.name == "type"):
            if named := _allowed(error):
                place = tuple(str(step) for step in list(error.instance_path)[depth:])
                allowed.setdefault(place, []).extend(named)
                break
        else:
            return _NO_FORM
    if len(allowed) != 1:
        return _NO_FORM
    ((place, values),) = allowed.items()
    either = f"must be {_either(dict.fromkeys(values))}"
    return f"{_NO_FORM}: {'.'.join(place)} {either}" if place else either


def _either(values: Iterable[str]) -> str:
    """Return alternatives, of which there is one at least."""
    *most, last = values
    return f"{', '.join(most)} or {last}" if most else last


def _allowed(error: jsonschema_rs.ValidationError) -> list[str]:
    """Return the values or types that a refused value may have."""
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Enum(options=options):
            return [json.dumps(value) for value in options]
        case jsonschema_rs.ValidationErrorKind.Constant(expected_value=value):
            return [json.dumps(value)]
        case jsonschema_rs.ValidationErrorKind.Type(types=types):
            return [_TYPES.get(name, f"a {name}") for name in types]
        case _:
            return []


def _subject(field: str) -> str:
    """Return the beginning of a sentence: the field as it is spelled."""
    return _AS_DOCUMENTED.get(field, field) or "The body"


def _is_json(content_type: str | None) -> bool:
    media_type, *options = (content_type or "").lower().split(";")
    charsets = [option.strip() for option in options if option.strip().startswith("charset=")]
    return media_type.strip() == "application/json" and all(
        charset.removeprefix("charset=").strip('"') == "utf-8" for charset in charsets
    )


def _invalid_parameter(field: str, reason: str) -> ApiError:
    reason = f"{_subject(field)} {reason}"
    return ApiError(
        400,
        code="INVALID_PARAMETER",
        message=f"Invalid parameter. {reason}.",
        details={"field": field, "reason": reason},
    )


def _invalid_body(field: str, reason: str) -> ApiError:
    return ApiError(
        400,
        message=f"Invalid request body. {reason}.",
        details={"field": field or "body", "reason": reason},
    )
