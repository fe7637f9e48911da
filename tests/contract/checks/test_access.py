"""Doors to others' data: each is found, and servers that keep them shut in other ways are not."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import unicodedata
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx
import pytest

from siteassist_contract.checks import access
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.findings import StopRun, Violation
from siteassist_contract.profiles import FIRST, PROFILES
from siteassist_contract.rules import RULES
from tests import in_process
from tests.contract.conftest import require_kept
from tests.faults import checking
from tests.faults.edits import change, edit
from tests.faults.faulty import Server
from tests.faults.variants import VARIANTS
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Fault, Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter

Json = dict[str, Any]


class Known:
    """A fault that knows the sessions and the owners of conversations, as a server does."""

    def __init__(self) -> None:
        """Begin without sessions."""
        self.tokens: dict[str, str] = {}
        """The ``Authorization`` of each visitor."""
        self.owners: dict[str, str] = {}
        """The ``Authorization`` of the owner of each conversation and message."""
        self.closed: set[str] = set()

    def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Forward a request, and remember what the answer shows."""
        answer = forward(self.change(request))
        path, status = request.url.path, answer.status_code
        if path.endswith("/init") and status < 300:
            shown = answer.json()
            self.tokens[shown["visitor"]["id"]] = f"Bearer {shown['sessionToken']}"
        sender = request.headers.get("Authorization", "")
        if status == 201 and path.endswith("/conversations"):
            self.owners[answer.json()["id"]] = sender
        if status == 200 and path.endswith("/messages") and request.method == "GET":
            self.owners |= {message["id"]: sender for message in answer.json()["data"]}
        if status == 200 and path.endswith("/close"):
            self.closed.add(path.split("/")[3])
        return self.answer(request, answer, forward)

    def change(self, request: httpx.Request) -> httpx.Request:
        """Return the request that the mock gets."""
        return request

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Return the answer that the client gets."""
        del request, forward
        return answer

    def segment(self, request: httpx.Request) -> str:
        """Return the first id in the path, decoded."""
        steps = request.url.raw_path.decode().partition("?")[0].split("/")
        return str(unquote(steps[3])) if len(steps) > 3 else ""

    def as_owner(self, request: httpx.Request, found: str) -> httpx.Request:
        """Return the request as its owner would send it, with the id ``found``."""
        steps = request.url.raw_path.decode().split("/")
        steps[3] = found
        url = request.url.copy_with(raw_path="/".join(steps).encode())
        return rewritten(request, url=url, authorization=self.owners[found])


def rewritten(
    request: httpx.Request,
    *,
    url: httpx.URL | None = None,
    authorization: str | None = None,
    body: Json | None = None,
) -> httpx.Request:
    """Return a copy of a request with other parts."""
    headers = {n: v for n, v in request.headers.items() if n != "content-length"}
    if authorization is not None:
        headers["authorization"] = authorization
    content = request.content if body is None else json.dumps(body).encode()
    return httpx.Request(request.method, url or request.url, headers=headers, content=content)


class Matching(Known):
    """Objects are found by a comparison of ids that is too loose, before owners are compared."""

    def __init__(self, matches: Callable[[str, str], bool]) -> None:
        """Compare the given with the stored id by ``matches``."""
        super().__init__()
        self._matches = matches

    def change(self, request: httpx.Request) -> httpx.Request:
        """Let whoever gives a loose id act as the owner."""
        given = self.segment(request)
        if "Authorization" not in request.headers or given in self.owners:
            return request
        found = next((one for one in self.owners if self._matches(given, one)), None)
        return request if found is None else self.as_owner(request, found)


def like(given: str, stored: str) -> bool:
    """Compare like SQL's LIKE."""
    pattern = re.escape(given).replace("%", ".*").replace("_", ".")
    return ("%" in given or "_" in given) and re.fullmatch(pattern, stored) is not None


class ReadableWhenClosed(Known):
    """Only open conversations belong to somebody."""

    def change(self, request: httpx.Request) -> httpx.Request:
        """Let everybody act as the owner of a closed conversation."""
        given = self.segment(request)
        known = given in self.closed and "Authorization" in request.headers
        return self.as_owner(request, given) if known else request


class TrustsParameters(Known):
    """A parameter says who the visitor is."""

    def change(self, request: httpx.Request) -> httpx.Request:
        """Sign in the visitor that the query names."""
        wanted = self.tokens.get(request.url.params.get("visitorId", ""))
        return request if wanted is None else rewritten(request, authorization=wanted)


class TrustsParametersOfVisitors(TrustsParameters):
    """A parameter says who the visitor is, where a token was given."""

    def change(self, request: httpx.Request) -> httpx.Request:
        """Sign in the visitor that the query names."""
        return super().change(request) if "Authorization" in request.headers else request


class Tokens(Known):
    """Tokens are found by a comparison that is too loose."""

    def __init__(self, matches: Callable[[str, str], bool]) -> None:
        """Compare the given with each known token by ``matches``."""
        super().__init__()
        self._matches = matches

    def change(self, request: httpx.Request) -> httpx.Request:
        """Sign in the visitor whose token matches."""
        given = self.given(request)
        known = list(self.tokens.values())
        if not given or f"Bearer {given}" in known:
            return request
        found = next((one for one in known if self._matches(given, one[7:])), None)
        return request if found is None else rewritten(request, authorization=found)

    def given(self, request: httpx.Request) -> str:
        """Return the token of a request."""
        header: str = request.headers.get("Authorization", "")
        return header.removeprefix("Bearer ")


class Elsewhere(Tokens):
    """Tokens count wherever they are."""

    def __init__(self, read: Callable[[httpx.Request], str]) -> None:
        """Read the token of a request with ``read``."""
        super().__init__(lambda given, stored: given == stored)
        self._read = read

    def change(self, request: httpx.Request) -> httpx.Request:
        """Sign in the visitor of the token."""
        found = self._read(request)
        known = f"Bearer {found}" in self.tokens.values()
        return rewritten(request, authorization=f"Bearer {found}") if known else request


def unsigned(given: str, stored: str) -> bool:
    """Accept a JSON Web Token that names no algorithm."""
    header, _, rest = given.partition(".")
    try:
        algorithm = json.loads(base64.urlsafe_b64decode(f"{header}==="))["alg"]
    except (ValueError, KeyError, TypeError):
        return False
    return bool(algorithm == "none" and rest.split(".")[0] == stored.split(".")[1])


def signed_by_another(given: str, stored: str) -> bool:
    """Accept the claims of a token with any known signature."""
    return given.count(".") == 2 and given.split(".")[1] == stored.split(".")[1]


class Devices(Known):
    """Devices are compared in another form."""

    def __init__(self, form: Callable[[str], str]) -> None:
        """Compare devices by the form that ``form`` returns."""
        super().__init__()
        self._form = form

    def change(self, request: httpx.Request) -> httpx.Request:
        """Replace the device by its form."""
        if not request.url.path.endswith("/init"):
            return request
        body = json.loads(request.content)
        return rewritten(request, body={**body, "saVid": self._form(body["saVid"])[:100]})


class Beginnings(Known):
    """A list has the conversations of all devices whose names begin with that of the visitor."""

    def __init__(self) -> None:
        """Begin without devices."""
        super().__init__()
        self._devices: dict[str, str] = {}

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Remember the device of each token, and add the entries of others to a list."""
        if request.url.path.endswith("/init") and answer.is_success:
            token = f"Bearer {answer.json()['sessionToken']}"
            self._devices[token] = json.loads(request.content)["saVid"]
        own = self._devices.get(request.headers.get("Authorization", ""))
        if request.method != "GET" or not request.url.path.endswith("/conversations") or not own:
            return answer
        if not answer.is_success:
            return answer
        data = answer.json()["data"]
        for token, device in self._devices.items():
            if device != own and device.startswith(own):
                data += forward(rewritten(request, authorization=token)).json()["data"]
        return httpx.Response(200, json={**answer.json(), "data": data})


def without_accents(text: str) -> str:
    """Return a text without its accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


class Stores(Known):
    """A property of a body is stored although it is not described."""

    def __init__(self, path: str, *names: str) -> None:
        """Store ``names`` from bodies sent to paths that end with ``path``."""
        super().__init__()
        self._path, self._names = path, names
        self._set: dict[str, Json] = {}

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Show what was stored wherever the object shows."""
        sent = json.loads(request.content) if request.content[:1] == b"{" else {}
        chosen = {name: sent[name] for name in self._names if name in sent}
        if answer.status_code >= 300:
            return answer
        shown = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if request.method == "POST" and request.url.path.endswith(self._path) and chosen:
            key = self.segment(request) or shown["id"]
            self._set[key] = chosen
        return httpx.Response(answer.status_code, json=self._changed(shown, self.segment(request)))

    def _changed(self, value: Any, within: str) -> Any:
        if isinstance(value, list):
            return [self._changed(item, within) for item in value]
        if not isinstance(value, dict):
            return value
        found = {name: self._changed(item, within) for name, item in value.items()}
        own = self._set.get(str(value.get("id")), {})
        if value.get("role") == "user" and self._path == "/messages":
            own = self._set.get(within, {})
        return {**found, **own}


class StartsForAnother(Known):
    """The visitor that a body names wins over the one of the token."""

    def change(self, request: httpx.Request) -> httpx.Request:
        """Start a conversation as the visitor in the body."""
        if request.method == "POST" and request.url.path.endswith("/conversations"):
            sent = json.loads(request.content) if request.content[:1] == b"{" else {}
            named = sent.get("visitorId")
            if isinstance(named, str) and named in self.tokens:
                return rewritten(request, authorization=self.tokens[named])
        return request


class ClosesAnother(Known):
    """The id in a body wins over that in the path."""

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Close the conversation that the body names, too."""
        sent = json.loads(request.content) if request.content[:1] == b"{" else {}
        if request.url.path.endswith("/close") and sent.get("id") in self.owners:
            forward(rewritten(self.as_owner(request, sent["id"]), body={}))
        return answer


class FiltersInsteadOfOwners(Known):
    """A filter replaces the condition on the owner."""

    def __init__(self, path: str, name: str) -> None:
        """Show other visitors' data where a path has the filter ``name``."""
        super().__init__()
        self._path, self._name = path, name

    def change(self, request: httpx.Request) -> httpx.Request:
        """Use the token of the first visitor for requests with the filter."""
        known = list(self.tokens.values())
        wanted = request.url.path.endswith(self._path) and self._name in request.url.params
        if wanted and known and "Authorization" in request.headers:
            return rewritten(request, authorization=known[0])
        return request


class ShowsTheOwner(Known):
    """A refusal shows what it refuses."""

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Add the conversation to the details of a refusal."""
        given = self.segment(request)
        if answer.status_code != 404 or given not in self.owners or request.method != "GET":
            return answer
        shown = forward(self.as_owner(request, given)).json()
        error = {**answer.json()["error"], "details": {"conversation": shown}}
        return httpx.Response(404, json={"error": error})


class Keys(Known):
    """Keys are compared too loosely."""

    def __init__(self, matches: Callable[[str], bool]) -> None:
        """Accept the keys that ``matches`` accepts."""
        super().__init__()
        self._matches = matches

    def change(self, request: httpx.Request) -> httpx.Request:
        """Replace a key that is accepted by the valid one."""
        if self._matches(request.url.params.get("apiKey", "")):
            return rewritten(request, url=request.url.copy_merge_params({"apiKey": API_KEY}))
        if request.url.path.endswith("/init"):
            body = json.loads(request.content)
            if isinstance(body.get("apiKey"), str) and self._matches(body["apiKey"]):
                return rewritten(request, body={**body, "apiKey": API_KEY})
        return request


class ListedKeys(Known):
    """A key in an array is taken out of it."""

    def change(self, request: httpx.Request) -> httpx.Request:
        """Replace the array by its first value."""
        if request.url.path.endswith("/init"):
            body = json.loads(request.content)
            if isinstance(body.get("apiKey"), list):
                return rewritten(request, body={**body, "apiKey": body["apiKey"][0]})
        return request


FAULTS: dict[str, tuple[Callable[[], Fault], str]] = {
    "ids like patterns": (lambda: Matching(like), "malformed-refused"),
    "ids by their beginning": (
        lambda: Matching(lambda given, one: len(given) >= 8 and one.startswith(given)),
        "malformed-refused",
    ),
    "ids in any case": (
        lambda: Matching(lambda given, one: given.lower() == one.lower()),
        "isolation",
    ),
    "ids without dashes": (
        lambda: Matching(lambda given, one: given == one.replace("-", "")),
        "isolation",
    ),
    "ids in braces": (lambda: Matching(lambda given, one: given.strip("{}") == one), "isolation"),
    "ids with white space": (
        lambda: Matching(lambda given, one: given.strip() == one),
        "malformed-refused",
    ),
    "ids with what sorts as nothing": (
        lambda: Matching(lambda given, one: given.strip("\u200b\u0301") == one),
        "malformed-refused",
    ),
    "the first id of a list": (
        lambda: Matching(lambda given, one: given.split(",")[0] == one),
        "malformed-refused",
    ),
    "ids with the name of a format": (
        lambda: Matching(lambda given, one: given == f"{one}.json"),
        "malformed-refused",
    ),
    "closed conversations": (ReadableWhenClosed, "isolation"),
    "a visitor in the query": (TrustsParameters, "token-required"),
    "a visitor in the query, with a token": (TrustsParametersOfVisitors, "isolation"),
    "unsigned tokens": (lambda: Tokens(unsigned), "token-checked"),
    "tokens with another signature": (lambda: Tokens(signed_by_another), "token-checked"),
    "tokens by their first half": (
        lambda: Tokens(lambda given, one: given[: len(one) // 2] == one[: len(one) // 2]),
        "token-checked",
    ),
    "tokens in any case": (
        lambda: Tokens(lambda given, one: given.lower() == one.lower()),
        "token-checked",
    ),
    "the first of two tokens": (
        lambda: Tokens(lambda given, one: given.split(",")[0] == one),
        "token-checked",
    ),
    "tokens in quotes": (
        lambda: Tokens(lambda given, one: given.strip('"') == one),
        "token-checked",
    ),
    "any token like null": (lambda: Tokens(lambda given, _: given == "null"), "token-checked"),
    "tokens in the query": (
        lambda: Elsewhere(lambda request: request.url.params.get("access_token", "")),
        "token-required",
    ),
    "tokens in cookies": (
        lambda: Elsewhere(
            lambda request: request.headers.get("Cookie", "").rpartition("access_token=")[2]
        ),
        "token-required",
    ),
    "devices in any case": (lambda: Devices(str.lower), "device-visitor"),
    "devices without accents": (lambda: Devices(without_accents), "device-visitor"),
    "devices in one normal form": (
        lambda: Devices(lambda text: unicodedata.normalize("NFC", text)),
        "device-visitor",
    ),
    "devices without emoji": (
        lambda: Devices(lambda text: re.sub("[^\0-\uffff]", "?", text)),
        "device-visitor",
    ),
    "devices with one space": (
        lambda: Devices(lambda text: re.sub(" +", " ", text)),
        "device-visitor",
    ),
    "devices as numbers": (
        lambda: Devices(lambda text: re.sub(r"^0*(\d+)(\.0|e0)?$", r"\1", text)),
        "device-visitor",
    ),
    "lists of devices with the same beginning": (Beginnings, "own-list"),
    "devices of 99 characters": (lambda: Devices(lambda text: text[:99]), "device-visitor"),
    "conversations started closed": (
        lambda: Stores("/conversations", "status"),
        "undescribed-ignored",
    ),
    "conversations with a time of their own": (
        lambda: Stores("/conversations", "createdAt"),
        "undescribed-ignored",
    ),
    "conversations with an agent of their own": (
        lambda: Stores("/conversations", "isHumanHandled", "humanAgent"),
        "undescribed-ignored",
    ),
    "messages of another role": (lambda: Stores("/messages", "role"), "undescribed-ignored"),
    "messages in another conversation": (
        lambda: Stores("/messages", "chatId"),
        "undescribed-ignored",
    ),
    "messages with feedback": (lambda: Stores("/messages", "feedback"), "undescribed-ignored"),
    "feedback with a time of its own": (
        lambda: Stores("/feedback", "feedbackAt"),
        "undescribed-ignored",
    ),
    "closings that stay open": (lambda: Stores("/close", "status"), "undescribed-ignored"),
    "conversations of another visitor": (StartsForAnother, "undescribed-ignored"),
    "closings of another conversation": (ClosesAnother, "isolation"),
    "messages with a filter": (
        lambda: FiltersInsteadOfOwners("/messages", "role"),
        "isolation",
    ),
    "lists with a filter": (
        lambda: FiltersInsteadOfOwners("/conversations", "orderDir"),
        "own-list",
    ),
    "refusals that show the object": (ShowsTheOwner, "isolation"),
    "keys like patterns": (lambda: Keys(lambda key: like(key, API_KEY)), "key-checked"),
    "the first key of a list": (
        lambda: Keys(lambda key: key.startswith(f"{API_KEY},")),
        "key-checked",
    ),
    "keys up to a NUL": (lambda: Keys(lambda key: key.startswith(f"{API_KEY}\0")), "key-checked"),
    "keys in arrays": (ListedKeys, "key-checked"),
}


def findings(mock: InProcess, make_context: MakeContext, **options: Any) -> CheckContext:
    """Return the context after the checks, each in full."""
    context = make_context(mock, **{"profile": PROFILES["default"], **options})
    for _, check, _ in access.CHECKS:
        check(context)
    return context


def shown(context: CheckContext) -> dict[str, str]:
    """Return the violations with the actual behaviour."""
    return {key: found.actual for key, found in context.findings.violations.items()}


@pytest.mark.sweep(14)
@pytest.mark.parametrize("name", FAULTS)
def test_door_is_found(name: str, shared: InProcess, make_context: MakeContext) -> None:
    """A server that confuses the shapes of ids, credentials, devices or properties is found."""
    make, rule = FAULTS[name]
    shared.fault = make()
    context = make_context(shared, profile=PROFILES["default"])
    found: list[str] = []

    def stop(violation: Violation) -> None:
        # Every answer is compared with earlier ones, which may find the fault first.
        if violation.rule != "agreement":
            found.append(violation.rule)
            raise StopRun

    context.findings.on_violation = stop
    with contextlib.suppress(StopRun):
        for _, check, _ in access.CHECKS:
            check(context)
    assert [rule] == found


class RefusesMore(Known):
    """Properties and parameters that are not described are refused."""

    def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Refuse what is not described, and ids and devices that are not plain."""
        body = json.loads(request.content) if request.content[:1] == b"{" else {}
        extra = {"visitorId", "userId", "access_token"} & {*body, *request.url.params}
        device = body.get("saVid", "a")
        plain = not isinstance(device, str) or (device.isascii() and "%" not in device)
        given = self.segment(request)
        if extra or given != given.lower() or not plain:
            error = {"message": "Unknown property", "code": "INVALID_REQUEST_BODY"}
            return httpx.Response(422, json={"error": error})
        return super().__call__(request, forward)


class TakesEverySpelling(Known):
    """An id is the same in each spelling that is known for UUIDs."""

    def change(self, request: httpx.Request) -> httpx.Request:
        """Write the id as the mock expects it."""
        given = self.segment(request)
        try:
            plain = str(uuid.UUID(given))
        except ValueError:
            return request
        if not given.isascii():
            return request
        steps = request.url.raw_path.decode().split("/")
        steps[3] = plain
        return rewritten(request, url=request.url.copy_with(raw_path="/".join(steps).encode()))


class OpaqueTokens(Known):
    """Tokens are random texts."""

    def __call__(self, request: httpx.Request, forward: Forward) -> httpx.Response:
        """Replace tokens on their way."""
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        real = self.tokens.get(given)
        if request.headers.get("Authorization", "").startswith("Bearer "):
            request = rewritten(request, authorization=f"Bearer {real or 'unknown'}")
        answer = forward(request)
        if request.url.path.endswith("/init") and answer.status_code < 300:
            shown, opaque = answer.json(), uuid.uuid4().hex
            self.tokens[opaque] = shown["sessionToken"]
            return httpx.Response(answer.status_code, json={**shown, "sessionToken": opaque})
        return answer


class TurnsToAgents(Stores):
    """Every third conversation is handled by a human agent."""

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Show an agent in some conversations."""
        started = answer.status_code == 201 and request.url.path.endswith("/conversations")
        if started and len(self.owners) % 3 == 1:
            self._set[answer.json()["id"]] = {"isHumanHandled": True}
        return super().answer(request, answer, forward)


class LateReplica(Known):
    """Each third conversation is readable a bit later than it is started."""

    def __init__(self) -> None:
        """Begin without conversations."""
        super().__init__()
        self._late: dict[str, int] = {}

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Answer the first readings of a late conversation with 404."""
        if request.method == "POST" and request.url.path.endswith("/conversations"):
            if answer.status_code == 201 and len(self.owners) % 3 == 0:
                self._late[answer.json()["id"]] = 3
            return answer
        given = self.segment(request)
        if request.method == "GET" and self._late.get(given, 0) and answer.status_code == 200:
            self._late[given] -= 1
            error = {"message": "Not found", "code": "NOT_FOUND"}
            return httpx.Response(404, json={"error": error})
        return answer


class OtherPaths(Known):
    """Paths with the name of a format are not those of the API."""

    def answer(
        self, request: httpx.Request, answer: httpx.Response, forward: Forward
    ) -> httpx.Response:
        """Answer them as a framework does."""
        if self.segment(request).endswith(".json"):
            return httpx.Response(406, text="Not acceptable")
        return answer


LEGAL: dict[str, Callable[[], Fault]] = {
    "formats are other paths": OtherPaths,
    "refuses more": RefusesMore,
    "takes every spelling": TakesEverySpelling,
    "opaque tokens": OpaqueTokens,
    "agents": lambda: TurnsToAgents("/conversations"),
}


@pytest.mark.sweep(4)
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", [None, *LEGAL])
def test_legal_server_has_no_violation(
    name: str | None, whole: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """What the documents leave open is no door, and all rules are tested."""
    shared.fault = None if name is None else LEGAL[name]()
    context = make_context(shared, profile=PROFILES["default"])
    context.size = context.profile.size if whole else FIRST
    require_kept(context, access.CHECKS)
    due = {("undescribed-ignored", each) for each in RULES["undescribed-ignored"].operations}
    assert due <= set(context.findings.tested)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", ["greeting", "tokens-of-two-kilobytes"])
def test_variant_is_no_door(name: str, whole: bool, make_context: MakeContext) -> None:
    """Messages that a server adds, and tokens that end alike, give no access."""
    with in_process.InProcess(VARIANTS[name].app()) as mock:
        context = make_context(mock, profile=PROFILES["default"])
        context.size = context.profile.size if whole else FIRST
        require_kept(context, access.CHECKS)


def test_one_token_skips_what_it_cannot_test(shared: InProcess, make_context: MakeContext) -> None:
    """With the token of one visitor there are no strangers, keys or devices."""
    shared.fault = None
    context = findings(shared, make_context, api_key=None, token=PRIVATE_KEY)
    assert {} == shown(context)
    assert ("isolation", "getConversation") in context.findings.prevented
    assert ("device-visitor", "init") in context.findings.prevented
    assert "undescribed-ignored" in {rule for rule, _ in context.findings.tested}


def test_production_gets_no_message(shared: InProcess, make_context: MakeContext) -> None:
    """On a server in production, no message is sent and no property that is not described."""
    shared.fault = None
    shared.requests.clear()
    context = findings(shared, make_context, profile=PROFILES["live"])
    assert {} == shown(context)
    assert ("undescribed-ignored", "sendMessage") in context.findings.prevented
    assert [] == [
        request
        for request in shared.requests
        if request.method == "POST"
        and request.url.path.endswith(("/messages", "/completions"))
        and request.headers.get("Authorization", "") in context.started.values()
    ]


def test_late_conversation_is_not_that_of_another_visitor(
    shared: InProcess, make_context: MakeContext
) -> None:
    """A new conversation that cannot be read at once says nothing about properties of its body."""
    shared.fault = LateReplica()
    violations = shown(findings(shared, make_context))
    assert not any("undescribed-ignored" in key for key in violations), violations


def test_invalid_id_is_not_looked_for() -> None:
    """An id such as ``1`` is a part of most answers, and shows no entry of another visitor."""
    server = Server()
    edit("startConversation", "id", change(lambda _: "1"))(server)
    violations = checking.findings(server.app(), access.check_devices).violations
    assert ["described"] == sorted({found.rule for found in violations.values()})


def test_answer_that_is_no_text_ends_no_check(shared: InProcess, make_context: MakeContext) -> None:
    """A list whose bytes are not UTF-8 is a violation, and is searched for ids all the same."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if not answer.is_success or not request.url.path.endswith("/conversations"):
            return answer
        answer.headers.pop("content-length", None)
        content = answer.content + b"\xff"
        return httpx.Response(answer.status_code, content=content, headers=answer.headers)

    shared.fault = fault
    violations = shown(findings(shared, make_context))
    assert "not UTF-8" in violations["getConversations described 200"]
