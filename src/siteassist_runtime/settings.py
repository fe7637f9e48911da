"""What a client is told, checked once: arguments first, then the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from .errors import SiteAssistError


class Settings:
    """Whom to talk to, as whom, and with how much patience."""

    def __init__(  # noqa: PLR0913  # one for each setting of a client
        self,
        *,
        token: str | None,
        api_key: str | None,
        device_id: str | None,
        base_url: str | None,
        default_base_url: str,
        timeout: float | None,
        idle_timeout: float | None,
        max_retries: int,
        max_retry_wait: float,
        headers: Mapping[str, str] | None,
        user_agent: str,
    ) -> None:
        """Raise `SiteAssistError` for a value that cannot be used."""
        if token is None and api_key is None:
            # An explicit credential is meant: the other one must not get in its way.
            token = os.environ.get("SITEASSIST_TOKEN") or None
        if api_key is None:
            api_key = os.environ.get("SITEASSIST_API_KEY") or None
        self.token = _credential("token", token)
        self.api_key = _credential("api_key", api_key)
        self.device_id = _new_device_id() if device_id is None else device_id
        self.base_url = _base_url(
            base_url or os.environ.get("SITEASSIST_BASE_URL") or default_base_url
        )
        self.timeout = seconds("timeout", timeout)
        self.idle_timeout = seconds("idle_timeout", idle_timeout)
        self.max_retries = retries(max_retries)
        self.max_retry_wait = seconds("max_retry_wait", max_retry_wait) or 0.0
        self.headers = {
            "User-Agent": user_agent,
            "Accept-Encoding": "gzip, deflate",
            **(headers or {}),
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(value for value in (self.token, self.api_key) if value)

    def __repr__(self) -> str:
        """Name the address and the kind of credential, never the credential."""
        kind = "token" if self.token else "api_key" if self.api_key else "none"
        return f"base_url={self.base_url!r}, credential={kind}, device_id={self.device_id!r}"


def seconds(name: str, value: float | None) -> float | None:
    """Return a number of seconds, None for no limit.

    Raises `SiteAssistError` for what is no positive number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"{name} is a number of seconds or None, not {value!r}"
        raise SiteAssistError(msg)
    if value <= 0 or math.isnan(value):
        msg = f"{name} must be more than 0 seconds, not {value!r}"
        raise SiteAssistError(msg)
    return None if math.isinf(value) else float(value)


def retries(value: int) -> int:
    """Return a number of retries. Raises `SiteAssistError` for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"max_retries is a number from 0 up, not {value!r}"
        raise SiteAssistError(msg)
    return value


def _new_device_id() -> str:
    from uuid import uuid4  # noqa: PLC0415  # most clients are told, and the import takes its time

    return str(uuid4())


def _credential(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    if not value.isascii() or not value.isprintable() or not value or " " in value:
        # What it is instead must not be repeated: it may be nearly a secret.
        msg = f"{name} is empty, or holds spaces or characters that cannot travel in a header"
        raise SiteAssistError(msg)
    return value


def _base_url(value: str) -> str:
    url = str(value).rstrip("/")
    if "@" in url.partition("://")[2].partition("/")[0]:
        # Not repeated: what comes before the @ is a password as a rule.
        msg = "base_url must not hold a user name or a password"
        raise SiteAssistError(msg)
    if not _is_base(url):
        msg = f"base_url must be like https://host/path, not {value!r}"
        raise SiteAssistError(msg)
    return url


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises ValueError if it is no port
    except ValueError:
        return False
    known = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return known and not parts.query and not parts.fragment
