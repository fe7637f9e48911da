"""Checks of requests from pages of other websites, which browsers send (F-auth).

Before a request, a browser sends a preflight. It lets the page read an answer only if the
headers of CORS allow it (https://fetch.spec.whatwg.org/#http-cors-protocol).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from siteassist_contract.checks.bounds import probes
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.description import ends_object, operations, takes_key
from siteassist_contract.http.recorder import CLIENT_ERRORS, SUCCESS, Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_request, value_of, with_key
from siteassist_contract.rules import BROWSERS, LISTED_WEBSITES, OBJECT, RULES, WEBSITE
from siteassist_spec import Operation

PREFLIGHT, READABLE, WEBSITES = "preflight", "cross-origin", "website-checked"
_SAFELISTED = frozenset({"GET", "HEAD", "POST"})
"""The methods that a browser sends even if the preflight names no methods."""
_MADE_UP = "Bearer made-up-token-that-nobody-gave"


def check_cross_origin(context: CheckContext) -> None:
    """Send the preflight and requests of each operation as the page of another website."""
    checks = _Checks(context)
    checks.websites()
    for operation in operations().values():
        checks.check(operation)


CHECKS: tuple[Check, ...] = (
    ("every operation from another website", check_cross_origin, BROWSERS),
)


class _Checks:
    """The checks of all operations, with one visitor."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._whole = context.size.whole and not context.profile.gentle
        self._findings = context.findings
        self._history = context.recorder.history
        self._visitor = context.visitor()
        self._key = context.target.api_key
        self._maker = ObjectMaker(self._send, self._key)
        self._ids: dict[str, str] = {}
        self._other = f"https://siteassist-contract-{context.target.run}.example"
        """A website that no key lists."""
        self._own = context.target.origin
        """A website that may be used, or None if none is known."""
        self._echoes = False
        """Whether `Access-Control-Allow-Origin` depends on the website."""

    # Websites

    def websites(self) -> None:
        """Find a website from which the credentials may be used, and try others."""
        requests = {
            name: request
            for name in RULES[WEBSITES].operations
            if name in operations()
            and self._key is not None
            and (request := valid_request(operations()[name], self._ids, self._key)) is not None
        }
        if self._own is not None:
            self._listed(requests, self._own)
        else:
            self._unlisted(requests)
        if self._own is not None:
            self._echoes = self._depends(self._own)

    def _listed(self, requests: Mapping[str, RequestParts], own: str) -> None:
        """Use the key from its website, and from others whose names are similar."""
        scheme, _, host = own.partition("://")
        similar = (self._other, f"{own}.{self._other.partition('://')[2]}", f"{scheme}://x{host}")
        for name, request in requests.items():
            exchange = self._send(request, origin=own)
            self._judge(
                exchange.status in SUCCESS,
                WEBSITES,
                exchange,
                f"a success for the website {own}",
                str(exchange.status),
            )
            for other in similar if self._whole else similar[:1]:
                self._refused(name, self._send(request, origin=other), other)

    def _unlisted(self, requests: Mapping[str, RequestParts]) -> None:
        """Use the key from a made-up website, which only a key without a list accepts."""
        answers = {
            name: self._send(request, origin=self._other) for name, request in requests.items()
        }
        found = {
            name: exchange
            for name, exchange in answers.items()
            if exchange.status in SUCCESS or self._send(requests[name]).status in SUCCESS
        }
        if all(exchange.status in SUCCESS for exchange in found.values()):
            self._own = self._other if found else None
            for name in requests:
                self._findings.prevent(WEBSITES, name, LISTED_WEBSITES)
        elif any(exchange.status in CLIENT_ERRORS for exchange in found.values()):
            # The key lists websites, so each operation must know them.
            for name, exchange in found.items():
                self._refused(name, exchange, self._other)

    def _refused(self, operation: str, exchange: Exchange, origin: str) -> None:
        self._judge(
            exchange.status in CLIENT_ERRORS,
            WEBSITES,
            exchange,
            f"a refusal (401 or 403) of the website {origin}, which the key does not list",
            str(exchange.status),
        )

    def _depends(self, own: str) -> bool:
        """Whether the allowed website depends on the one that asks."""
        path = operations()["getMe"].path
        shown = [
            _allowed_origin(self._visitor.session.raw("getMe", "GET", path, headers=_page(origin)))
            for origin in (own, f"{self._other}:8443")
        ]
        return shown[0] == own and shown[1] != own

    # Operations

    def check(self, operation: Operation) -> None:
        """Check the preflight of an operation, and its answers."""
        name = operation.operation_id
        if self._own is None:
            if self._key is not None or operation.needs_token:
                for rule in (PREFLIGHT, READABLE):
                    self._findings.prevent(rule, name, WEBSITE)
            return
        self._ids = self._maker.make(operation, self._ids)
        request = valid_request(operation, self._ids, self._key)
        if request is None:
            if self._key is not None or operation.needs_token:
                for rule in (PREFLIGHT, READABLE):
                    self._findings.prevent(rule, name, OBJECT)
            return
        start = list(self._history)
        self._preflight(request, self._own)
        for exchange, valid in self._answers(request, self._own):
            self._readable(exchange, self._own, valid=valid)
            self._history[:] = start
            if exchange.status in SUCCESS and not valid:
                # The invalid request may have ended its object, which others need.
                self._ids = {}
        if self._whole and self._own == self._other and operation.method == "GET":
            # The key is for every website, so an answer to one must not be kept for another.
            self._send(request, origin=self._other)
            self._history[-1] = replace(self._history[-1], compared=True)
            another = f"{self._other}:8443"
            self._readable(self._send(request, origin=another), another, valid=True)
            self._history[:] = start

    def _preflight(self, request: RequestParts, origin: str) -> None:
        """Send the preflight of a request, and judge the permissions in the answer."""
        operation = request.described
        needed = [parameter.name.lower() for parameter in operation.places("header")]
        needed += ["authorization"] if operation.needs_token else []
        needed += ["content-type"] if operation.body is not None else []
        headers = {"Origin": origin, "Access-Control-Request-Method": request.method}
        if needed:
            # As browsers write it: in small letters, sorted, without spaces.
            headers["Access-Control-Request-Headers"] = ",".join(sorted(needed))
        exchange = self._context.anonymous.raw(
            request.operation,
            "OPTIONS",
            request.target,
            query=request.query or None,
            headers=headers,
        )
        expected = f"a preflight that allows {request.method} for {origin}"
        if needed:
            expected += f" with {', '.join(sorted(needed))}"
        faults = list(_preflight_faults(exchange, origin, needed))
        self._judge(not faults, PREFLIGHT, exchange, expected, "; ".join(faults))

    def _answers(self, request: RequestParts, origin: str) -> Iterator[tuple[Exchange, bool]]:
        """Yield answers to a page, and whether the request was valid.

        There is one answer in the first pass, else one of each kind.
        """
        gentle = self._context.profile.gentle
        changes = request.method != "GET"
        kinds = [self._success] if not (gentle and changes) else []
        kinds += [self._errors]
        if changes and not self._whole:
            kinds.reverse()
        for kind in kinds:
            for exchange in kind(request, origin):
                yield exchange, kind == self._success
                if not self._whole:
                    return

    def _success(self, request: RequestParts, origin: str) -> Iterator[Exchange]:
        stream = request.described.stream
        if ends_object(request.described):
            made = self._maker.make(request.described)
            request = request.changed(path={n: made[n] for n in request.path if n in made})
        if stream is None or not isinstance(request.body, Mapping):
            yield self._send(request, origin=origin)
            return
        for streamed in (True, False):
            body = {**request.body, stream.request_flag: streamed}
            yield self._send(request.changed(body=body), origin=origin)

    def _errors(self, request: RequestParts, origin: str) -> Iterator[Exchange]:
        """Yield refusals of each kind that can be provoked."""
        operation = request.described
        if operation.needs_token:
            yield self._send(request, origin=origin, session=self._context.anonymous)
            yield self._send(request, origin=origin, credential=_MADE_UP)
        invalid = (probe.request for probe in probes(request) if probe.valid is False)
        first = next(invalid, None)
        if first is not None:
            yield self._send(first, origin=origin)
        if operation.body is not None:
            yield self._send(request, origin=origin, body=b'{"')
        for parameter in operation.places("path"):
            unknown = str(value_of(parameter.schema))
            yield self._send(request.changed(path={parameter.name: unknown}), origin=origin)
            yield self._send(request.changed(path={parameter.name: "x"}), origin=origin)
        if takes_key(operation):
            yield self._send(with_key(request, "pk_made_up_key_that_nobody_gave"), origin=origin)

    def _send(
        self,
        request: RequestParts,
        *,
        origin: str | None = None,
        session: Session | None = None,
        credential: str | None = None,
        body: bytes | None = None,
    ) -> Exchange:
        if session is None:
            session = self._context.session(request, self._visitor)
        headers = _page(origin) if origin is not None else {}
        if credential is not None:
            headers["Authorization"] = credential
        exchange = session.send(request, headers=headers, credential=credential, body=body)
        self._findings.see(exchange, self._history)
        return exchange

    def _readable(self, exchange: Exchange, origin: str, *, valid: bool) -> None:
        """Judge whether a page can read an answer, which is a success if the request is valid."""
        faults = list(_faults(exchange, origin))
        if valid and self._is_refused_for_its_page(exchange):
            faults.append(f"{exchange.status} for a valid request")
        if self._echoes and not faults and _is_stored(exchange) and not _varies(exchange):
            faults.append("no `Vary: Origin`, although the answer depends on the website")
        self._judge(
            not faults,
            READABLE,
            exchange,
            f"an answer of {exchange.status} that a page of {origin} can read",
            "; ".join(faults),
            str(exchange.status) if exchange.status not in SUCCESS else "",
        )

    def _is_refused_for_its_page(self, exchange: Exchange) -> bool:
        """Whether a request is accepted only without the headers of a page."""
        if exchange.status in SUCCESS or exchange.refused:
            return False
        history = list(self._history)
        request = valid_request(operations()[exchange.operation], self._ids, self._key)
        accepted = request is not None and self._send(request).status in SUCCESS
        self._history[:] = history
        return accepted

    def _judge(
        self,
        kept: object,
        rule: str,
        exchange: Exchange,
        expected: str,
        actual: str,
        place: str = "",
    ) -> None:
        self._findings.judge(kept, rule, exchange.operation, expected, actual, self._history, place)


def _page(origin: str) -> dict[str, str]:
    """Return the headers that a browser adds to the request of a page."""
    return {
        "Origin": origin,
        "Referer": f"{origin}/",
        "Sec-Fetch-Dest": "empty",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "cross-site",
    }


def _preflight_faults(exchange: Exchange, origin: str, needed: list[str]) -> Iterator[str]:
    if exchange.status not in SUCCESS:
        yield str(exchange.status)
    yield from _faults(exchange, origin)
    method = exchange.sent_headers["Access-Control-Request-Method"]
    methods = _names(exchange, "access-control-allow-methods")
    # The names of methods are case-sensitive.
    if not {method, "*"} & {*methods} and method not in _SAFELISTED:
        yield f"`Access-Control-Allow-Methods: {', '.join(methods)}`"
    headers = {name.lower() for name in _names(exchange, "access-control-allow-headers")}
    for name in needed:
        # The wildcard does not include the credential.
        if name not in headers and ("*" not in headers or name == "authorization"):
            yield f"`Access-Control-Allow-Headers` without {name}"


def _faults(exchange: Exchange, origin: str) -> Iterator[str]:
    """Yield the reasons why a browser does not let a page of ``origin`` read an answer."""
    allowed = _allowed_origin(exchange)
    if allowed is None:
        yield "no `Access-Control-Allow-Origin`"
    elif allowed not in ("*", origin):
        yield f"`Access-Control-Allow-Origin: {allowed}`"


def _allowed_origin(exchange: Exchange) -> str | None:
    return exchange.headers.get("access-control-allow-origin")


def _names(exchange: Exchange, header: str) -> list[str]:
    """Return the names that a header lists."""
    names = exchange.headers.get(header, "").split(",")
    return [name.strip() for name in names if name.strip()]


def _is_stored(exchange: Exchange) -> bool:
    """Whether a cache may store an answer."""
    directives = {name.lower() for name in _names(exchange, "cache-control")}
    return exchange.method == "GET" and exchange.status in SUCCESS and "no-store" not in directives


def _varies(exchange: Exchange) -> bool:
    return bool({name.lower() for name in _names(exchange, "vary")} & {"origin", "*"})
