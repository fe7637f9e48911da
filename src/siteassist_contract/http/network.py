"""The way to a server: additional headers, trusted certificates, a proxy, a limit of size.

All layers use it, those on httpx and the one on requests. It reads the environment once, so
that both libraries trust the same certificates and use the same proxy. Neither reads
``~/.netrc``.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from siteassist_contract.http.deadline import Deadline, LimitedBackend
from siteassist_contract.http.framing import FramedTransport
from siteassist_contract.http.running_app import RunningApp
from siteassist_contract.verdict import CannotRunError

LARGEST_ANSWER = 16 * 2**20
"""Maximum size of an answer, in bytes."""
HEADERS = "SITEASSIST_HEADERS"
"""The environment variable that contains additional headers, one per line."""
_TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""The environment variables that name trusted certificates, in the order in which they count."""
_OF_THE_SUITE = frozenset(
    {"authorization", "accept-encoding", "content-type", "content-length", "transfer-encoding"}
)
"""The headers that the tests themselves set or leave out."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[!-~](?:[ -~\t]*[!-~])?")


def no_cookies() -> CookieJar:
    """Return a jar that stays empty: no visitor is known by a cookie, and some cannot be sent."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


@dataclass(frozen=True)
class Network:
    """The way to a server."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Headers of every request, such as those of a gateway. Their values are secret."""
    ca: str | None = None
    """A file or folder of certificates to trust, in place of those of the environment."""
    insecure: bool = False
    """Whether any certificate is trusted."""
    app: RunningApp | None = field(default=None, repr=False, compare=False)
    """The application that is tested in this process, without a connection; None for a server."""

    @property
    def secrets(self) -> frozenset[str]:
        """The values of headers, and their words, that must not be shown."""
        return frozenset(
            word for _, value in self.headers for word in (value, *value.split()) if word
        )

    @cached_property
    def trusted(self) -> str | None:
        """The file or folder of trusted certificates, or None for those of certifi.

        Raises `CannotRunError` if it cannot be read.
        """
        found = {"--ca": self.ca, **{name: os.environ.get(name) for name in _TRUST}}
        for source, place in found.items():
            if place:
                _require_readable(source, place)
                return place
        return None

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The settings of TLS connections.

        Raises `CannotRunError` as `trusted` does.
        """
        if self.insecure:
            return httpx.create_ssl_context(verify=False, trust_env=False)
        if self.trusted is None:
            return httpx.create_ssl_context(trust_env=False)
        return _context(self.trusted)

    def transport(
        self,
        base_url: str,
        *,
        connections: int | None = None,
        deadline: Deadline | None = None,
        pause: Callable[[], object] | None = None,
    ) -> httpx.BaseTransport:
        """Return a transport to a server, with at most so many ``connections``.

        Its exchanges end at ``deadline``; ``pause`` is called before each read.
        Raises `CannotRunError` for an invalid proxy, or as `trusted` does.
        """
        if self.app is not None:
            return self.app.transport()
        transport = httpx.HTTPTransport(
            verify=self.tls,
            proxy=proxy_for(base_url),
            trust_env=False,
            limits=httpx.Limits(max_connections=connections),
        )
        if deadline is not None or pause is not None:
            # httpx builds the pool, with or without a proxy, and passes no backend on to it.
            transport._pool._network_backend = LimitedBackend(deadline or Deadline(), pause=pause)
        return transport

    def framed_transport(self, deadline: Deadline) -> httpx.BaseTransport:
        """Return a transport that writes requests as a check chooses, without a proxy.

        Its exchanges end at ``deadline``.
        Raises `CannotRunError` as `trusted` does.
        """
        if self.app is not None:
            return self.app.transport()
        return FramedTransport(self.tls, LimitedBackend(deadline))


def read_header(text: str) -> tuple[str, str]:
    """Return the name and the value of a header ``NAME:VALUE``.

    Raises `ValueError` with a message that does not repeat the value.
    """
    name, colon, value = (part.strip(" \t") for part in text.partition(":"))
    if not colon or not _NAME.fullmatch(name):
        raise ValueError("invalid header: expected NAME:VALUE")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"invalid value of the header {name}: expected printable ASCII characters")
    if name.lower() in _OF_THE_SUITE:
        raise ValueError(f"the header {name} cannot be given: the tests set it themselves")
    return name, value


def proxy_for(base_url: str) -> str | None:
    """Return the proxy for a URL from the environment, or None.

    Raises `CannotRunError` if its address is invalid.
    """
    parts = urlsplit(base_url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        valid = urlsplit(url).scheme in ("http", "https") and httpx.URL(url).host != ""
    except httpx.InvalidURL:
        valid = False
    if not valid:
        raise CannotRunError(
            "the proxy in the environment is not supported: expected something like"
            " http://host:3128"
        )
    return url


def shown_proxy(proxy: str) -> str:
    """Return the address of a proxy without its user and password."""
    url = httpx.URL(proxy)
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _require_readable(source: str, place: str) -> None:
    try:
        _context(place)
    except ssl.SSLError:
        raise CannotRunError(f"{source}: {place} contains no certificate in PEM format") from None
    except OSError as error:
        raise CannotRunError(f"{source}: {place} cannot be read: {error.strerror}") from None


def _context(place: str) -> ssl.SSLContext:
    if Path(place).is_dir():
        return ssl.create_default_context(capath=place)
    return ssl.create_default_context(cafile=place)
