"""Client settings: validated once, on creation, with messages that contain no secret."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from siteassist import AsyncSiteAssist, CredentialsError, SiteAssist, SiteAssistError
from siteassist_runtime.settings import ClientSettings, retries, seconds
from siteassist_spec import load_spec
from tests.runtime.helpers import BASE_URL, Service, never

ENVIRONMENT = ("SITEASSIST_TOKEN", "SITEASSIST_API_KEY", "SITEASSIST_BASE_URL")


@pytest.fixture(params=[SiteAssist, AsyncSiteAssist])
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Return the constructor of either client."""
    kind: Callable[..., Any] = request.param
    return kind


def validated_settings(client: Any) -> ClientSettings:
    """Return the validated settings of a client."""
    found: ClientSettings = client._settings
    return found


# Valid settings


def test_defaults(make: Callable[..., Any]) -> None:
    """The defaults: the service's URL, 60 s timeouts, two retries, a random device id."""
    client = make()
    settings = validated_settings(client)
    assert load_spec()["servers"][0]["url"] == client.base_url
    assert (60.0, 60.0, 2, 60.0) == (
        settings.timeout,
        settings.idle_timeout,
        settings.max_retries,
        settings.max_retry_wait,
    )
    assert (None, None, ()) == (settings.token, settings.api_key, settings.secrets)
    found = uuid.UUID(client.device_id)
    assert (4, uuid.RFC_4122, str(found)) == (found.version, found.variant, client.device_id)
    assert client.device_id != make().device_id


def test_everything_can_be_given(make: Callable[..., Any]) -> None:
    """Every setting can be given and is stored under its name."""
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
    settings = validated_settings(client)
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
def test_none_and_infinity_mean_no_limit(
    make: Callable[..., Any], name: str, value: float | None
) -> None:
    """None and infinity both mean no limit."""
    assert None is getattr(validated_settings(make(**{name: value})), name)


def test_infinite_max_retry_wait_allows_any_wait(make: Callable[..., Any]) -> None:
    """An infinite `max_retry_wait` allows any wait."""
    settings = validated_settings(make(max_retry_wait=float("inf")))
    assert settings.max_retry_wait is None or settings.max_retry_wait > 10**9


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost", "https://example.com/v2", "http://127.0.0.1:8787/v2"),
        *("http://[::1]:8787/v2", "https://example.com:8443", "https://example.com/a/b/c"),
        "https://example.com/people/@me",
    ],
)
def test_base_url(make: Callable[..., Any], url: str) -> None:
    """A base URL may have a port and a path; a trailing slash is dropped."""
    assert url == make(base_url=url).base_url
    assert url == make(base_url=f"{url}/").base_url
    assert url == make(base_url=httpx.URL(url)).base_url


# Invalid settings

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
    "token, lone surrogate": ({"token": f"{SECRET}\ud800"}, "^token "),
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
def test_invalid_setting_is_refused(
    make: Callable[..., Any], given: dict[str, Any], words: str
) -> None:
    """An invalid setting raises an error that names the setting and contains no secret."""
    with pytest.raises(SiteAssistError, match=words) as caught:
        make(**given)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    # A cause would be shown with the exception, and could contain the secret.
    assert None is caught.value.__cause__
    assert SiteAssistError is type(caught.value)


LIMITS = ("timeout", "idle_timeout", "max_retry_wait")


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-1, -0.1, float("nan"), float("-inf")], ids=repr)
def test_negative_limit_is_refused(make: Callable[..., Any], name: str, value: float) -> None:
    """Negative and NaN limits are refused."""
    with pytest.raises(SiteAssistError, match=f"^{name} must be more than 0 seconds, got -?"):
        make(**{name: value})


@pytest.mark.parametrize("name", ["timeout", "idle_timeout"])
def test_zero_timeout_is_refused(make: Callable[..., Any], name: str) -> None:
    """A timeout of zero is refused; None means no limit."""
    with pytest.raises(SiteAssistError, match=f"^{name} must be more than 0 seconds, got 0$"):
        make(**{name: 0})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(
    "value", [True, False, "5", b"5", [5], {}, object, httpx.Timeout(5)], ids=repr
)
def test_limit_must_be_a_number(make: Callable[..., Any], name: str, value: object) -> None:
    """A limit that is not a number is refused, as is a bool, which Python treats as one.

    An `httpx.Timeout` has a meaning for a call only.
    """
    if name == "timeout" and isinstance(value, httpx.Timeout):
        return
    with pytest.raises(SiteAssistError, match=f"^{name} must be a number of seconds"):
        make(**{name: value})


@pytest.mark.parametrize("value", [-1, True, False, 1.5, 2.0, "2", None, [2]], ids=repr)
def test_max_retries_must_be_a_natural_number(make: Callable[..., Any], value: object) -> None:
    """`max_retries` must be an integer >= 0."""
    with pytest.raises(SiteAssistError, match=r"^max_retries must be an integer >= 0, got "):
        make(max_retries=value)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "1"])
def test_invalid_max_response_bytes_is_an_error(make: Callable[..., Any], value: Any) -> None:
    """The limit must be a positive integer, or None."""
    expected = r"^max_response_bytes must be an integer > 0 or None, got "
    with pytest.raises(SiteAssistError, match=expected):
        make(max_response_bytes=value)
    assert 64 * 2**20 == validated_settings(make()).max_response_bytes


def test_very_large_numbers_are_accepted() -> None:
    """Integers too large for a clock are accepted as limits."""
    found = seconds("timeout", 10**400)
    assert found is None or found > 10**9
    assert 10**30 == retries(10**30)


@pytest.mark.parametrize("name", ["timeout", "max_retries"])
@pytest.mark.parametrize("value", [-1, True, "5"], ids=repr)
def test_invalid_setting_of_a_call_is_refused(name: str, value: object) -> None:
    """An invalid setting of one call raises the same error before anything is sent."""
    client: Any = SiteAssist(token="t", transport=httpx.MockTransport(never))
    with client, pytest.raises(SiteAssistError, match=f"^{name} "):
        client.get_me(**{name: value})


@pytest.mark.parametrize("value", [0, -1, True, "5", float("nan")], ids=repr)
def test_invalid_idle_timeout_of_a_stream_is_refused(
    make: Callable[..., Any], value: object
) -> None:
    """An invalid idle timeout is refused when the stream is created."""
    with pytest.raises(SiteAssistError, match=r"^idle_timeout "):
        make(token="t").send_message_stream("id", content="Hi", idle_timeout=value)


# The environment


def test_environment_is_read(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Token, key and base URL are read from the environment."""
    for name, value in zip(ENVIRONMENT, ("env-token", "env-key", BASE_URL), strict=True):
        monkeypatch.setenv(name, value)
    settings = validated_settings(make())
    assert ("env-token", "env-key", BASE_URL) == (
        settings.token,
        settings.api_key,
        settings.base_url,
    )


PRECEDENCE: list[tuple[dict[str, str], dict[str, str], tuple[str | None, str | None]]] = [
    # Arguments, environment variables, expected token and key.
    ({}, {}, (None, None)),
    ({}, {"TOKEN": "et"}, ("et", None)),
    ({}, {"API_KEY": "ek"}, (None, "ek")),
    ({}, {"TOKEN": "et", "API_KEY": "ek"}, ("et", "ek")),
    ({"token": "t"}, {"TOKEN": "et", "API_KEY": "ek"}, ("t", "ek")),
    ({"token": "t"}, {"TOKEN": "et"}, ("t", None)),
    # A token in the environment does not override a given key.
    ({"api_key": "k"}, {"TOKEN": "et"}, (None, "k")),
    ({"api_key": "k"}, {"TOKEN": "et", "API_KEY": "ek"}, (None, "k")),
    ({"token": "t", "api_key": "k"}, {"TOKEN": "et", "API_KEY": "ek"}, ("t", "k")),
    # An empty variable counts as unset.
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
    """A given credential takes precedence over the environment."""
    for name, value in environment.items():
        monkeypatch.setenv(f"SITEASSIST_{name}", value)
    settings = validated_settings(make(**given))
    assert expected == (settings.token, settings.api_key)


def test_given_base_url_wins_over_the_environment(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A given base URL takes precedence over the variable; an empty variable counts as unset."""
    monkeypatch.setenv("SITEASSIST_BASE_URL", "http://127.0.0.1:1/env")
    assert BASE_URL == make(base_url=BASE_URL).base_url
    assert "http://127.0.0.1:1/env" == make().base_url
    monkeypatch.setenv("SITEASSIST_BASE_URL", "")
    assert load_spec()["servers"][0]["url"] == make().base_url


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_invalid_environment_is_refused(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An invalid variable is refused, and the message does not contain its value."""
    monkeypatch.setenv(name, f"https://user:{SECRET}@example.com /v2\n")
    with pytest.raises(SiteAssistError) as caught:
        make()
    assert SECRET not in str(caught.value)


def test_environment_is_read_on_creation(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is read on creation, not on import and not later."""
    monkeypatch.setenv("SITEASSIST_TOKEN", "before")
    client = make()
    monkeypatch.setenv("SITEASSIST_TOKEN", "after")
    assert ("before", "after") == (
        validated_settings(client).token,
        validated_settings(make()).token,
    )


def test_key_from_the_environment_is_used_beside_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key from the environment is used even if a token is given."""
    service = Service(httpx.Response(200, json={"object": "list", "results": []}))
    with SiteAssist(token="t", transport=httpx.MockTransport(service)) as client:
        with pytest.raises(CredentialsError):
            client.search(q="x")
        monkeypatch.setenv("SITEASSIST_API_KEY", "env-key")
    with SiteAssist(token="t", transport=httpx.MockTransport(service)) as client:
        client.search(q="x")
    assert ["env-key"] == [request.url.params["apiKey"] for request in service.requests]


def test_repr_of_the_settings() -> None:
    """The repr shows the base URL, the kind of credential and the device id."""
    client = SiteAssist(api_key="the-key", device_id="d", base_url=BASE_URL)
    shown = f"base_url='{BASE_URL}', credential=api_key, device_id='d'"
    assert (shown, f"SiteAssist({shown})") == (repr(validated_settings(client)), repr(client))


class SecretStr:
    """A wrapper such as pydantic's, whose text is a placeholder."""

    def __str__(self) -> str:
        """Return the placeholder."""
        return "**********"


def kind_of(value: object) -> str:
    """Return the name of the type of a value."""
    return type(value).__name__


@pytest.mark.parametrize("name", ["api_key", "base_url", "device_id"])
@pytest.mark.parametrize("value", [SecretStr(), b"x", 5, ["x"], lambda: "x"], ids=kind_of)
def test_text_must_be_a_string(make: Callable[..., Any], name: str, value: object) -> None:
    """An object in place of a text is refused by its type and not sent as its description."""
    with pytest.raises(SiteAssistError, match=f"^{name} must be .*, got {type(value).__name__}$"):
        make(**{name: value})


@pytest.mark.parametrize("value", [SecretStr(), b"x", 5, ["x"]], ids=kind_of)
def test_token_must_be_a_string_or_a_function(make: Callable[..., Any], value: object) -> None:
    """A token may be a function."""
    with pytest.raises(SiteAssistError, match=f"^token must be a .*, got {type(value).__name__}$"):
        make(token=value)


@pytest.mark.parametrize("value", ["", "/", " ", "localhost", "//host/v2"])
def test_empty_base_url_is_not_the_service(make: Callable[..., Any], value: str) -> None:
    """An unset variable of a program must not mean the production service."""
    with pytest.raises(SiteAssistError, match=r"^base_url must be like https://host/path"):
        make(base_url=value)


def test_base_url_may_be_a_url_of_httpx(make: Callable[..., Any]) -> None:
    """`httpx.URL` is a base URL."""
    assert "https://host/v2" == make(base_url=httpx.URL("https://host/v2/")).base_url
