"""The settings of the environment that httpx follows: proxies and certificates.

httpx rejects some values with exceptions that name no variable, and uses others
until a call fails. The functions of this module name the variable instead. They do
not show its value, which may contain a password.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from siteassist_runtime.errors import SiteAssistError

if TYPE_CHECKING:
    import ssl


_HIGHEST_PORT = 65535


def tls_context(library: Any) -> ssl.SSLContext:
    """Return the TLS context that all clients of the process with a library share.

    Loading the certificates takes more time and memory than everything else of a client.
    Raises `SiteAssistError` if the environment names unusable certificates.
    """
    return _context(library, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=2)
def _context(library: Any, file: str | None, directory: str | None) -> ssl.SSLContext:
    try:
        context: ssl.SSLContext = library.create_ssl_context()
    except (OSError, ValueError) as error:
        name = "SSL_CERT_FILE" if file or not directory else "SSL_CERT_DIR"
        raise _unusable(name, str(error)) from None
    return context


def check_proxies(library: Any) -> None:
    """Raise `SiteAssistError` if httpx or httpx2 cannot use the proxies of the environment."""
    found = getproxies()
    hosts = [host.strip() for host in found.get("no", "").split(",")]
    if "*" in hosts:
        return
    for host in filter(None, hosts):
        try:
            library.URL(_pattern(host))
        except (ValueError, library.InvalidURL):
            raise _unusable(_variable("no"), f"{host!r} is not a host name or address") from None
    for scheme in ("http", "https", "all"):
        value = found.get(scheme)
        if value:
            _check_proxy(library, _variable(scheme), value if "://" in value else f"http://{value}")


def _check_proxy(library: Any, variable: str, url: str) -> None:
    try:
        proxy = library.Proxy(url)
    except (ValueError, library.InvalidURL):
        proxy = None
    if proxy is None or not proxy.url.host or (proxy.url.port or 0) > _HIGHEST_PORT:
        raise _unusable(variable, "expected a URL like http://host:port")
    if proxy.url.scheme.startswith("socks") and find_spec("socksio") is None:
        raise _unusable(variable, f"a SOCKS proxy needs `pip install '{library.__name__}[socks]'`")


def _pattern(host: str) -> str:
    """Return the URL that httpx makes of an entry of ``NO_PROXY``."""
    if "://" in host:
        return host
    try:
        version = ip_address(host.partition("/")[0]).version
    except ValueError:
        return f"all://*{host}"
    return f"all://[{host}]" if version == 6 else f"all://{host}"  # IPv6


def _variable(scheme: str) -> str:
    """Return the name of the variable that ``getproxies`` has read."""
    name = f"{scheme}_proxy"
    written = [found for found in (name, name.upper()) if os.environ.get(found)]
    return written[0] if written else name


def _unusable(variable: str, reason: str) -> SiteAssistError:
    return SiteAssistError(f"cannot use the environment variable {variable}: {reason}")
