"""The settings of a client, from its arguments or from the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any, Self
from urllib.parse import urlsplit

from siteassist_runtime.errors import CredentialsError, SiteAssistError
from siteassist_runtime.http_library import URL, StepLimits, classes
from siteassist_runtime.redaction import Secret, is_secret_header
from siteassist_runtime.unset import UNSET, Unset

TokenFunction = Callable[[], "str | Awaitable[str]"]
"""Returns the token of a call; only the async client awaits it."""

_LONGEST_TIMEOUT = 10**9  # Seconds.
_LONGEST_DEVICE = 100  # Characters.


class ClientSettings:
    """The validated settings of a client."""

    def __init__(
        self,
        *,
        token: str | TokenFunction | None,
        api_key: str | None,
        device_id: str | None,
        base_url: str | URL | None,
        default_base_url: str,
        user_agent: str,
        headers: Mapping[str, str] | None,
        **options: Any,
    ) -> None:
        """Validate the settings; ``options`` go to `with_options`.

        Raises `SiteAssistError` for an invalid value.
        """
        if token is None and api_key is None:
            # An explicit argument takes precedence over the environment.
            token = os.environ.get("SITEASSIST_TOKEN") or None
        if api_key is None:
            api_key = os.environ.get("SITEASSIST_API_KEY") or None
        self.token_function = token if callable(token) else None
        self.token = None if callable(token) else _credential("token", token)
        self.api_key = _credential("api_key", api_key)
        self.device_id = _new_device_id() if device_id is None else _device(device_id)
        if base_url is None:
            base_url = os.environ.get("SITEASSIST_BASE_URL") or default_base_url
        self.base_url = _base_url(base_url)
        self.default_base_url = default_base_url
        self.headers = merged(
            {"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"}, headers
        )
        self.query: dict[str, Any] = {}
        self.body: dict[str, Any] = {}
        self._set_options(**options)

    @property
    def uses_session(self) -> bool:
        """Whether the client's token is that of a session that it starts."""
        return self.token is None and self.token_function is None

    def with_options(self, **options: Any) -> Self:
        """Return a copy with other options. Raises `SiteAssistError` for an invalid value."""
        settings = self._copy()
        settings._set_options(**options)
        return settings

    def for_visitor(self, device_id: str | None) -> Self:
        """Return a copy for another visitor, whose session is started with the publishable key.

        Raises `CredentialsError` without a key, and `SiteAssistError` for an invalid device.
        """
        if self.api_key is None:
            raise CredentialsError(
                "visitor() needs a publishable key: pass api_key= to the client, or set "
                "SITEASSIST_API_KEY"
            )
        settings = self._copy()
        settings.token = settings.token_function = None
        settings.device_id = _new_device_id() if device_id is None else _device(device_id)
        settings.secrets = (self.api_key, *secrets_in(self.headers))
        return settings

    def _copy(self) -> Self:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy

    def _set_options(
        self,
        *,
        timeout: float | StepLimits | Unset | None = UNSET,
        idle_timeout: float | Unset | None = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_wait: float | Unset | None = UNSET,
        max_response_bytes: int | Unset | None = UNSET,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(timeout, Unset):
            self.timeout = time_limit(timeout)
        if not isinstance(idle_timeout, Unset):
            self.idle_timeout = seconds("idle_timeout", idle_timeout)
        if not isinstance(max_retries, Unset):
            self.max_retries = retries(max_retries)
        if not isinstance(max_retry_wait, Unset):
            longest = seconds("max_retry_wait", max_retry_wait)
            self.max_retry_wait = math.inf if longest is None else longest
        if not isinstance(max_response_bytes, Unset):
            self.max_response_bytes = _size("max_response_bytes", max_response_bytes)
        self.headers = merged(self.headers, extra_headers)
        self.query = {**self.query, **extra("extra_query", extra_query)}
        self.body = {**self.body, **extra("extra_body", extra_body)}
        own = tuple(value for value in (self.token, self.api_key) if value)
        self.secrets = own + secrets_in(self.headers)
        """The secrets to redact."""

    def __reduce__(self) -> Any:
        """Refuse to be pickled: secrets do not belong in files."""
        raise TypeError("settings cannot be pickled: they contain a credential")

    def __repr__(self) -> str:
        """Show the base URL and the kind of credential, but not the credential."""
        if self.token_function is not None:
            kind = "token function"
        else:
            kind = "token" if self.token else "api_key" if self.api_key else "none"
        return f"base_url={self.base_url!r}, credential={kind}, device_id={self.device_id!r}"


def merged(first: Mapping[str, str], second: Mapping[str, str] | None) -> dict[str, str]:
    """Merge two sets of headers; the second takes precedence, case-insensitively.

    Raises `SiteAssistError` for a name or a value that is not one line of text.
    """
    if second is None:
        return dict(first)
    if not isinstance(second, Mapping):
        raise SiteAssistError(f"headers must be a mapping, got {type(second).__name__}")
    for name, value in second.items():
        texts = isinstance(name, str) and isinstance(value, str)
        if not texts or not set(name + value).isdisjoint("\r\n\0"):
            # The value may be a secret.
            raise SiteAssistError(
                f"the name and the value of a header must be one line of text: {name!r}"
            )
    given = {name.lower() for name in second}
    return {name: value for name, value in first.items() if name.lower() not in given} | dict(
        second
    )


def secrets_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secrets in headers: whole values, and values without their scheme."""
    return tuple(
        found
        for name, value in headers.items()
        if is_secret_header(name)
        for found in (value, value.partition(" ")[2])
        if found
    )


def extra(name: str, fields: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Validate additional parameters or properties. Raises `SiteAssistError` if invalid."""
    if fields is None:
        return {}
    if not isinstance(fields, Mapping) or not all(isinstance(key, str) for key in fields):
        raise SiteAssistError(f"{name} must be a mapping with strings as keys, got {_kind(fields)}")
    return fields


def _kind(value: object) -> str:
    return type(value).__name__


def time_limit(value: float | StepLimits | None) -> float | StepLimits | None:
    """Validate the limit of a call: seconds for all of it, or an `httpx.Timeout` for its steps."""
    if (
        value is None
        or isinstance(value, (int, float))
        or not isinstance(value, classes("Timeout"))
    ):
        return seconds("timeout", value)  # type: ignore[arg-type]  # raises for any other object
    steps = value.as_dict()
    valid = {name: seconds(f"timeout.{name}", steps[name]) for name in steps}
    limits: StepLimits = type(value)(**valid)
    return limits


def seconds(name: str, value: float | None) -> float | None:
    """Validate a number of seconds; None means no limit.

    Raises `SiteAssistError` unless it is a positive number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SiteAssistError(f"{name} must be a number of seconds or None, got {_shown(value)}")
    if value > _LONGEST_TIMEOUT:
        # The operating system rejects longer timeouts.
        return None
    if value <= 0 or math.isnan(value):
        raise SiteAssistError(f"{name} must be more than 0 seconds, got {value!r}")
    return float(value)


def retries(value: int) -> int:
    """Validate a number of retries. Raises `SiteAssistError` if it is invalid."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SiteAssistError(f"max_retries must be an integer >= 0, got {_shown(value)}")
    return value


def _size(name: str, value: int | None) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise SiteAssistError(f"{name} must be an integer > 0 or None, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """Return a plain value, or the type of an object, whose repr may be long."""
    plain = value is None or isinstance(value, (str, bytes, int, float))
    return repr(value) if plain else _kind(value)


def _new_device_id() -> str:
    """Return a random UUID of version 4.

    The module `uuid` does the same, but its import takes longer than all else that a client does
    when it is created.
    """
    octets = bytearray(os.urandom(16))
    octets[6] = octets[6] & 0x0F | 0x40  # the version
    octets[8] = octets[8] & 0x3F | 0x80  # the variant of RFC 9562
    digits = octets.hex()
    bounds = (0, 8, 12, 16, 20, 32)
    return "-".join(digits[begin:end] for begin, end in pairwise(bounds))


def _device(value: str) -> str:
    # The bounds of `saVid` in the description.
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_DEVICE:
        got = "" if isinstance(value, str) else f", got {_kind(value)}"
        raise SiteAssistError(
            f"device_id must be a string of 1 to {_LONGEST_DEVICE} characters{got}"
        )
    return value


def _credential(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise SiteAssistError(f"{name} must be a string, got {_kind(value)}")
    if not is_credential(value):
        # The value must not be shown: it may be a misspelled secret.
        raise SiteAssistError(f"{name} must be printable ASCII without spaces, and not empty")
    return Secret(value)


def is_credential(value: object) -> bool:
    """Return whether a value can be sent as a credential."""
    if not isinstance(value, str) or not value:
        return False
    return value.isascii() and value.isprintable() and " " not in value


def _base_url(value: str | URL) -> str:
    if not isinstance(value, (str, *classes("URL"))):
        raise SiteAssistError(f"base_url must be a string, got {_kind(value)}")
    url = str(value).rstrip("/")
    if not _is_base(url):
        # With more than an address, the value may contain a password and is not shown.
        shown = "" if set(url) & set("@?#") else f", got {str(value)!r}"
        raise SiteAssistError(
            f"base_url must be like https://host/path, without a user name{shown}"
        )
    return url


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError if the port is invalid
    except ValueError:
        return False
    if not url.isprintable() or " " in url:
        return False
    known = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return known and not parts.query and not parts.fragment and "@" not in parts.netloc
