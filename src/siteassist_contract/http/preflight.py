"""A check that the server exists and accepts the credentials, before any test runs.

Without it, a typing mistake would cause hundreds of findings.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from siteassist_contract.description import (
    faults,
    key_argument,
    operations,
    session_arguments,
    session_token,
)
from siteassist_contract.http.deadline import Deadline
from siteassist_contract.http.json_reader import read_json
from siteassist_contract.http.network import (
    LARGEST_ANSWER,
    Network,
    no_cookies,
    proxy_for,
    shown_proxy,
)
from siteassist_contract.http.patience import PASSING, UNCERTAIN, Patience, Refusal, Waits
from siteassist_contract.http.recorder import is_lost
from siteassist_contract.http.redaction import Filter
from siteassist_contract.verdict import CannotRunError

_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_NOT_THERE = (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.NOT_IMPLEMENTED)
"""Statuses of a server that does not have an operation."""
EXPECTED = "expected something like https://host/v2"
_LONGEST_EXCERPT = 120
_ADMITTED = {
    "the API key": "--api-key takes a publishable key (pk_...) of this server",
    "the token": "--token takes a session token or a private key (sk_...) of this server",
    "the second token": "--second-token takes a valid token of another visitor",
}
"""The remedy for each credential that the server refuses."""
_KEPT = frozenset({b"content-type", b"location", b"retry-after", b"www-authenticate"})
"""The headers of an answer that the check reads."""
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
TIMEOUT = 8.0
"""Timeout, in seconds, for the next bytes of an answer to one of these requests."""
LONGEST = 2 * TIMEOUT
"""Maximum duration, in seconds, of one of these requests with its answer."""


@dataclass(frozen=True)
class Target:
    """A server, the credentials for it, and the way to it."""

    base_url: str
    """The base URL of the API, with its version and without a slash at the end."""
    api_key: str | None = field(default=None, repr=False)
    """A publishable key, which starts sessions for any number of visitors."""
    token: str | None = field(default=None, repr=False)
    """A session token or a private key, which is that of one visitor."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    """A part of the names of devices, different in every run."""
    network: Network = field(default_factory=Network)
    second_token: str | None = field(default=None, repr=False)
    """The token of another visitor, who must not access the data of the first one."""
    origin: str | None = None
    """The origin of a website that the key lists, or None if it is unknown."""

    @property
    def has_two_visitors(self) -> bool:
        """Whether the tests can act as a second visitor."""
        return self.api_key is not None or self.second_token is not None

    @property
    def devices(self) -> tuple[str, str]:
        """The devices of the two visitors of generated requests."""
        return f"siteassist-contract-{self.run}-1", f"siteassist-contract-{self.run}-2"

    def secrets(self, *tokens: str) -> Filter:
        """Return a filter of all credentials, the values of headers, and more ``tokens``."""
        credentials = (self.api_key, self.token, self.second_token)
        return Filter([*credentials, *tokens], hidden=self.network.secrets)


def base_url(url: str) -> str:
    """Return a base URL without a slash at its end.

    Raises `CannotRunError` if it is invalid.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CannotRunError(f"invalid base URL {url!r}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise CannotRunError(f"invalid base URL {url!r}: {EXPECTED}")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise CannotRunError("a base URL must not have a query, a fragment, a user or a password")
    return url.rstrip("/")


def check(
    target: Target,
    *,
    waits_for: tuple[int, ...] = PASSING,
    sleep: Callable[[float], None] = time.sleep,
    durations: list[float] | None = None,
) -> tuple[str, ...]:
    """Send a few requests with each credential, and return the session tokens in the answers.

    Refusals with a status in ``waits_for`` are waited for. The time of each answer, in seconds,
    is added to ``durations``.

    Raises `CannotRunError` if the server or the API does not exist, or a credential is refused.
    """
    if target.api_key is None and target.token is None:
        raise CannotRunError(
            "no credentials: give --api-key or --token (or SITEASSIST_API_KEY or SITEASSIST_TOKEN)"
        )
    if target.second_token is not None and target.token is None:
        raise CannotRunError("--second-token needs the --token of the first visitor")
    times = [] if durations is None else durations
    with _Preflight(target, Patience(waits_for), sleep, times) as preflight:
        token = None
        if target.api_key is not None:
            token = preflight.start_session(target.api_key)
        if target.token is not None:
            first = preflight.read_visitor(target.token, "the token")
            if target.second_token is not None:
                second = preflight.read_visitor(target.second_token, "the second token")
                if first == second and first is not None:
                    raise CannotRunError("--token and --second-token are of the same visitor")
    return () if token is None else (token,)


def fetch(target: Target, path: str) -> httpx.Response:
    """Send one GET request without a credential, and return the answer with any status.

    Raises `CannotRunError` without an answer.
    """
    with _Preflight(target, Patience(()), time.sleep, []) as preflight:
        return preflight.send("GET", path)


class _Preflight:
    """The requests of the check of one server."""

    def __init__(
        self,
        target: Target,
        patience: Patience,
        sleep: Callable[[float], None],
        durations: list[float],
    ) -> None:
        self._target = target
        self._durations = durations
        self._patience = patience
        self._sleep = sleep
        self._secrets = target.secrets()
        self._proxy = proxy_for(target.base_url)
        self._deadline = Deadline()
        self._client = httpx.Client(
            timeout=TIMEOUT,
            follow_redirects=False,
            transport=target.network.transport(target.base_url, deadline=self._deadline),
            headers=target.network.headers,
            cookies=no_cookies(),
            trust_env=False,
        )

    def __enter__(self) -> _Preflight:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def start_session(self, api_key: str) -> str | None:
        """Start a session, and return its token, or None if the tests will report why not."""
        body = session_arguments(api_key, self._target.devices[0])
        response = self._call("init", json=body)
        if response.status_code in _REFUSED and self._is_known(api_key):
            return None  # The key is valid: the tests will report that `init` refuses it.
        self._require_admission(response, "the API key")
        token = session_token(_json(response))
        if token is None:
            self._require_api(response)
        return token

    def read_visitor(self, token: str, name: str) -> str | None:
        """Read the visitor of a token, and return its id, or None if the tests will report it."""
        try:
            headers = httpx.Headers({"Authorization": f"Bearer {token}"}, encoding="ascii")
        except UnicodeEncodeError:
            raise CannotRunError(
                f"{name} has characters that an HTTP header cannot contain"
            ) from None
        response = self._call("getMe", headers=headers)
        self._require_admission(response, name)
        document = _json(response)
        shown = document.get("id") if isinstance(document, dict) else None
        if shown is None:
            self._require_api(response)
        return None if shown is None else str(shown)

    def _is_known(self, api_key: str) -> bool:
        """Whether another operation accepts the key."""
        response = self._call("getProject", params=key_argument(api_key))
        return response.status_code == httpx.codes.OK and not _is_page(response)

    # The address

    def _require_admission(self, response: httpx.Response, name: str) -> None:
        """Raise `CannotRunError` if the API does not exist, or refuses the credential ``name``."""
        status, answered = response.status_code, self._answered(response)
        if status in _REFUSED:
            _refuse_basic_authentication(response, answered)
            raise CannotRunError(
                f"{name} was refused: {answered} {self._excerpt(response)}; {_ADMITTED[name]}"
            )
        if status in _NOT_THERE:
            raise CannotRunError(f"no SiteAssist API at this URL: {answered}; {EXPECTED}")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
            raise CannotRunError(
                f"the server is not ready: {answered} {self._excerpt(response)}{self._through()}"
            )
        if status >= httpx.codes.BAD_REQUEST and _is_page(response):
            self._refuse_page(response)

    def _require_api(self, response: httpx.Response) -> None:
        """Raise `CannotRunError` if an address that does not exist gets a similar answer.

        Wrong JSON is left to the tests: only an API would send it.
        """
        if not response.is_success or _json(response) is not None:
            return
        unknown = f"/siteassist-contract-{uuid.uuid4().hex[:8]}"
        other = self.send("GET", unknown)
        if _is_page(response) and (other.is_success or _is_page(other)):
            self._refuse_page(response)
        if other.is_success:
            raise CannotRunError(
                f"no SiteAssist API at this URL: it answers {other.status_code} to every request,"
                f" such as GET {unknown}; {EXPECTED}"
            )

    def _refuse_page(self, response: httpx.Response) -> None:
        raise CannotRunError(
            f"no SiteAssist API at this URL: {self._answered(response)} with a web page"
            f" {self._excerpt(response)}; {EXPECTED}"
        )

    def _refuse_redirect(self, response: httpx.Response, path: str) -> None:
        """Raise `CannotRunError` with the address that the redirect points to."""
        location = response.headers.get("Location", "")
        if not location:
            raise CannotRunError(
                f"the server redirects without an address: {self._answered(response)}; {EXPECTED}"
            )
        to = urljoin(str(response.request.url), location)
        base, found, rest = to.partition("?")[0].partition("#")[0].rpartition(path)
        if found and rest in ("", "/") and base != self._target.base_url:
            advice = f"give {self._shown(base)} as the base URL"
        else:
            advice = "this is not the URL of the API, or a gateway in front of it requires a login"
        raise CannotRunError(
            f"the server redirects to {self._shown(to)} ({self._answered(response)}): {advice}"
        )

    # Requests

    def _call(self, operation_id: str, **content: Any) -> httpx.Response:
        operation, waits = operations()[operation_id], Waits()
        while True:
            response = self.send(operation.method, operation.path, **content)
            wait = self._wait(operation_id, waits, response)
            if wait is None:
                break
            self._sleep(wait)
        if response.is_redirect or response.status_code in (301, 302, 303, 307, 308):
            self._refuse_redirect(response, operation.path)
        if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            raise CannotRunError(
                f"a proxy requires a user and a password: {self._answered(response)}"
                f"{self._through()}"
            )
        return response

    def _wait(self, operation_id: str, waits: Waits, response: httpx.Response) -> float | None:
        """Return the seconds to wait before a refused request is sent again, or None.

        A gateway may send a 502 or 503 for a server that does not exist.
        """
        status, content = response.status_code, response.content
        headers = {name.lower(): value for name, value in response.headers.items()}
        if status in UNCERTAIN and faults(
            operation_id, status, headers.get("content-type", ""), content
        ):
            return None
        return self._patience.wait(operation_id, waits, Refusal(status, headers, content))

    def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send one request, and return the answer with any status.

        Raises `CannotRunError` without an answer.
        """
        url = f"{self._target.base_url}{path}"
        started = time.monotonic()
        self._deadline.start(LONGEST)
        # The limit of size must hold before anything is decompressed.
        headers = {**content.pop("headers", {}), "Accept-Encoding": "identity"}
        try:
            with self._client.stream(method, url, headers=headers, **content) as response:
                body = b""
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > LARGEST_ANSWER:
                        raise CannotRunError(f"the answer of {url} is too long")
                self._durations.append(time.monotonic() - started)
                return httpx.Response(
                    response.status_code,
                    headers=[pair for pair in response.headers.raw if pair[0].lower() in _KEPT],
                    content=body,
                    request=response.request,
                )
        except httpx.TimeoutException:
            raise CannotRunError(
                f"{url} did not answer within {time.monotonic() - started:.0f} s{self._through()}"
            ) from None
        except httpx.InvalidURL as error:
            raise CannotRunError(f"invalid URL {url}: {error}") from None
        except httpx.ProxyError as error:
            # The message has the status of the proxy's answer.
            reason = self._shown(str(error))
            raise CannotRunError(f"{url} cannot be reached{self._through()}: {reason}") from None
        except (httpx.HTTPError, OSError) as error:
            raise CannotRunError(self._unreachable(url, error)) from None

    def _unreachable(self, url: str, error: Exception) -> str:
        """Return why there was no answer, in one sentence."""
        connecting = isinstance(error, httpx.ConnectError)
        server = f"the server at {url}{self._through()}"
        if not connecting and is_lost(error):
            return f"{server} closed the connection before the end of its answer"
        if isinstance(error, httpx.RemoteProtocolError):
            return f"{server} gave an answer that is not valid HTTP"
        # The messages of other transport errors may contain headers.
        reason = str(error) if connecting else type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            why = reason.partition("failed: ")[2].partition(" (_ssl")[0]
            return (
                f"the certificate of {urlsplit(url).netloc} is not trusted ({why}): give the"
                " certificate of its authority with --ca, or --insecure"
            )
        if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
            return f"the server at {url} does not speak HTTPS: try http://"
        return f"no server at {url}{self._through()}: {reason}"

    # Words

    def _through(self) -> str:
        """Return the words that name the proxy, if there is one."""
        if self._proxy is None:
            return ""
        return f" through the proxy {shown_proxy(self._proxy)}, which the environment names"

    def _answered(self, response: httpx.Response) -> str:
        request = response.request
        path = urlsplit(str(request.url)).path
        path = path.removeprefix(urlsplit(self._target.base_url).path)
        return f"{request.method} {path} answered {response.status_code}"

    def _excerpt(self, response: httpx.Response) -> str:
        """Return the message of an error, or the start of the answer, on one line."""
        try:
            text = str(_json(response)["error"]["message"])
        except (KeyError, TypeError):
            title = _TITLE.search(response.text) if _is_page(response) else None
            text = response.text if title is None else title[1]
        text = self._shown(text)
        return f"({text})" if text else "(empty)"

    def _shown(self, text: str) -> str:
        """Return text of the server on one line, without secrets and control characters."""
        safe = "".join(letter if letter.isprintable() else " " for letter in text)
        line = " ".join(self._secrets.text(safe).split())
        return f"{line[:_LONGEST_EXCERPT]}{'…' if len(line) > _LONGEST_EXCERPT else ''}"


def _refuse_basic_authentication(response: httpx.Response, answered: str) -> None:
    schemes = ", ".join(response.headers.get_list("WWW-Authenticate")).lower()
    if "basic" in schemes and "bearer" not in schemes:
        raise CannotRunError(
            f"the server requires basic authentication ({answered}), which is not supported: it"
            " needs the Authorization header, in which the API expects the visitor's token"
        )


def _json(response: httpx.Response) -> Any:
    """Return the JSON of an answer, or None if it is not JSON."""
    try:
        return read_json(response.content)
    except ValueError:
        return None


def _is_page(response: httpx.Response) -> bool:
    """Whether an answer is a web page."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type in ("text/html", "application/xhtml+xml"):
        return _json(response) is None
    start = response.content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html"))
