"""The way to a server: headers, certificates, proxies."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest

from siteassist_contract.http.network import Network, proxy_for, read_header, shown_proxy
from siteassist_contract.verdict import CannotRunError

URL = "http://api.example/v2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove proxies and certificates from the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


# Headers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X-Gateway:pass", ("X-Gateway", "pass")),
        ("X-Gateway:  a b: c \t", ("X-Gateway", "a b: c")),
        ("x:y", ("x", "y")),
    ],
)
def test_header_is_read(text: str, expected: tuple[str, str]) -> None:
    """The first colon ends the name; spaces around the value do not belong to it."""
    assert expected == read_header(text)


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        ":secret",
        "a b:secret",
        "X-A:sec\r\nret",
        "X-A:sécret",
        "X-A: ",
        "Authorization: secret",
        "content-type:secret",
    ],
)
def test_invalid_header_is_refused(text: str) -> None:
    """The message has the name and never the value."""
    with pytest.raises(ValueError, match="header") as caught:
        read_header(text)
    assert "cret" not in str(caught.value)


def test_header_values_are_secrets() -> None:
    """A value and its words are secret."""
    network = Network(headers=(("A", "Basic dXNlcjpw"), ("B", "true"), ("C", "gateway")))
    words = {"Basic", "Basic dXNlcjpw", "dXNlcjpw", "gateway", "true"}
    assert words == network.secrets
    assert "dXNlcjpw" not in repr(network)


# Proxies


def test_proxy_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used unless `no_proxy` excludes the host."""
    assert proxy_for(URL) is None
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    assert "http://127.0.0.1:3128" == proxy_for(URL)
    assert proxy_for("https://api.example/v2") is None
    monkeypatch.setenv("no_proxy", "api.example")
    assert proxy_for(URL) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("127.0.0.1:3128", "http://127.0.0.1:3128"),
        ("http://user:secret@127.0.0.1:3128/", "http://127.0.0.1:3128"),
        ("https://proxy.example", "https://proxy.example"),
    ],
)
def test_proxy_is_shown_without_its_password(
    given: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy may have no scheme; its user and password are not shown."""
    monkeypatch.setenv("all_proxy", given)
    proxy = proxy_for(URL)
    assert proxy is not None
    assert expected == shown_proxy(proxy)


@pytest.mark.parametrize("proxy", ["socks5://secret@host:1", "http://", "http://host:secret", "//"])
def test_unsupported_proxy_is_reported(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that httpx and requests would treat differently is refused; it may be secret."""
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(CannotRunError, match="the proxy in the environment") as caught:
        Network().transport(URL)
    assert "secret" not in str(caught.value)


# Certificates


def test_trust_has_an_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--ca` counts before `SSL_CERT_FILE`, which counts before `REQUESTS_CA_BUNDLE`."""
    folder = str(tmp_path)
    assert Network().trusted is None
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", folder)
    assert folder == Network().trusted
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    assert certifi.where() == Network().trusted
    assert folder == Network(ca=folder).trusted
    assert Network(ca=folder).tls.cert_store_stats()["x509"] == 0
    assert Network().tls.cert_store_stats()["x509"] > 0


def test_certificates_are_verified_unless_insecure(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--insecure` counts before a file, which it does not read."""
    assert ssl.CERT_REQUIRED == Network().tls.verify_mode
    monkeypatch.setenv("SSL_CERT_FILE", "/missing")
    network = Network(insecure=True)
    assert (ssl.CERT_NONE, False) == (network.tls.verify_mode, network.tls.check_hostname)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read: No such file"), ("no", "contains no certificate in PEM format")],
)
def test_unreadable_certificates_are_reported(
    content: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the option or the variable."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CannotRunError, match=f"--ca: .*{words}"):
        Network(ca=str(path)).transport(URL)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with pytest.raises(CannotRunError, match=f"REQUESTS_CA_BUNDLE: .*{words}"):
        Network().transport(URL)
