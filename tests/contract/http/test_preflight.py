"""The check of the address and the credentials before a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.http import preflight
from siteassist_contract.http.preflight import Target, check
from siteassist_contract.verdict import CannotRunError
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import InProcess, Loopback, Serve

Make = Callable[[str], Target]
PAGE = httpx.Response(200, html="<!doctype html><title> Sign\nin </title><h1>Hello</h1>")
ERROR = {"error": {"code": "BUSY", "message": "Later"}}
EXPECTED = "expected something like https://host/v2"
_HANDFUL = 5


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove proxies from the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=["key", "token"])
def make(request: pytest.FixtureRequest) -> Make:
    """Return a function that creates a target with a key, or with a token."""
    if request.param == "key":
        return lambda url: Target(url, api_key=API_KEY)
    return lambda url: Target(url, token=PRIVATE_KEY)


def problem(target: Target) -> str:
    """Return the reason why the tests cannot run."""
    with pytest.raises(CannotRunError) as caught:
        check(target)
    text = str(caught.value)
    assert (1, False, False) == (len(text.splitlines()), API_KEY in text, PRIVATE_KEY in text)
    return text


def counting(loopback: Serve, answer: httpx.Response) -> tuple[Loopback, list[httpx.Request]]:
    """Serve one response for every request, and return the list of requests."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    return loopback(respond), seen


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_the_api_names_its_base_url(status: int, loopback: Serve, make: Make) -> None:
    """The message has the target of the redirect, and the base URL to give instead."""
    credential = make("").api_key or make("").token

    def respond(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v2")
        location = f"https://api.example/site/v2{path}?key={credential}"
        return httpx.Response(status, headers={"Location": location})

    text = problem(make(loopback(respond).url))
    assert text.startswith("the server redirects to https://api.example/site/v2/identity/")
    assert text.endswith(f"answered {status}): give https://api.example/site/v2 as the base URL")


@pytest.mark.parametrize("location", ["https://login.example/?back=%2F", "/login", "\x85//"])
def test_redirect_to_another_place_is_reported(location: str, loopback: Serve, make: Make) -> None:
    """A redirect to a login page has its target in the message, and no advice to go there."""
    answer = httpx.Response(302, headers=[(b"Location", location.encode("latin-1"))])
    server, seen = counting(loopback, answer)
    text = problem(make(server.url))
    assert text.startswith("the server redirects to http")
    assert text.endswith(
        "this is not the URL of the API, or a gateway in front of it requires a login"
    )
    assert 1 == len(seen)


def test_redirect_to_itself_is_not_advised(loopback: Serve) -> None:
    """A redirect to the same URL, or to the same URL with a slash, is no other base URL."""
    for end in ("", "/"):
        answer = httpx.Response(301, headers={"Location": f"/v2/identity/me{end}"})
        server, _ = counting(loopback, answer)
        assert problem(Target(server.url, token="t")).endswith("requires a login")


def test_redirect_without_an_address_is_reported(loopback: Serve, make: Make) -> None:
    """A redirect without a target is distinguished from one with a target."""
    server, _ = counting(loopback, httpx.Response(302))
    assert problem(make(server.url)).startswith("the server redirects without an address: ")


# Servers that are no API


@pytest.mark.parametrize("status", [200, 201, 400, 418])
def test_web_page_is_reported(status: int, loopback: Serve, make: Make) -> None:
    """A web page in answer to every request is not an API; the message has its title."""
    server, seen = counting(loopback, httpx.Response(status, html=PAGE.text))
    text = problem(make(server.url))
    assert text.startswith("no SiteAssist API at this URL: ")
    assert text.endswith(f"answered {status} with a web page (Sign in); {EXPECTED}")
    assert len(seen) < _HANDFUL


def test_web_page_is_recognised_by_its_beginning(loopback: Serve, make: Make) -> None:
    """A web page counts as one with another media type, or without a title."""
    server, _ = counting(loopback, httpx.Response(200, text="\n<html><body>Hello"))
    assert "with a web page (<html><body>Hello)" in problem(make(server.url))


@pytest.mark.parametrize("answer", [{"text": "OK"}, {"content": b"{"}, {}])
def test_server_that_accepts_everything_is_reported(
    answer: dict[str, Any], loopback: Serve, make: Make
) -> None:
    """A server that answers 200, without JSON, to a path that does not exist is not the API."""
    server, seen = counting(loopback, httpx.Response(200, **answer))
    text = problem(make(server.url))
    assert "it answers 200 to every request, such as GET /siteassist-contract-" in text
    assert len(seen) < _HANDFUL


@pytest.mark.parametrize("status", [404, 405, 501])
def test_server_without_the_operation_is_reported(status: int, loopback: Serve, make: Make) -> None:
    """A web server that serves files does not know the operation or its method."""
    server, _ = counting(loopback, httpx.Response(status, html=PAGE.text))
    assert problem(make(server.url)).endswith(f"answered {status}; {EXPECTED}")


@pytest.mark.parametrize("content", [b"{", b"null", b"{}", b"<html>"])
@pytest.mark.parametrize("elsewhere", [404, 401])
def test_faulty_operation_is_left_to_the_tests(
    content: bytes, elsewhere: int, loopback: Serve, make: Make
) -> None:
    """A wrong answer of one operation is a violation if other paths do not exist."""

    def respond(request: httpx.Request) -> httpx.Response:
        known = request.url.path.startswith("/v2/identity/")
        return httpx.Response(200 if known else elsewhere, content=content if known else b"No")

    check(make(loopback(respond).url))


def test_api_with_wrong_answers_is_left_to_the_tests(loopback: Serve, make: Make) -> None:
    """A server that answers with JSON is an API, whatever it answers."""
    server, seen = counting(loopback, httpx.Response(200, json={}))
    assert ((), 1) == (check(make(server.url)), len(seen))


# Authentication


@pytest.mark.parametrize("scheme", ['Basic realm="x"', "Negotiate, basic"])
def test_basic_authentication_is_reported(scheme: str, loopback: Serve, make: Make) -> None:
    """The message says that basic authentication is not supported, and why."""
    server, _ = counting(loopback, httpx.Response(401, headers={"WWW-Authenticate": scheme}))
    text = problem(make(server.url))
    assert text.startswith("the server requires basic authentication (")
    assert "not supported" in text
    assert "Authorization" in text


def test_bearer_authentication_is_a_refused_credential(loopback: Serve, make: Make) -> None:
    """A challenge of the API's own scheme means that the credential is wrong."""
    challenge = {"WWW-Authenticate": "Bearer, Basic"}
    server, _ = counting(loopback, httpx.Response(401, headers=challenge, html=PAGE.text))
    assert "was refused: " in (text := problem(make(server.url)))
    assert "answered 401 (Sign in); --" in text
    assert text.endswith(" of this server")


def test_key_that_a_page_accepts_is_refused(loopback: Serve) -> None:
    """A web page for another operation does not show that the key is valid."""

    def respond(request: httpx.Request) -> httpx.Response:
        return PAGE if request.method == "GET" else httpx.Response(403)

    text = problem(Target(loopback(respond).url, api_key=API_KEY))
    assert text.startswith("the API key was refused: ")


# Refusals


@pytest.mark.parametrize(
    ("refusal", "waits"),
    [
        (httpx.Response(429), [1.0, 2.0]),
        (httpx.Response(429, headers={"Retry-After": "7"}, text="Slow down"), [7.0, 7.0]),
        (httpx.Response(503, json=ERROR), [1.0, 2.0]),
    ],
)
def test_documented_refusal_is_waited_for(
    refusal: httpx.Response,
    waits: list[float],
    served: Loopback,
    shared: InProcess,
    make: Make,
) -> None:
    """An earlier run may have used up a rate limit."""
    refusals = [refusal, refusal]
    shared.fault = lambda request, forward: refusals.pop() if refusals else forward(request)
    slept: list[float] = []
    check(make(served.url), sleep=slept.append)
    assert waits == slept


@pytest.mark.parametrize("status", [429, 503])
def test_refusal_for_ever_is_reported(status: int, loopback: Serve, make: Make) -> None:
    """The waits end after a minute at most."""
    server, _ = counting(loopback, httpx.Response(status, json=ERROR))
    slept: list[float] = []
    with pytest.raises(CannotRunError, match="the server is not ready: "):
        check(make(server.url), sleep=slept.append)
    assert 20 < sum(slept) <= 60


# Connections


@pytest.fixture
def dead() -> str:
    """Return the address of a port without a server."""
    return "http://127.0.0.1:1"


def test_dead_proxy_is_named(dead: str, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the proxy, without its password."""
    monkeypatch.setenv("http_proxy", dead.replace("//", "//user:secret@"))
    text = problem(make("http://api.example/v2"))
    assert f" through the proxy {dead}, which the environment names: " in text
    assert "secret" not in text


@pytest.mark.parametrize("status", [502, 503, 504])
def test_proxy_without_the_server_is_named(
    status: int, loopback: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of a proxy that does not reach the server is not taken for the server's."""
    proxy, _ = counting(loopback, httpx.Response(status, text="No such host"))
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v2"))
    text = problem(make("http://api.example/v2"))
    assert text.startswith("the server is not ready: ")
    assert "through the proxy http://127.0.0.1:" in text


def test_proxy_with_a_password_is_reported(
    loopback: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that requires a user is distinguished from a refused credential."""
    proxy, _ = counting(loopback, httpx.Response(407))
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v2"))
    text = problem(make("http://api.example/v2"))
    assert text.startswith("a proxy requires a user and a password: ")


def test_proxy_that_refuses_a_tunnel_is_reported(
    loopback: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For HTTPS, the message has the proxy's answer to CONNECT."""
    proxy = loopback(lambda _: httpx.Response(403))
    monkeypatch.setattr(
        proxy._server.RequestHandlerClass,
        "do_CONNECT",
        lambda handler: handler.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n"),
        raising=False,
    )
    monkeypatch.setenv("https_proxy", proxy.url.removesuffix("/v2"))
    text = problem(make("https://api.example/v2"))
    assert "cannot be reached through the proxy http://127.0.0.1:" in text
    assert text.endswith(": 403 Forbidden")


def test_https_of_a_server_without_tls_is_reported(loopback: Serve, make: Make) -> None:
    """A server that speaks HTTP at the port of an HTTPS URL gets its own advice."""
    server, _ = counting(loopback, PAGE)
    text = problem(make(server.url.replace("http:", "https:")))
    assert text.endswith(" does not speak HTTPS: try http://")


def test_large_answer_is_reported(
    loopback: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer may not exceed the maximum size."""
    monkeypatch.setattr(preflight, "LARGEST_ANSWER", 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    server = loopback(lambda _: iter([head, *1000 * [b" "]]))
    assert problem(make(server.url)).endswith(" is too long")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["head", "body"])
def test_answer_without_an_end_is_reported(
    head: bytes, loopback: Serve, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer may not last for ever, neither its headers nor its body."""
    monkeypatch.setattr(preflight, "LONGEST", 0.5)

    def drip() -> Iterator[bytes]:
        yield head or b"HTTP/1.1 200 OK\r\nX-Long: "
        for _ in range(100):
            time.sleep(0.02)
            yield b"x"

    server = loopback(lambda _: drip())
    assert " did not answer within " in problem(make(server.url))


def test_valid_server_is_accepted(served: Loopback, shared: InProcess, make: Make) -> None:
    """The API itself is recognised with one request, and its session token is returned."""
    shared.fault = None
    shared.requests.clear()
    target = make(served.url)
    assert (1 if target.api_key else 0) == len(check(target))
    assert 1 == len(shared.requests)
