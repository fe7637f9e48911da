"""A human agent for the tests: requests to endpoints in place of the console of the service.

They are not a part of the API. The mock has them below ``/_mock``, and any other server may.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote

import httpx

from siteassist_contract.http.deadline import Deadline
from siteassist_contract.http.network import Network, no_cookies
from siteassist_contract.http.recorder import Recorder

_TIMEOUT = 8.0
_LONGEST = 2 * _TIMEOUT
"""Maximum duration of a request with its answer, in seconds."""


class OperatorError(Exception):
    """A request that had no effect; the message says why in one line."""


class Operator:
    """The endpoints of a human agent."""

    def __init__(self, url: str, network: Network, recorder: Recorder, *, target: str) -> None:
        """Send requests to endpoints below ``url``, in the time of ``recorder``.

        The headers of ``network`` are secrets for the origin of ``target``, and sent to no other.

        Raises `CannotRunError` as `Network.transport` does.
        """
        self._recorder = recorder
        self._deadline = Deadline()
        self._http = httpx.Client(
            base_url=url,
            timeout=_TIMEOUT,
            transport=network.transport(url, deadline=self._deadline),
            headers=network.headers if _origin(url) == _origin(target) else None,
            cookies=no_cookies(),
            trust_env=False,
        )

    def __enter__(self) -> Operator:
        """Return the operator, whose connections are closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    def hand_over(self, conversation: str) -> None:
        """Assign a human agent to a conversation. Raises `OperatorError`."""
        self._send(conversation, "handover", {"name": "siteassist-contract"})

    def say(self, conversation: str, content: str) -> None:
        """Send a message as the human agent of a conversation. Raises `OperatorError`."""
        self._send(conversation, "agent-messages", {"content": content})

    def _send(self, conversation: str, action: str, body: Mapping[str, str]) -> None:
        path = f"/conversations/{quote(conversation, safe='')}/{action}"
        self._deadline.start(min(_LONGEST, self._recorder.until - time.monotonic()))
        try:
            # The answer says nothing that the conversation does not show.
            with self._recorder.waiting(), self._http.stream("POST", path, json=body) as response:
                status = response.status_code
        except (httpx.HTTPError, OSError) as error:
            raise OperatorError(f"--operator: {action} failed ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise OperatorError(f"--operator: {action} was answered {status}")


def _origin(url: str) -> tuple[str, str, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port
