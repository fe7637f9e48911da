"""Requests that are nearly right: each lenient server is found, and legal ones are not."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from siteassist_contract.checks import inputs
from siteassist_contract.checks.near_misses import near_misses
from siteassist_contract.description import operations
from siteassist_contract.findings import StopRun
from siteassist_contract.http.valid_requests import valid_requests
from siteassist_contract.profiles import FIRST, PROFILES
from siteassist_contract.rules import RULES
from tests.contract.conftest import require_kept
from tests.values import API_KEY, PRIVATE_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from tests.contract.conftest import Fault, Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter

IDS: dict[str, str] = dict.fromkeys(
    ("conversationId", "messageId", "projectId", "qnaId"), UNKNOWN_ID
)
Pairs = list[tuple[str, str]]


def changed(
    request: httpx.Request,
    *,
    method: str = "",
    path: str = "",
    query: Pairs | None = None,
    body: bytes | None = None,
) -> httpx.Request:
    """Return a copy of a request with other parts; a body gets the media type JSON."""
    headers = {n: v for n, v in request.headers.items() if n != "content-length"}
    if body is not None:
        headers["content-type"] = "application/json"
    raw = path or request.url.raw_path.decode().partition("?")[0]
    pairs = pairs_of(request) if query is None else query
    target = f"{raw}?{urlencode(pairs)}" if pairs else raw
    return httpx.Request(
        method or request.method,
        request.url.copy_with(raw_path=target.encode()),
        headers=headers,
        content=request.content if body is None else body,
    )


def pairs_of(request: httpx.Request) -> Pairs:
    """Return the query of a request."""
    return parse_qsl(request.url.query.decode(), keep_blank_values=True)


def queries(change: Callable[[str, str], str]) -> Callable[[], Fault]:
    """Return a server that reads each value of a query as ``change`` returns it."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        pairs = [(name, change(name, value)) for name, value in pairs_of(request)]
        return forward(changed(request, query=pairs))

    return lambda: fault


def bodies(change: Callable[[Any], Any]) -> Callable[[], Fault]:
    """Return a server that reads each JSON body as ``change`` returns it."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        try:
            value = json.loads(request.content)
        except (ValueError, RecursionError):
            return forward(request)
        found = change(value)
        unchanged = json.dumps(found) == json.dumps(value)
        if unchanged:
            return forward(request)
        return forward(changed(request, body=json.dumps(found).encode()))

    return lambda: fault


def texts(change: Callable[[bytes], bytes]) -> Callable[[], Fault]:
    """Return a server that reads the bytes of each body as ``change`` returns them."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        found = change(request.content)
        return forward(request if found == request.content else changed(request, body=found))

    return lambda: fault


def deep(change: Callable[[str, Any], Any]) -> Callable[[Any], Any]:
    """Return a function that changes each property of a value, at any depth."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: change(name, walk(item)) for name, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk


def leading_number(name: str, value: str) -> str:
    """Read a number up to the first other character."""
    found = re.match(r"\d+", value)
    return found[0] if found and name in ("limit", "offset", "size") else value


def octal(name: str, value: str) -> str:
    """Read a number with a zero before it to the base 8."""
    del name
    return str(int(value, 8)) if re.fullmatch("0[0-7]+", value) else value


def python_number(name: str, value: str) -> str:
    """Read a number as Python does."""
    try:
        return str(int(value)) if name in ("limit", "offset", "size") else value
    except ValueError:
        return value


def only(names: str, change: Callable[[Any], Any]) -> Callable[[str, Any], Any]:
    """Return a function that changes the values of some names."""
    return lambda name, value: change(value) if name in names.split() else value


def first_only(value: Any) -> Any:
    """Leave out the messages after the first one, as a server does that looks at no other."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return {**value, "messages": value["messages"][:1]}
    return value


def unwrapped(value: Any) -> Any:
    """Take a value out of an array."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def prefix_router(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Find an operation by the beginning of its path."""
    answer = forward(request)
    path = request.url.raw_path.decode().partition("?")[0]
    while answer.status_code == 404 and path.count("/") > 3:
        path = path.rpartition("/")[0]
        answer = forward(changed(request, path=path))
    return answer


def any_method(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Do for one method what another one does."""
    answer = forward(request)
    if answer.status_code == 405:
        return forward(changed(request, method=answer.headers["allow"].partition(",")[0]))
    return answer


def closes_by_get(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Close a conversation by a link."""
    if request.method == "GET" and request.url.path.endswith("/close"):
        return forward(changed(request, method="POST"))
    return forward(request)


def fails_at(what: Callable[[httpx.Request], bool]) -> Callable[[], Fault]:
    """Return a server that fails at some requests."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if what(request):
            error = {"message": "An internal server error occurred"}
            return httpx.Response(500, json={"error": error})
        return forward(request)

    return lambda: fault


def without_comments(body: bytes) -> bytes:
    """Leave out comments, as parsers of JSON5 do."""
    return re.sub(rb"/\*.*?\*/| // \w+$", b"", body)


def first_value(body: bytes) -> bytes:
    """Read one value, and ignore what follows."""
    with contextlib.suppress(ValueError):
        _, end = json.JSONDecoder().raw_decode(body.decode("utf-8", "replace"))
        return body[:end]
    return body


FAULTS: dict[str, tuple[Callable[[], Fault], str]] = {
    "numbers up to a letter": (queries(leading_number), "bounds"),
    "octal numbers": (queries(octal), "bounds"),
    "numbers of Python": (queries(python_number), "bounds"),
    "NaN for the default": (
        queries(lambda n, v: "10" if n in ("limit", "size") and v == "NaN" else v),
        "bounds",
    ),
    "infinite offsets": (
        queries(lambda n, v: "0" if n == "offset" and v == "Infinity" else v),
        "bounds",
    ),
    "words in any case": (
        queries(lambda _, v: v.lower() if v != v.lower() and v.isupper() else v),
        "bounds",
    ),
    "words in a list": (queries(lambda _, v: v.split(",")[0]), "bounds"),
    "words in quotes": (queries(lambda _, v: v.strip('"')), "bounds"),
    "null for no filter": (
        lambda: (
            lambda request, forward: forward(
                changed(request, query=[p for p in pairs_of(request) if p[1] != "null"])
            )
        ),
        "bounds",
    ),
    "the last of two numbers added": (
        lambda: (
            lambda request, forward: forward(
                changed(request, query=[("limit", "11")])
                if [n for n, _ in pairs_of(request)] == ["limit", "limit"]
                else request
            )
        ),
        "bounds",
    ),
    "texts for booleans": (
        bodies(deep(only("stream", lambda v: v == "true" if isinstance(v, str) else v))),
        "bounds",
    ),
    "false for no text": (
        bodies(deep(only("closeReason", lambda v: "" if v is False else v))),
        "bounds",
    ),
    "empty arrays for texts": (
        bodies(deep(only("title url textSelection", lambda v: None if v == [] else v))),
        "bounds",
    ),
    "zero for no context": (bodies(deep(only("context", lambda v: v or {}))), "bounds"),
    "an object in an array": (bodies(deep(only("pageContext", unwrapped))), "bounds"),
    "feedback with a capital": (
        bodies(deep(only("feedback", lambda v: v.lower() if isinstance(v, str) else v))),
        "bounds",
    ),
    "feedback in an array": (bodies(deep(only("feedback", unwrapped))), "bounds"),
    "empty feedback": (bodies(deep(only("feedback", lambda v: v or None))), "bounds"),
    "only the first message": (bodies(first_only), "bounds"),
    "paths for addresses": (
        bodies(
            deep(
                only(
                    "pageUrl",
                    lambda v: f"https://a.example{v}" if isinstance(v, str) and v[:1] == "/" else v,
                )
            )
        ),
        "bounds",
    ),
    "one value of several": (texts(first_value), "malformed-refused"),
    "NaN in a body": (texts(lambda body: body.replace(b"NaN", b"null")), "malformed-refused"),
    "commas at the end": (texts(lambda body: body.replace(b",}", b"}")), "malformed-refused"),
    "comments": (texts(without_comments), "malformed-refused"),
    "single quotes": (
        texts(lambda body: body.replace(b"'", b'"') if b'"' not in body else body),
        "malformed-refused",
    ),
    "an array of one body": (bodies(unwrapped), "malformed-refused"),
    "words of Python": (
        texts(lambda body: body.replace(b": True", b": true")),
        "malformed-refused",
    ),
    "a body as a text": (
        bodies(
            lambda value: json.loads(value) if isinstance(value, str) and "{" in value else value
        ),
        "malformed-refused",
    ),
    "deep bodies": (fails_at(lambda r: r.content.count(b"[") > 10_000), "no-server-error"),
    "long numbers": (fails_at(lambda r: b"9" * 5000 in r.content), "no-server-error"),
    "no media type": (
        fails_at(lambda r: bool(r.content) and "content-type" not in r.headers),
        "no-server-error",
    ),
    "bodies of GETs": (
        fails_at(lambda r: r.method == "GET" and bool(r.content)),
        "no-server-error",
    ),
    "parameters of media types": (
        lambda: (
            lambda request, forward: (
                httpx.Response(400, json={"error": {"message": "Not JSON"}})
                if "charset=utf-8" in request.headers.get("content-type", "")
                else forward(request)
            )
        ),
        "accepted",
    ),
    "paths by their beginning": (lambda: prefix_router, "no-such-path"),
    "any method": (lambda: any_method, "no-such-path"),
    "closing by a link": (lambda: closes_by_get, "no-such-path"),
}


@pytest.mark.sweep(14)
@pytest.mark.parametrize("name", FAULTS)
def test_lenient_server_is_found(name: str, shared: InProcess, make_context: MakeContext) -> None:
    """A server that accepts what is nearly right, or fails at it, is found."""
    make, rule = FAULTS[name]
    shared.fault = make()
    context = make_context(shared, profile=PROFILES["default"])
    context.findings.stop_at_first = True
    with contextlib.suppress(StopRun):
        for _, check, _ in inputs.CHECKS:
            check(context)
    assert [rule] == [each.rule for each in context.findings.violations.values()]


def usual_numbers(name: str, value: str) -> str:
    """Read a number as many parsers do, and an empty value as the default."""
    if name not in ("limit", "offset", "size"):
        return value.strip()
    try:
        return str(int(value.strip(), 16 if "x" in value else 10))
    except ValueError:
        return str(int(float(value))) if re.fullmatch(r"[\d.]+e?\d*", value) else value


def last_values(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Use the last of several values, and ignore empty ones."""
    found = {name: value for name, value in pairs_of(request) if value}
    return forward(changed(request, query=list(found.items())))


def slashes(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Redirect to a path with a slash where nothing is found, and answer 501 to other methods."""
    answer = forward(request)
    if answer.status_code == 405:
        return httpx.Response(501, text="Not implemented")
    if answer.status_code == 404 and not answer.json()["error"].get("details"):
        return httpx.Response(308, headers={"Location": f"{request.url.path}/"})
    return answer


LEGAL: dict[str, Callable[[], Fault]] = {
    "usual numbers": queries(
        lambda n, v: v if re.search("[^\x20-\x7e]|_|,", v) else usual_numbers(n, v)
    ),
    "last values": lambda: last_values,
    "slashes": lambda: slashes,
    "byte order marks": texts(lambda body: body.removeprefix(b"\xef\xbb\xbf")),
    "UTF-16": texts(
        lambda body: body.decode("utf-16").encode() if body[:2] == b"\xff\xfe" else body
    ),
}


@pytest.mark.sweep(5)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", [None, *LEGAL])
def test_legal_server_has_no_violation(
    name: str | None, whole: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """What the documents leave open is no violation, and the rules of paths are tested."""
    shared.fault = None if name is None else LEGAL[name]()
    context = make_context(shared, profile=PROFILES["default"])
    context.size = context.profile.size if whole else FIRST
    require_kept(context, inputs.CHECKS)
    due = {("no-such-path", each) for each in RULES["no-such-path"].operations}
    assert due <= set(context.findings.tested)


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": None, "token": PRIVATE_KEY},
        {"profile": PROFILES["live"]},
    ],
    ids=["token", "live"],
)
def test_credentials_and_production(
    options: dict[str, Any], shared: InProcess, make_context: MakeContext
) -> None:
    """With one token, and on a server in production, the checks have no violation either."""
    shared.fault = None
    context = make_context(shared, **{"profile": PROFILES["default"], **options})
    for _, check, _ in inputs.CHECKS:
        check(context)
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}


def test_every_place_has_near_misses() -> None:
    """Each parameter in a query but keys, and each property of a body, has several near misses."""
    for name, request in valid_requests(IDS, API_KEY).items():
        found = list(near_misses(request))
        places = {miss.place.split("/")[-1] for miss in found}
        described = {p.name for p in operations()[name].places("query")} - {"apiKey"}
        assert described <= places
        assert set(request.body or ()) <= places
        seen = [(m.place, repr(m.query), repr(m.request.body)) for m in found]
        assert len(seen) == len(set(seen))
