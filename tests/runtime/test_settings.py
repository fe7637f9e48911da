"""What a client is told is checked once, at the start, with words that repeat no secret."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, CredentialsError, SiteAssist, SiteAssistError
from siteassist_runtime.settings import ClientSettings, retries, seconds
from siteassist_spec import load_spec

BASE_URL = "http://127.0.0.1/v2"
ENVIRONMENT = ("SITEASSIST_TOKEN", "SITEASSIST_API_KEY", "SITEASSIST_BASE_URL")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=[SiteAssist, AsyncSiteAssist])
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Make a client of either kind."""
    kind: Callable[..., Any] = request.param
    return kind


def settings_of(client: Any) -> ClientSettings:
    """Return what the client was told, checked."""
    found: ClientSettings = client._settings
    return found


# What is given


def test_defaults(make: Callable[..., Any]) -> None:
    """The service itself, a minute's patience, two retries, a device of its own."""
    client = make()
    settings = settings_of(client)
    assert load_spec()["servers"][0]["url"] == client.base_url
    assert (60.0, 60.0, 2, 60.0) == (
        settings.timeout,
        settings.idle_timeout,
        settings.max_retries,
        settings.max_retry_wait,
    )
    assert (None, None, ()) == (settings.token, settings.api_key, settings.secrets)
    assert 4 == uuid.UUID(client.device_id).version
    assert client.device_id != make().device_id


def test_everything_can_be_given(make: Callable[..., Any]) -> None:
    """Each setting gets where it belongs."""
    client = make(
        token="the-token",
        api_key="the-key",
        device_id="device-1",
        base_url=f"{BASE_URL}//",
        timeout=5,
        idle_timeout=0.5,
        max_retries=0,
        max_retry_wait=7,
        headers={"X-Own": "1"},
    )
    settings = settings_of(client)
    assert ("device-1", BASE_URL) == (client.device_id, client.base_url)
    assert ("the-token", "the-key") == settings.secrets
    assert (5.0, 0.5, 0, 7.0) == (
        settings.timeout,
        settings.idle_timeout,
        settings.max_retries,
        settings.max_retry_wait,
    )
    assert isinstance(settings.timeout, float)
    assert "1" == settings.headers["X-Own"]


@pytest.mark.parametrize("name", ["timeout", "idle_timeout"])
@pytest.mark.parametrize("value", [None, float("inf")])
def test_no_limit(make: Callable[..., Any], name: str, value: float | None) -> None:
    """None and infinity are the same."""
    assert None is getattr(settings_of(make(**{name: value})), name)


def test_no_limit_on_stated_waits(make: Callable[..., Any]) -> None:
    """Infinity is more than any wait, not less."""
    settings = settings_of(make(max_retry_wait=float("inf")))
    assert settings.max_retry_wait is None or settings.max_retry_wait > 10**9


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost", "https://example.com/v2", "http://127.0.0.1:8787/v2"),
        *("http://[::1]:8787/v2", "https://example.com:8443", "https://example.com/a/b/c"),
        "https://example.com/people/@me",
    ],
)
def test_address(make: Callable[..., Any], url: str) -> None:
    """With a port or without, with a path or without; a slash at the end does not count."""
    assert url == make(base_url=url).base_url
    assert url == make(base_url=f"{url}/").base_url
    assert url == make(base_url=httpx.URL(url)).base_url


# What cannot be used

SECRET = "s3cret-word"
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "token, empty": ({"token": ""}, "^token "),
    "token, line feed": ({"token": f"{SECRET}\n"}, "^token "),
    "token, return": ({"token": f"{SECRET}\r\nX-Evil: 1"}, "^token "),
    "token, space": ({"token": f"a {SECRET}"}, "^token "),
    "token, space at the end": ({"token": f"{SECRET} "}, "^token "),
    "token, tab": ({"token": f"{SECRET}\t"}, "^token "),
    "token, null": ({"token": f"{SECRET}\0"}, "^token "),
    "token, no ASCII": ({"token": f"{SECRET}é"}, "^token "),
    "token, half a pair": ({"token": f"{SECRET}\ud800"}, "^token "),
    "token, bytes": ({"token": SECRET.encode()}, "^token "),
    "token, number": ({"token": 5}, "^token "),
    "key, empty": ({"api_key": ""}, "^api_key "),
    "key, space": ({"api_key": f"{SECRET} "}, "^api_key "),
    "key, no ASCII": ({"api_key": f"{SECRET}é"}, "^api_key "),
    "key, bytes": ({"api_key": SECRET.encode()}, "^api_key "),
    "address, user": ({"base_url": f"https://user:{SECRET}@example.com/v2"}, "^base_url "),
    "address, token": ({"base_url": f"https://{SECRET}@example.com/v2"}, "^base_url "),
    "address, user without scheme": ({"base_url": f"user:{SECRET}@example.com/v2"}, "^base_url "),
    "address, user after slashes": ({"base_url": f"//user:{SECRET}@example.com"}, "^base_url "),
    "address, user after three": ({"base_url": f"https:///u:{SECRET}@example.com"}, "^base_url "),
    "address, user after one": ({"base_url": f"https:/user:{SECRET}@example.com"}, "^base_url "),
    "address, slash in password": (
        {"base_url": f"https://user:a/{SECRET}@example.com/v2"},
        "^base_url ",
    ),
    "address, question mark in password": (
        {"base_url": f"https://user:?{SECRET}@example.com/v2"},
        "^base_url ",
    ),
    "address, user of ftp": ({"base_url": f"ftp://user:{SECRET}@example.com"}, "^base_url "),
    "address, key": ({"base_url": f"https://example.com/v2?apiKey={SECRET}"}, "^base_url "),
    "address, query": ({"base_url": f"https://example.com/v2?token={SECRET}"}, "^base_url "),
    "address, fragment": ({"base_url": f"https://example.com/v2#{SECRET}"}, "^base_url "),
    "address, no scheme": ({"base_url": "example.com/v2"}, "^base_url "),
    "address, port for scheme": ({"base_url": "localhost:8787"}, "^base_url "),
    "address, no host": ({"base_url": "https://"}, "^base_url "),
    "address, no host but a path": ({"base_url": "https:///v2"}, "^base_url "),
    "address, no host but a port": ({"base_url": "https://:80/v2"}, "^base_url "),
    "address, ftp": ({"base_url": "ftp://example.com"}, "^base_url "),
    "address, file": ({"base_url": "file:///tmp"}, "^base_url "),
    "address, port": ({"base_url": "http://127.0.0.1:99999"}, "^base_url "),
    "address, no number": ({"base_url": "http://127.0.0.1:port"}, "^base_url "),
    "address, bracket": ({"base_url": "http://[::1"}, "^base_url "),
    "address, space": ({"base_url": "http://exam ple.com"}, "^base_url "),
    "address, line feed": ({"base_url": "http://example.com\n/v2"}, "^base_url "),
    "address, spaces around": ({"base_url": " http://example.com "}, "^base_url "),
    "address, words": ({"base_url": "nonsense"}, "^base_url "),
    "address, number": ({"base_url": 5}, "^base_url "),
    "device, empty": ({"device_id": ""}, "^device_id "),
    "device, long": ({"device_id": 101 * "d"}, "^device_id "),
    "device, number": ({"device_id": 5}, "^device_id "),
    "headers, text": ({"headers": "X-Own: 1"}, "header"),
    "headers, number": ({"headers": {"X-Own": 1}}, "header"),
    "headers, name": ({"headers": {1: "x"}}, "header"),
    "headers, line feed": ({"headers": {"X-Own": f"{SECRET}\nX-Evil: 1"}}, "header"),
}


@pytest.mark.parametrize(("given", "words"), BAD.values(), ids=BAD)
def test_bad_value_is_refused_at_the_start(
    make: Callable[..., Any], given: dict[str, Any], words: str
) -> None:
    """One clear error, which names the setting and repeats no secret."""
    with pytest.raises(SiteAssistError, match=words) as caught:
        make(**given)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    # Nor is it in what is behind it.
    assert None is caught.value.__cause__
    assert SiteAssistError is type(caught.value)


LIMITS = ("timeout", "idle_timeout", "max_retry_wait")


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-1, -0.1, float("nan"), float("-inf")], ids=repr)
def test_limit_that_is_no_time_is_refused(
    make: Callable[..., Any], name: str, value: float
) -> None:
    """Time does not run backwards."""
    with pytest.raises(SiteAssistError, match=f"^{name} must be more than 0 seconds, got -?"):
        make(**{name: value})


@pytest.mark.parametrize("name", ["timeout", "idle_timeout"])
def test_limit_of_no_time_is_refused(make: Callable[..., Any], name: str) -> None:
    """Nothing can be done in no time; None is what was meant."""
    with pytest.raises(SiteAssistError, match=f"^{name} must be more than 0 seconds, got 0$"):
        make(**{name: 0})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(
    "value", [True, False, "5", b"5", [5], {}, object, httpx.Timeout(5)], ids=repr
)
def test_limit_that_is_no_number_is_refused(
    make: Callable[..., Any], name: str, value: object
) -> None:
    """Least of all a bool, which Python counts as a number."""
    with pytest.raises(SiteAssistError, match=f"^{name} must be a number of seconds"):
        make(**{name: value})


@pytest.mark.parametrize("value", [-1, True, False, 1.5, 2.0, "2", None, [2]], ids=repr)
def test_retries_that_are_no_count_are_refused(make: Callable[..., Any], value: object) -> None:
    """A whole number from 0 up."""
    with pytest.raises(SiteAssistError, match=r"^max_retries must be an integer >= 0, got "):
        make(max_retries=value)


def test_very_large_numbers_are_limits_that_nobody_reaches() -> None:
    """Python's whole numbers have no end; a clock has one."""
    found = seconds("timeout", 10**400)
    assert found is None or found > 10**9
    assert 10**30 == retries(10**30)


@pytest.mark.parametrize("name", ["timeout", "max_retries"])
@pytest.mark.parametrize("value", [-1, True, "5"], ids=repr)
def test_bad_value_of_one_call_is_refused_before_anything_is_sent(name: str, value: object) -> None:
    """The same words as for a client."""

    def never(_: httpx.Request) -> httpx.Response:
        raise AssertionError

    client: Any = SiteAssist(token="t", transport=httpx.MockTransport(never))
    with client, pytest.raises(SiteAssistError, match=f"^{name} "):
        client.get_me(**{name: value})


@pytest.mark.parametrize("value", [0, -1, True, "5", float("nan")], ids=repr)
def test_bad_idle_timeout_of_one_stream_is_refused(make: Callable[..., Any], value: object) -> None:
    """When the stream is asked for, not when it stalls."""
    with pytest.raises(SiteAssistError, match=r"^idle_timeout "):
        make(token="t").send_message_stream("id", content="Hi", idle_timeout=value)


# The environment


def test_environment_is_read(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the three variables."""
    for name, value in zip(ENVIRONMENT, ("env-token", "env-key", BASE_URL), strict=True):
        monkeypatch.setenv(name, value)
    settings = settings_of(make())
    assert ("env-token", "env-key", BASE_URL) == (
        settings.token,
        settings.api_key,
        settings.base_url,
    )


PRECEDENCE: list[tuple[dict[str, str], dict[str, str], tuple[str | None, str | None]]] = [
    # Arguments, environment, then token and key as they are used.
    ({}, {}, (None, None)),
    ({}, {"TOKEN": "et"}, ("et", None)),
    ({}, {"API_KEY": "ek"}, (None, "ek")),
    ({}, {"TOKEN": "et", "API_KEY": "ek"}, ("et", "ek")),
    ({"token": "t"}, {"TOKEN": "et", "API_KEY": "ek"}, ("t", "ek")),
    ({"token": "t"}, {"TOKEN": "et"}, ("t", None)),
    # A key that was given is not overruled by a token that happens to be there.
    ({"api_key": "k"}, {"TOKEN": "et"}, (None, "k")),
    ({"api_key": "k"}, {"TOKEN": "et", "API_KEY": "ek"}, (None, "k")),
    ({"token": "t", "api_key": "k"}, {"TOKEN": "et", "API_KEY": "ek"}, ("t", "k")),
    # A variable that is empty is none.
    ({}, {"TOKEN": "", "API_KEY": ""}, (None, None)),
    ({}, {"TOKEN": "", "API_KEY": "ek"}, (None, "ek")),
]


@pytest.mark.parametrize(("given", "environment", "expected"), PRECEDENCE)
def test_arguments_win_over_the_environment(
    make: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    environment: dict[str, str],
    expected: tuple[str | None, str | None],
) -> None:
    """What is written in the program counts more than what happens to be set."""
    for name, value in environment.items():
        monkeypatch.setenv(f"SITEASSIST_{name}", value)
    settings = settings_of(make(**given))
    assert expected == (settings.token, settings.api_key)


def test_address_that_is_given_wins(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the environment, and an empty variable is none."""
    monkeypatch.setenv("SITEASSIST_BASE_URL", "http://127.0.0.1:1/env")
    assert BASE_URL == make(base_url=BASE_URL).base_url
    assert "http://127.0.0.1:1/env" == make().base_url
    monkeypatch.setenv("SITEASSIST_BASE_URL", "")
    assert load_spec()["servers"][0]["url"] == make().base_url


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_bad_environment_is_refused_like_an_argument(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The words do not repeat it."""
    monkeypatch.setenv(name, f"https://user:{SECRET}@example.com /v2\n")
    with pytest.raises(SiteAssistError) as caught:
        make()
    assert SECRET not in str(caught.value)


def test_environment_is_read_when_a_client_is_made(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the package is imported, nor later."""
    monkeypatch.setenv("SITEASSIST_TOKEN", "before")
    client = make()
    monkeypatch.setenv("SITEASSIST_TOKEN", "after")
    assert ("before", "after") == (settings_of(client).token, settings_of(make()).token)


def test_key_of_the_environment_serves_calls_that_take_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also beside a token that was given."""
    asked: list[httpx.URL] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={"object": "list", "results": []})

    with SiteAssist(token="t", transport=httpx.MockTransport(handler)) as client:
        with pytest.raises(CredentialsError):
            client.search(q="x")
        monkeypatch.setenv("SITEASSIST_API_KEY", "env-key")
    with SiteAssist(token="t", transport=httpx.MockTransport(handler)) as client:
        client.search(q="x")
    assert ["env-key"] == [url.params["apiKey"] for url in asked]


def test_repr_of_the_settings_names_the_essentials() -> None:
    """A client shows them as its own."""
    client = SiteAssist(api_key="the-key", device_id="d", base_url=BASE_URL)
    shown = f"base_url='{BASE_URL}', credential=api_key, device_id='d'"
    assert (shown, f"SiteAssist({shown})") == (repr(settings_of(client)), repr(client))
