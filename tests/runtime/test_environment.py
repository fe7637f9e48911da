"""Proxies and certificates of the environment that httpx cannot use."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, SiteAssist, SiteAssistError
from siteassist_runtime.environment import check_proxies, tls_context
from tests.runtime.helpers import visitor

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the proxies and certificates of this machine."""
    for name in [name for name in os.environ if name.lower() in PROXIES or name in CERTIFICATES]:
        monkeypatch.delenv(name)


def call(kind: str, **settings: Any) -> None:
    """Make a call to an address where nothing listens."""
    settings = {"token": "t", "base_url": "http://127.0.0.1:9/v2", "max_retries": 0, **settings}
    if kind == "sync":
        SiteAssist(**settings).get_me()
        return

    async def main() -> None:
        async with AsyncSiteAssist(**settings) as client:
            await client.get_me()

    asyncio.run(main())


INVALID = [
    ("NO_PROXY", "[::1]", "'[::1]' is not a host name or address"),
    ("no_proxy", "localhost,exa mple:x", "'exa mple:x' is not a host name or address"),
    ("HTTP_PROXY", "ftp://proxy:8080", "expected a URL like http://host:port"),
    ("HTTPS_PROXY", "http://user:pass word@proxy:port", "expected a URL like http://host:port"),
    ("https_proxy", "http://", "expected a URL like http://host:port"),
    ("ALL_PROXY", "http://proxy:99999", "expected a URL like http://host:port"),
    (
        "all_proxy",
        "socks5://proxy:1080",
        f"a SOCKS proxy needs `pip install '{httpx.__name__}[socks]'`",
    ),
    ("SSL_CERT_FILE", "/nowhere/ca.pem", "[Errno 2] No such file or directory"),
]


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("name", "value", "reason"), INVALID, ids=[row[0] for row in INVALID])
def test_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: str, name: str, value: str, reason: str
) -> None:
    """One sentence names the variable and the reason; a password is not shown."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SiteAssistError) as caught:
        call(kind)
    assert f"getMe: cannot use the environment variable {name}: {reason}" == str(caught.value)


def test_file_that_is_no_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable is named, too."""
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(SiteAssistError, match="variable SSL_CERT_FILE: "):
        call("sync")


VALID = [
    {},
    {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "localhost, 127.0.0.1,.example.com,::1,*.b"},
    {"HTTP_PROXY": "127.0.0.1:9", "NO_PROXY": "10.0.0.0/8,https://example.com,"},
    {"HTTP_PROXY": "https://user:pass%20word@[::1]:9"},
    {"HTTP_PROXY": "", "NO_PROXY": ""},
    {"HTTP_PROXY": "never://used", "NO_PROXY": "*"},
]


@pytest.mark.parametrize("variables", VALID, ids=str)
def test_everything_that_httpx_uses_is_accepted(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """The check refuses nothing that httpx accepts."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    check_proxies(httpx)
    httpx.Client().close()


@pytest.mark.parametrize("way", ["transport", "http_client"])
def test_environment_does_not_matter_for_what_is_passed(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """With a transport or an HTTP client, the client reads neither proxies nor certificates."""
    transport = httpx.MockTransport(lambda _: visitor())
    given: Any = transport if way == "transport" else httpx.Client(transport=transport)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    monkeypatch.setenv("HTTP_PROXY", "ftp://proxy")
    call("sync", **{way: given})


def test_other_certificates_are_another_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shared context follows the environment."""
    import certifi

    first = tls_context(httpx)
    assert first is tls_context(httpx)
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    assert first is not tls_context(httpx)
